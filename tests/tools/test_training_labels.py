"""Copies of the test labels that lie elsewhere on the machine are not to be seen by a candidate."""

from __future__ import annotations

from pathlib import Path

import sklearn
from netwright.tools.datasets import DEBIAN_FASHION_MNIST, label_sources
from netwright.tools.execution import Validator
from netwright.tools.tasks import task

LOOK = """
import os, sys
seen = []
for root in [*(p for p in sys.path if p), "/usr/share"]:
    for _, _, files in os.walk(root):
        seen += [f for f in files if f.startswith("digits.csv") or f.endswith(("ubyte", "ubyte.gz"))]
raise RuntimeError("found " + ",".join(sorted(set(seen))))
"""
NET = (Path(__file__).parents[2] / "examples" / "small_net.py").read_text(encoding="utf-8")


def test_label_sources_are_the_folders_that_hold_labels():
    assert Path(sklearn.__file__).parent / "datasets" / "data" in label_sources()
    assert DEBIAN_FASHION_MNIST in label_sources()
    assert list((Path(sklearn.__file__).parent / "datasets" / "data").glob("digits*"))


def test_candidate_finds_no_copy_of_the_labels(digits_sandbox):
    verdict = Validator(digits_sandbox).validate(NET + LOOK, task("digits"))
    assert not verdict.ok
    assert verdict.message.strip() == "found"


def test_candidate_cannot_load_the_digits_by_the_library(digits_sandbox):
    source = NET + "\nfrom sklearn.datasets import load_digits\nload_digits()\n"
    verdict = Validator(digits_sandbox).validate(source, task("digits"))
    assert not verdict.ok
    assert verdict.error_class == "FileNotFoundError"
