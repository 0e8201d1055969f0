"""One data directory for all graph tests: the signatures of the initial corpus are computed once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from netwright.tools.generators.corpus import build_corpus


@pytest.fixture(scope="session")
def graph_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graph-home")


@pytest.fixture(autouse=True)
def netwright_home(graph_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NETWRIGHT_HOME", str(graph_home))
    return graph_home


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers of a scripted model: programs outside the corpus, and answers that need clean-up or are lost."""
    small = [p.source for p in build_corpus(987_654, 60) if p.header.in_shape == (1, 8, 8) and p.params < 60_000]
    fenced = [f"Here it is:\n```python\n{source}```" for source in small[:4]]
    unclosed = [
        f"<think>wide or deep?</think>\n```python\n{source.replace('import torch.nn as nn', '')}"
        for source in small[4:6]
    ]
    path = tmp_path_factory.mktemp("script") / "answers.yaml"
    answers = [*small[6:], *fenced, *unclosed, "I would rather not.", "```python\nclass Net: pass\n```"]
    path.write_text(yaml.safe_dump({"order": "seed", "answers": answers}))
    return path
