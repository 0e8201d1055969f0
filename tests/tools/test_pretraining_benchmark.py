"""The benchmark's counts on texts whose quality is known, and the report that is made of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from netwright.memory.types import Task, Verdict
from netwright.tools.generators.corpus import build_corpus, write_corpus
from netwright.tools.generators.headers import Header, is_held_out
from netwright.tools.generators.programs import Program, random_program
from netwright.tools.generators.wishes import held_out_headers
from netwright.tools.pretraining import pipeline
from netwright.tools.pretraining.benchmark import Benchmark, Share, Validate, benchmark_model, near_copies
from netwright.tools.pretraining.report import BEGIN, END, TrainingReport, curve, publish, tables
from netwright.tools.pretraining.tokenizer import train_tokenizer
from netwright.tools.pretraining.trainer import CHECKPOINT, PretrainingInterrupted
from netwright.tools.sampling import Completion, LanguageModel


@pytest.fixture(scope="module")
def corpus() -> list[Program]:
    return build_corpus(3, 24)


class Reciter(LanguageModel):
    """A model that recites given texts instead of sampling, and remembers what it was asked."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.prompts: list[str] = []
        self.tokenizer = train_tokenizer(["# task"], vocab_size=300)

    def complete(self, prompts: Sequence[str], **options: object) -> list[Completion]:  # type: ignore[override]
        self.prompts += prompts
        return [Completion(text, 10, 100, "stop") for text in self.texts]


def counting(sources: Sequence[str], tasks: Sequence[Task]) -> list[Verdict]:
    """Valid is what has a network; ten thousand parameters each."""
    good = Verdict(ok=True, stage="backward", params=10_000)
    bad = Verdict(ok=False, stage="parse", error_class="SyntaxError", message="invalid syntax")
    return [good if "class Net" in source else bad for source in sources]


def test_shares_are_of_the_right_totals(corpus: list[Program]) -> None:
    fresh = random_program(random.Random(8), Header((1, 8, 8), 10, "10k-30k", "residual"))
    copy = corpus[0].source.replace("\n\n\n", "\n\n")
    model = Reciter([fresh.source, fresh.source, copy, "nonsense ("])
    table = benchmark_model(model, counting, corpus, n=4, seed=5)
    assert (table.valid.count, table.valid.total) == (3, 4)
    assert (table.distinct.count, table.distinct.total) == (2, 3)
    assert (table.copies.count, table.copies.total) == (1, 3)
    assert table.near_copies.count >= 1
    assert table.errors == {"parse: SyntaxError": 1}
    assert table.messages == ["parse: SyntaxError: invalid syntax"]
    assert sum(share.total for share in table.styles.values()) == 4
    headers = held_out_headers(random.Random(5), 4)
    assert all(is_held_out(header) for header in headers)
    assert model.prompts == [f"<bos>{header.render()}\n" for header in headers]
    assert table.right_size.count == sum(header.bucket == "10k-30k" for header in headers[:3])


def test_a_validator_that_loses_programs_is_noticed(corpus: list[Program]) -> None:
    with pytest.raises(ValueError, match="1 verdicts for 2 programs"):
        benchmark_model(Reciter(["a", "b"]), lambda s, t: counting(s, t)[:1], corpus, n=2)


def test_near_copies_are_found_exactly(corpus: list[Program]) -> None:
    sources = [program.source for program in corpus]
    renamed = sources[0].replace("class Net(nn.Module)", "class Net(torch.nn.Module)")
    assert near_copies([sources[0], renamed, "x = 1\n"], sources) == 2
    assert near_copies([sources[0]], []) == 0


def test_wilson_interval_of_a_share() -> None:
    share = Share.of(190, 200)
    assert (share.share, round(share.low, 3), round(share.high, 3)) == (0.95, 0.910, 0.973)
    assert Share.of(0, 0).high == 1.0


@pytest.fixture(scope="module")
def trained(corpus: list[Program], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingReport]:
    folder = tmp_path_factory.mktemp("nano")
    steps: list[int] = []
    report = pipeline.pretrain(7, folder, steps=2, corpus=corpus, progress=lambda now: steps.append(now.step))
    assert steps == [1, 2]
    return folder, report


def test_pretraining_leaves_a_model_and_its_report(trained: tuple[Path, TrainingReport], corpus: list[Program]) -> None:
    folder, report = trained
    assert not (folder / "checkpoint.pt").exists()
    assert TrainingReport.read(folder) == report
    assert report.seed == report.settings.seed == 7
    assert report.corpus.programs == len(corpus)
    assert 1_500_000 < report.parameters < 3_500_000
    assert (folder / "model.safetensors").stat().st_size < 20_000_000
    assert len(report.curve) == 1
    assert {"torch", "transformers", "python"} <= report.versions.keys()
    table = benchmark_model(pipeline.load_language_model(folder), counting, corpus, n=2, seed=1)
    assert table.samples == 2
    assert table.programs_per_s > 0


def test_a_failed_benchmark_costs_no_training(
    corpus: list[Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_two(*args: object, **options: object) -> Benchmark:
        return benchmark_model(*args, n=2, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "benchmark_model", of_two)
    steps: list[int] = []

    def run(validate: Validate) -> TrainingReport:
        return pipeline.pretrain_and_benchmark(
            7, tmp_path, validate, steps=2, corpus=corpus, progress=lambda now: steps.append(now.step)
        )

    def broken(sources: Sequence[str], tasks: Sequence[Task]) -> list[Verdict]:
        raise RuntimeError("no sandbox")

    def stopped(sources: Sequence[str], tasks: Sequence[Task]) -> list[Verdict]:
        raise KeyboardInterrupt

    with pytest.raises(RuntimeError, match="no sandbox"):
        run(broken)
    unjudged = TrainingReport.read(tmp_path)
    assert unjudged.benchmark is None
    assert (tmp_path / CHECKPOINT).exists()
    with pytest.raises(PretrainingInterrupted, match="in the benchmark after all 2 steps"):
        run(stopped)
    judged = run(counting)
    assert steps == [1, 2], "the steps were done once"
    assert judged.benchmark is not None
    assert judged.weights_sha256 == unjudged.weights_sha256
    assert (judged.curve, judged.cpu_s) == (unjudged.curve, unjudged.cpu_s)
    assert TrainingReport.read(tmp_path) == judged
    assert not (tmp_path / CHECKPOINT).exists()


def test_tables_go_between_the_pages_markers(
    trained: tuple[Path, TrainingReport], corpus: list[Program], tmp_path: Path
) -> None:
    report = trained[1]
    page = tmp_path / "page.md"
    page.write_text(f"# Top\n{BEGIN}\nold\n{END}\nend\n")
    with pytest.raises(ValueError, match="no benchmark"):
        publish(page, [report])
    texts = [program.source for program in corpus[:2]]
    judged = report.model_copy(update={"benchmark": benchmark_model(Reciter(texts), counting, corpus, n=2)})
    publish(page, [judged, judged.model_copy(update={"seed": 2})])
    text = page.read_text()
    assert text.startswith("# Top\n")
    assert text.endswith("\nend\n")
    assert "old" not in text
    assert [line[:5] for line in text.splitlines() if line.startswith(("| 2 ", "| 7 "))][:2] == ["| 2 |", "| 7 |"]
    assert "100.0 % (34–100)" in tables([judged])
    page.write_text("no place")
    with pytest.raises(ValueError, match="no place for the tables"):
        publish(page, [judged])


def test_curve_averages_groups() -> None:
    assert curve([4.0, 2.0, 1.0], 2) == [(2, 3.0), (3, 1.0)]


def test_packaged_corpus_is_read_from_the_package(
    corpus: list[Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "NANO", tmp_path)
    write_corpus(corpus, tmp_path / pipeline.CORPUS)
    assert pipeline.packaged_corpus() == corpus
