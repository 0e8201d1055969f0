"""Training protocols by name. Two results compare only under the same protocol."""

from __future__ import annotations

from typing import Any

from ..memory.types import Protocol
from .tasks import task_info

# digits-1ep: this project's own quick protocol for the embedded data set (1,437 images, 45 batches).
_DIGITS_1EP = Protocol(name="digits-1ep", epochs=1, batch=32, lr=0.01, momentum=0.9, seed=0, time_limit_s=60.0)

# lemur-1ep: one epoch is the performance signal of "From Memorization to Creativity", section 3.2, which
# leaves out the optimiser's constants; they are those of the one-epoch runs in "LEMUR 2", section 2.2.7
# (batch 64, learning rate 0.01, momentum 0.9). The seed and the time limit are this project's; LEMUR sets
# neither.
_LEMUR_1EP = Protocol(name="lemur-1ep", epochs=1, batch=64, lr=0.01, momentum=0.9, seed=0, time_limit_s=900.0)

# lemur-quick: lemur-1ep on 10,000 training images, for machines with no GPU. On Fashion-MNIST its ranking of
# small networks agrees with the whole first epoch to a Spearman correlation of about 0.87.
_LEMUR_QUICK = _LEMUR_1EP.model_copy(update={"name": "lemur-quick", "train_limit": 10_000, "time_limit_s": 240.0})

_KNOWN = {known.name: known for known in (_DIGITS_1EP, _LEMUR_1EP, _LEMUR_QUICK)}
TRANSFORMS = ("normalise",)
"""Image transforms of the trainer: ``normalise`` subtracts the data set's mean, divides by its spread."""


def known_protocols() -> tuple[str, ...]:
    """Names of all protocols."""
    return tuple(_KNOWN)


def protocol(name: str, **overrides: Any) -> Protocol:
    """A named protocol, with single fields replaced.

    Overridden fields change the protocol's hash, so the results never mix with those of the plain one.

    Raises:
        ValueError: the name is unknown, or a field does not exist or has a value that it cannot have.
    """
    base = _KNOWN.get(name)
    if base is None:
        raise ValueError(f"unknown protocol {name!r}; known are: {', '.join(_KNOWN)}")
    made = Protocol.model_validate({**base.model_dump(), **overrides})
    if made.transform not in TRANSFORMS:
        raise ValueError(f"unknown transform {made.transform!r}; known are: {', '.join(TRANSFORMS)}")
    return made


def default_protocol(dataset: str) -> Protocol:
    """The protocol that a campaign on this data set uses when none is named.

    Raises:
        UnknownDataset: with the list of known names.
    """
    return protocol("digits-1ep" if task_info(dataset).dataset == "digits" else "lemur-1ep")
