"""The packaged model is the one its report speaks of, trained on the corpus beside it, and does what it says."""

from __future__ import annotations

import ast
import random

import pytest
from netwright.tools.generators.corpus import build_corpus
from netwright.tools.generators.headers import is_held_out
from netwright.tools.generators.programs import Program
from netwright.tools.generators.wishes import held_out_headers
from netwright.tools.pretraining.batches import fingerprint
from netwright.tools.pretraining.pipeline import CORPUS_SEED, NANO, packaged_corpus
from netwright.tools.pretraining.report import TrainingReport, file_sha256
from netwright.tools.pretraining.tokenizer import conversation
from netwright.tools.sampling import load_language_model


@pytest.fixture(scope="module")
def corpus() -> list[Program]:
    return packaged_corpus()


def reports() -> list[TrainingReport]:
    extra = sorted((NANO.parents[1] / "docs" / "reports").glob("netwright-nano-*.json"))
    return [TrainingReport.read(NANO), *map(TrainingReport.read, extra)]


def test_weights_and_corpus_are_those_of_the_report(corpus: list[Program]) -> None:
    report = TrainingReport.read(NANO)
    assert file_sha256(NANO / "model.safetensors") == report.weights_sha256
    assert fingerprint([(p.header.render(), p.source) for p in corpus]) == report.corpus.sha256
    assert len(corpus) == report.corpus.programs
    assert sum(path.stat().st_size for path in NANO.iterdir()) < 20_000_000


def test_corpus_is_what_the_generator_writes_and_holds_nothing_held_out(corpus: list[Program]) -> None:
    assert build_corpus(CORPUS_SEED, 200) == corpus[:200]
    assert not any(is_held_out(program.full_header) for program in corpus)


def test_three_seeds_reach_the_mark() -> None:
    assert [report.seed for report in reports()] == [0, 1, 2]
    assert len({report.corpus.sha256 for report in reports()}) == 1
    for report in reports():
        table = report.benchmark
        assert table is not None
        assert (table.samples, table.temperature) == (200, 0.8)
        assert table.valid.share >= 0.90
        assert table.distinct.share >= 0.95
        assert table.copies.share <= 0.05


def test_packaged_model_writes_networks_for_held_out_headers() -> None:
    model = load_language_model(NANO)
    headers = held_out_headers(random.Random(11), 16)
    done = model.complete([model.render(conversation(h.render())) for h in headers], seed=11, temperature=0.8)
    assert all(completion.finish == "stop" for completion in done)
    parsed = 0
    for completion in done:
        try:
            names = {node.name for node in ast.parse(completion.text).body if isinstance(node, ast.ClassDef)}
        except SyntaxError:
            continue
        parsed += "Net" in names
    assert parsed >= 14
    assert len({completion.text for completion in done}) == 16
