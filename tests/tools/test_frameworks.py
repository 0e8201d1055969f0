"""Several threads that are the first to need transformers."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import threading
from concurrent.futures import ThreadPoolExecutor
from netwright.tools.frameworks import load_frameworks

together = threading.Barrier(4)

def first(_):
    together.wait()
    load_frameworks()
    from transformers import AutoTokenizer
    return AutoTokenizer.__name__

with ThreadPoolExecutor(4) as pool:
    print(*pool.map(first, range(4)))
"""


def test_each_thread_gets_all_of_it() -> None:
    """Without ``load_frameworks`` all but one of the threads fail, in most runs."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["AutoTokenizer"] * 4
