"""The sentences in which replies tell numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..memory.types import Protocol, Trial, Verdict
from ..tools.tasks import task_info
from .turns import Shown

REASONS = 3
"""Reasons of failures that are told, the most frequent first."""


def table(shown: Sequence[Shown]) -> str:
    """The networks as a Markdown table."""
    metric = shown[0].metric_name
    lines = [f"| # | network | parameters | FLOPs | {metric} |", "|--:|---|--:|--:|--:|"]
    for one in shown:
        value = "–" if one.metric is None else f"{one.metric:.4f}"
        lines.append(f"| {one.n} | {one.name} | {one.params or 0:,} | {one.flops or 0:,} | {value} |")
    return "\n".join(lines)


def tally(written: int, by: Counter[str], failed: Iterable[Verdict]) -> str:
    """How many were written and valid, by which step, and what stopped the others."""
    steps = {"generation": "as written", "cleanup": "after clean-up", "repair": "after repair"}
    valid = sum(by.values())
    how = ", ".join(f"{by[step]} {said}" for step, said in steps.items() if by[step])
    text = f"{written} written, {valid} valid" + (f" ({how})" if how else "")
    reasons = why_failed(failed)
    return f"{text}. Not valid: {reasons}." if reasons else f"{text}."


def why_failed(verdicts: Iterable[Verdict]) -> str:
    """What stopped networks, the most frequent reason first."""
    failed = list(verdicts)
    classes = Counter((v.stage, v.error_class) for v in failed)
    parts = []
    for (stage, error), count in classes.most_common(REASONS):
        texts = Counter(v.reason for v in failed if (v.stage, v.error_class) == (stage, error))
        like = "such as " if len(texts) > 1 else ""
        parts.append(f"{count} × {like}{one_line(texts.most_common(1)[0][0])}")
    rest = len(failed) - sum(count for _, count in classes.most_common(REASONS))
    return "; ".join([*parts, *([f"{rest} for other reasons"] if rest else [])])


def one_line(text: str, most: int = 200) -> str:
    """Text that a candidate may have written, in one line that no Markdown can get out of."""
    line = " ".join(text.split()).replace("`", "'").replace("|", "¦")
    return f"`{line[:most]}{'…' if len(line) > most else ''}`"


def measured(protocol: Protocol, dataset: str) -> str:
    """How it was trained and measured, in words."""
    info = task_info(dataset)
    images = min(protocol.train_limit or info.train_size, info.train_size)
    tested = min(protocol.test_limit or info.test_size, info.test_size)
    return (
        f"protocol {protocol.name} ({protocol.hash}): {epochs(protocol.epochs)} on {images:,} training images, batch "
        f"{protocol.batch}, learning rate {protocol.lr:g}, measured on {tested:,} test images"
    )


def epochs(count: int) -> str:
    """A number of epochs in words."""
    return f"{count} epoch{'s' if count != 1 else ''}"


def curve(one: Shown) -> str:
    """The metric after each epoch."""
    return " → ".join(f"{value:.4f}" for value in one.epochs)


def figures(one: Shown, trial: Trial | None = None) -> str:
    """A network's numbers in one line."""
    parts = [f"{one.params or 0:,} parameters", f"{one.flops or 0:,} FLOPs"]
    if one.metric is not None:
        parts.append(f"{one.metric_name} {one.metric:.4f}")
    elif trial is not None and trial.state == "failed":
        parts.append(f"training failed: {one_line(f'{trial.error_class}: {trial.message}')}")
    return ", ".join(parts)


def built(figures: dict[str, Any]) -> str:
    """What a network is made of, from its static figures."""
    counts = {
        "conv_count": "convolutions",
        "linear_count": "linear layers",
        "norm_count": "normalisations",
        "activation_count": "activations",
        "pooling_count": "poolings",
        "dropout_count": "dropouts",
        "attention_count": "attention layers",
        "recurrent_count": "recurrent layers",
    }
    parts = [f"{figures[key]} {name}" for key, name in counts.items() if figures.get(key)]
    has = [
        name
        for key, name in (("has_residual", "residual connections"), ("has_attention", "attention"))
        if figures.get(key)
    ]
    depth = f"depth {figures['depth']}" if figures.get("depth") else ""
    return ", ".join(filter(None, [*parts, depth, *has]))
