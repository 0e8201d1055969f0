"""Chat pairs: one network as the answer to each of several task descriptions.

*From Memorization to Creativity*, appendix C: two descriptions per program, MNIST and CIFAR-10, with the same code.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from .export_checks import code_fault, record_fault
from .export_networks import Chosen, Split

DESCRIBED_AS: Final = ("mnist", "cifar10")  # appendix C: 28 × 28 grey, and 32 × 32 RGB
_KIND: Final = "img-classification"


class Description(NamedTuple):
    """How a task is put to a language model: the data set it speaks of, the system's and the user's message."""

    dataset: str
    system: str
    user: str


@dataclass(frozen=True)
class Pairs:
    """Chat pairs of an export, in the order of the networks' names and of the descriptions.

    Attributes:
        dropped: reason -> networks that are no targets.
    """

    rows: tuple[dict[str, Any], ...]
    dropped: Mapping[str, int]


def chat_pairs(chosen: Chosen, descriptions: Sequence[Description]) -> Pairs:
    """Every network that has all parts of the contract, once for each description.

    A network's accuracy is the best that it reached on any data set; ``split`` is there where splits were made.
    """
    rows: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter()
    for network in _networks(chosen):
        fault = _fault(network)
        if fault is not None:
            dropped[fault] += 1
            continue
        rows.extend(_pair(network, one, chosen.split.get(network["nn"])) for one in descriptions)
    return Pairs(tuple(rows), dict(sorted(dropped.items())))


def jsonl(pairs: Pairs) -> Iterator[str]:
    """One line of JSON for each pair, in ASCII: code may hold what UTF-8 cannot."""
    return (json.dumps(row, allow_nan=False) + "\n" for row in pairs.rows)


def _networks(chosen: Chosen) -> Iterator[dict[str, Any]]:
    """One row for each network, its best by accuracy; image classification first, which is what can be told of."""
    best = chosen.best.assign(_other=chosen.best["task"] != _KIND)
    order = ["nn", "_other", "accuracy", "dataset", "metric"]
    first = best.sort_values(order, ascending=[True, True, False, True, True], kind="stable").drop_duplicates("nn")
    names = ["nn", "task", "dataset", "metric", "accuracy", "prm"]
    for values in first[names].itertuples(index=False, name=None):
        yield {**dict(zip(names, values, strict=True)), "nn_code": chosen.texts.nn.get(values[0], "")}


def _fault(network: Mapping[str, Any]) -> str | None:
    if network["task"] != _KIND:
        return "a task that is no image classification"
    return record_fault(network["accuracy"], network["prm"]) or code_fault(network["nn_code"])


def _pair(network: Mapping[str, Any], described: Description, split: Split | None) -> dict[str, Any]:
    code = network["nn_code"].strip("\n")
    return {
        "messages": [
            {"role": "system", "content": described.system},
            {"role": "user", "content": described.user},
            {"role": "assistant", "content": f"```python\n{code}\n```"},
        ],
        "nn": network["nn"],
        "described_as": described.dataset,
        "dataset": network["dataset"],
        "metric": network["metric"],
        "accuracy": float(network["accuracy"]),
    } | ({"split": split} if split else {})
