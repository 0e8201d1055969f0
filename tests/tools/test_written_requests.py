"""The files of written requests, as ``make check-requests`` reads them: forty each, at least 36 understood exactly."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from netwright.tools.understanding import understand

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "written_requests.py"
FILES = sorted((SCRIPT.parent / "data" / "written_requests").glob("*.yaml"))


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("written_requests", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_requests_of_a_file_mean_what_was_written_down(benchmark: ModuleType, path: Path) -> None:
    requests = list(benchmark.requests(path))
    wrong = {one["text"]: missed for one in requests if (missed := benchmark.differences(one, understand(one["text"])))}
    assert len(requests) == 40
    assert len(wrong) <= 4, wrong


def test_no_request_is_written_twice(benchmark: ModuleType) -> None:
    texts = [one["text"] for path in FILES for one in benchmark.requests(path)]
    assert len(FILES) >= 6
    assert len(set(texts)) == len(texts)
