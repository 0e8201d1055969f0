"""From a seed to a judged model: train, save, benchmark, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from ..generators.corpus import build_corpus, read_corpus, write_corpus
from ..generators.programs import Program
from ..sampling import load_language_model
from .batches import encode, fingerprint
from .benchmark import Validate, benchmark_model
from .model import parameter_count, save_model
from .report import CorpusFacts, TrainingReport, curve, file_sha256, machine, versions
from .trainer import CHECKPOINT, PretrainingInterrupted, PretrainSettings, Progress, train

NANO = Path(__file__).resolve().parents[2] / "assets" / "netwright-nano"
"""The packaged model: weights, corpus and training report."""
CORPUS = "corpus.jsonl.xz"
CORPUS_SEED = 0
"""All seeds train on one corpus; initial weights, batch order and samples follow the run's own seed."""
STEPS = PretrainSettings().steps


def packaged_corpus() -> list[Program]:
    """The programs that the packaged model was trained on: ``build_corpus(CORPUS_SEED)`` as a file."""
    path = NANO / CORPUS
    return read_corpus(path) if path.exists() else build_corpus(CORPUS_SEED)


def pretrain(
    seed: int,
    out_dir: Path,
    *,
    steps: int = STEPS,
    corpus: Sequence[Program] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> TrainingReport:
    """Train a nano model from scratch and write it to ``out_dir`` in Hugging Face format.

    Goes on from ``out_dir``'s checkpoint when there is one; the checkpoint is deleted at the end.

    Args:
        seed: of initial weights and batch order.
        out_dir: gets weights, tokenizer, the corpus and ``training-report.json``.
        steps: the budget; the same seed, steps and corpus give the same weights on the same machine.
        corpus: programs to learn from; the packaged corpus by default.
        progress: called after every step.

    Raises:
        PretrainingInterrupted: SIGINT or SIGTERM came; the same call goes on.
        ValueError: the checkpoint in ``out_dir`` belongs to other settings or another corpus.
    """
    programs = packaged_corpus() if corpus is None else list(corpus)
    report = _train_and_save(seed, out_dir, steps, programs, progress)
    (out_dir / CHECKPOINT).unlink()
    return report


def _train_and_save(
    seed: int,
    out_dir: Path,
    steps: int,
    programs: Sequence[Program],
    progress: Callable[[Progress], None] | None,
) -> TrainingReport:
    """Weights, tokenizer, corpus and report in ``out_dir``: all that the packaged model's folder holds.

    The checkpoint of the last step stays beside them.
    """
    pairs = [(program.header.render(), program.source) for program in programs]
    settings = PretrainSettings(seed=seed, steps=steps)
    trained = train(pairs, settings, out_dir, progress)
    save_model(trained.model, trained.tokenizer, out_dir)
    lengths = [len(document.tokens) for document in encode(trained.tokenizer, pairs)]
    report = TrainingReport(
        command=f"netwright model pretrain --seed {seed} --steps {steps}",
        seed=seed,
        settings=settings,
        corpus=CorpusFacts(
            seed=CORPUS_SEED,
            programs=len(pairs),
            sha256=fingerprint(pairs),
            mean_tokens=round(sum(lengths) / len(lengths), 1),
            longest_tokens=max(lengths),
        ),
        versions=versions(),
        machine=machine(),
        precision=trained.precision,
        parameters=parameter_count(trained.model),
        steps=steps,
        tokens=trained.tokens,
        cpu_s=round(trained.cpu_s, 1),
        wall_s=round(trained.wall_s, 1),
        curve=curve(trained.losses, settings.curve_every),
        weights_sha256=file_sha256(out_dir / "model.safetensors"),
    )
    report.write(out_dir)
    write_corpus(list(programs), out_dir / CORPUS)
    return report


def pretrain_and_benchmark(
    seed: int,
    out_dir: Path,
    validate: Validate,
    *,
    steps: int = STEPS,
    corpus: Sequence[Program] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> TrainingReport:
    """:func:`pretrain`, then the benchmark on held-out headers with the same seed, written into the report.

    The checkpoint is deleted only after the benchmark: if that is stopped or its sandbox fails, the same call
    finds the training done and judges the same weights.

    Args:
        validate: judges (sources, tasks); sampled programs are untrusted code, so give a sandboxed one.

    Raises:
        PretrainingInterrupted: a signal stopped the training, or Ctrl-C the benchmark; the same call goes on.
        ValueError: the checkpoint in ``out_dir`` belongs to other settings or another corpus.
    """
    programs = packaged_corpus() if corpus is None else list(corpus)
    report = _train_and_save(seed, out_dir, steps, programs, progress)
    try:
        report = benchmark_folder(out_dir, validate, report, programs)
    except KeyboardInterrupt as error:
        raise PretrainingInterrupted(
            f"stopped in the benchmark after all {steps} steps; run the same command again to judge these weights"
        ) from error
    (out_dir / CHECKPOINT).unlink()
    return report


def benchmark_folder(
    folder: Path, validate: Validate, report: TrainingReport, corpus: Sequence[Program]
) -> TrainingReport:
    """Benchmark the model in ``folder`` with its own seed and write the completed report there."""
    table = benchmark_model(load_language_model(folder), validate, corpus, seed=report.seed)
    report = report.model_copy(update={"benchmark": table})
    report.write(folder)
    return report


@contextmanager
def progress_bar(console: Console | None = None) -> Iterator[Callable[[Progress], None]]:
    """A rich progress bar as the callback that :func:`pretrain` takes."""
    columns = (
        TextColumn("pretraining"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=console) as bar:
        task = bar.add_task("pretraining", total=None, loss=float("nan"))

        def show(now: Progress) -> None:
            bar.update(task, completed=now.step, total=now.steps, loss=now.loss)

        yield show
