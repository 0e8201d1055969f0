"""Import a file in a new Python process: handler ``fresh.run`` of the block benchmark, inside a sandbox.

Payload: ``source``; ``name``, a class that must be there; ``absent``, packages that must not be found.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path("/scratch")
_CHILD = """
import importlib.util, json, resource, sys, time
sys.path.append(sys.argv[3] + "/site")
visible = [name for name in json.loads(sys.argv[2]) if importlib.util.find_spec(name) is not None]
sys.path.insert(0, sys.argv[3])
import torch
torch.set_num_threads(1)
started = time.process_time()
import emitted
block = getattr(emitted, sys.argv[1], None)
print(json.dumps({
    "visible": visible,
    "imported": [name for name in json.loads(sys.argv[2]) if name in sys.modules],
    "there": isinstance(block, type) and issubclass(block, torch.nn.Module),
    "import_s": round(time.process_time() - started, 4),
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
}))
"""


def run(payload: dict[str, Any], data: dict[str, Any], note: Callable[[str], None]) -> dict[str, Any]:
    """Start a new Python on the file. It sees all installed packages but the absent ones.

    Returns:
        ``exit_code``, the last line that it wrote to standard error, and what it printed as JSON, if it came so far.
    """
    _link_packages(payload["absent"])
    (FOLDER / "emitted.py").write_text(payload["source"], encoding="utf-8")
    command = [
        sys.executable,
        "-I",
        "-S",
        "-B",
        "-c",
        _CHILD,
        payload["name"],
        json.dumps(payload["absent"]),
        str(FOLDER),
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    lines = done.stderr.strip().splitlines()
    last = done.stdout.strip().splitlines()[-1:] if done.returncode == 0 else []
    return {
        "exit_code": done.returncode,
        "error": lines[-1] if lines else "",
        **(json.loads(last[0]) if last else {}),
    }


def _link_packages(absent: list[str]) -> None:
    """Show all packages by links: an emptied folder would still be importable, as a package without contents."""
    shown = FOLDER / "site"
    shown.mkdir()
    own = (sys.base_prefix, str(Path(__file__).parent), str(Path(__file__).parents[1]))
    for folder in (Path(entry) for entry in sys.path if not entry.startswith(own[0]) and entry not in own):
        for entry in folder.iterdir():
            if not entry.name.startswith(tuple(absent)) and not (shown / entry.name).exists():
                (shown / entry.name).symlink_to(entry)
