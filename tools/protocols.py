"""Training protocols by name, with the sources of their constants. Two results compare only under the same one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..memory.types import Protocol
from .tasks import TaskInfo, task_info

OWN_FIELDS = frozenset({"lr", "momentum", "batch", "epoch", "transform"})
"""Hyperparameters that are fields of a protocol, and so cannot be in its ``prm``."""


@dataclass(frozen=True)
class KnownProtocol:
    """A protocol that has a name.

    Attributes:
        source: where its constants are from.
    """

    protocol: Protocol
    source: str


# One epoch is the performance signal of "From Memorization to Creativity", section 3 and appendix E, which leaves
# out the optimiser's constants; they are those of the one-epoch runs in "LEMUR 2", section 2.2.7 (batch 64,
# learning rate 0.01, momentum 0.9). The seed and the time limit are this project's; LEMUR sets neither.
_LEMUR_1EP = Protocol(name="lemur-1ep", epochs=1, batch=64, lr=0.01, momentum=0.9, seed=0, time_limit_s=900.0)


def _like_lemur(name: str, **changes: Any) -> Protocol:
    return Protocol.model_validate({**_LEMUR_1EP.model_dump(), "name": name, **changes})


_KNOWN = (
    # 1,437 images, 45 batches.
    KnownProtocol(
        Protocol(name="digits-1ep", epochs=1, batch=32, lr=0.01, momentum=0.9, seed=0, time_limit_s=60.0),
        "this project: a quick protocol for the embedded data set",
    ),
    KnownProtocol(_LEMUR_1EP, "LEMUR 2, section 2.2.7; From Memorization to Creativity, section 3 and appendix E"),
    # Its ranking of small networks on Fashion-MNIST agrees with the whole first epoch to a Spearman correlation of
    # about 0.87.
    KnownProtocol(
        _like_lemur("lemur-quick", train_limit=10_000, time_limit_s=240.0),
        "this project: lemur-1ep on 10,000 images, for machines with no GPU",
    ),
    KnownProtocol(
        _like_lemur("lemur-1ep-fast", precision="auto"),
        "this project: lemur-1ep in the precision that the machine is fastest in",
    ),
    # Of 5,000 samples the ranking agrees with the whole first epoch to 0.85, of 20,000 to 0.88 (Spearman).
    KnownProtocol(
        _like_lemur("lemur-rungs", rungs=(5_000, 20_000), precision="auto"),
        "this project: lemur-1ep-fast by successive halving, for data sets of more than 20,000 images",
    ),
    # One epoch of SGD with momentum; the batch "depends on the data set, typically between 64 and 4096": 64 here,
    # the only one that LEMUR 2 names for one epoch, and with it the learning rate and momentum of section 2.2.7.
    KnownProtocol(_like_lemur("fsap"), "LEMUR 2, section 2.2.6 and supplement 10.2.1 (few-shot prompting)"),
    # SGD, learning rate 0.01, batch 16, momentum 0.9, dropout 0.2, five epochs, "norm + flip", mixed
    # precision. Five epochs of batch 16 take longer than a time limit that was made for one of 64.
    KnownProtocol(
        _like_lemur(
            "fractal-5ep",
            epochs=5,
            batch=16,
            transform="norm_flip",
            precision="auto",
            prm={"dropout": 0.2},
            time_limit_s=7_200.0,
        ),
        "LEMUR 2, section 2.2.4 and supplement 8.4.1, 8.4.2 (fractal networks)",
    ),
    # Batch 64, learning rate 0.01, momentum 0.9, dropout 0.2, one epoch; the transform is what is varied.
    KnownProtocol(
        _like_lemur("transform-1ep", prm={"dropout": 0.2}),
        "LEMUR 2, section 2.2.7 and supplement 11.3 (data transformations)",
    ),
    # "One mini-epoch on CIFAR-10" of a length that the paper does not give; 5,000 images are a tenth of it, and the
    # least that ranks small networks to a Spearman correlation of 0.85.
    KnownProtocol(
        _like_lemur("rl-mini-epoch", train_limit=5_000, time_limit_s=120.0),
        "LEMUR 2, section 2.2.2 and supplement 6.3 (reinforcement learning); the length is this project's",
    ),
    # The champions' accuracies are those of one epoch; learning rate, momentum and dropout are genes, given for each
    # individual by protocol("ga-1ep", lr=…, momentum=…, prm={"dropout": …}).
    KnownProtocol(
        _like_lemur("ga-1ep", prm={"dropout": 0.2}),
        "LEMUR 2, section 2.2.3 and supplement 7.2, 7.3 (genetic algorithm)",
    ),
    # Batch 128, SGD from 0.01 with momentum 0.9, 50 epochs; schedules and clipping are the networks' own.
    KnownProtocol(
        _like_lemur("moe-50ep", epochs=50, batch=128, time_limit_s=86_400.0),
        "LEMUR 2, section 2.1.4 and supplement 4.3 (mixtures of experts, homogeneous and AlexNet)",
    ),
)
_BY_NAME = {known.protocol.name: known for known in _KNOWN}


def known_protocols() -> tuple[str, ...]:
    """Names of all protocols."""
    return tuple(_BY_NAME)


def source_of(name: str) -> str:
    """Where a named protocol's constants are from.

    Raises:
        ValueError: the name is unknown.
    """
    return _known(name).source


def protocol(name: str, **overrides: Any) -> Protocol:
    """A named protocol, with single fields replaced.

    Overridden fields change the protocol's hash, so the results never mix with those of the plain one.

    Raises:
        ValueError: the name is unknown, or a field does not exist or has a value that it cannot have.
    """
    return changed(_known(name).protocol, **overrides)


def changed(base: Protocol, **overrides: Any) -> Protocol:
    """A protocol with single fields replaced, checked as :func:`protocol` checks it.

    Raises:
        ValueError: a field does not exist, or has a value that it cannot have.
    """
    made = Protocol.model_validate({**base.model_dump(), **overrides})
    _check_transform(made.transform)
    _check_prm(made.prm)
    if list(made.rungs) != sorted(set(made.rungs)) or any(rung < 1 for rung in made.rungs):
        raise ValueError(f"rungs must be numbers of training samples that grow, not {made.rungs}")
    if made.train_limit is not None:
        _check_rungs(made, made.train_limit)
    return made


def check_fits(chosen: Protocol, info: TaskInfo) -> None:
    """See that a protocol can be used on a data set.

    Raises:
        ValueError: a rung is no smaller than the training split.
    """
    _check_rungs(chosen, min(info.train_size, chosen.train_limit or info.train_size))


def default_protocol(dataset: str) -> Protocol:
    """The protocol that a campaign on this data set uses when none is named.

    Raises:
        UnknownDataset: with the list of known names.
    """
    return protocol("digits-1ep" if task_info(dataset).dataset == "digits" else "lemur-1ep")


def _known(name: str) -> KnownProtocol:
    if name not in _BY_NAME:
        raise ValueError(f"unknown protocol {name!r}; known are: {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def _check_transform(name: str) -> None:
    if name != Protocol.model_fields["transform"].default:
        from .payload.transforms import resolve  # here, because it imports torchvision

        resolve(name)


def _check_prm(prm: dict[str, float | int]) -> None:
    own = sorted(OWN_FIELDS & prm.keys())
    if own:
        raise ValueError(f"prm is for further hyperparameters; {', '.join(own)}: set the protocol's own field")
    endless = sorted(key for key, value in prm.items() if not math.isfinite(value))
    if endless:
        raise ValueError(f"prm must hold finite numbers: {', '.join(endless)}")


def _check_rungs(chosen: Protocol, size: int) -> None:
    if chosen.rungs and chosen.rungs[-1] >= size:
        raise ValueError(
            f"protocol {chosen.name} has a rung of {chosen.rungs[-1]:,} samples, but the whole training has {size:,}: "
            "rungs must be smaller"
        )
