"""Where a block can stand in a network: its submodules with their shapes, as the sandbox saw them."""

from __future__ import annotations

import re
from typing import Any, Final

from ...memory.types import Frozen, Task
from ...sandbox.protocol import Job, Limits, Outcome, Sandbox
from .. import outcomes
from ..execution import VALIDATION_LIMITS, classes_of, refuse

_PRM: Final[dict[str, float | int]] = {"lr": 0.01, "momentum": 0.9, "batch": 32, "epoch": 1}
_PATH: Final = re.compile(r"[A-Za-z_]\w*(\.\w+)*")
_MOST: Final = 256
_LEAST_SIZE: Final = 2  # pixels of height and width; on a single one most blocks have nothing to do
_LEAST_CHANNELS: Final = 2
_LAYERS: Final = frozenset({"Conv2d"})
"""Single layers that count as a stage. Others (norms, activations, pooling) are parts of one."""


class Place(Frozen):
    """One stage of a network that a block can stand for.

    Attributes:
        path: of the submodule, as ``named_modules`` tells it: ``features.3``.
        kind: its class.
        before, after: (channels, height, width) that go in and come out.
    """

    path: str
    kind: str
    before: tuple[int, int, int]
    after: tuple[int, int, int]
    params: int = 0


class NoPlaces(ValueError):
    """A network has no stage that a block could stand for; the message says why."""


def find_places(sandbox: Sandbox, source: str, task: Task, limits: Limits = VALIDATION_LIMITS) -> list[Place]:
    """The stages of a network on feature maps, in the order of the forward definition.

    Args:
        sandbox: made with :func:`..execution.validation_image` or ``training.evaluation_image``.

    Raises:
        NoPlaces: the network does not run, or works on no feature maps.
    """
    stop = refuse(source)
    if stop is not None:
        raise NoPlaces(f"{stop.error_class}: {stop.message}")
    payload = {
        "source": source,
        "in_shape": list(task.in_shape),
        "classes": classes_of(task),
        "prm": _PRM,
        "batch": _PRM["batch"],
    }
    outcome = sandbox.run(Job(handler="module_shapes.run", payload=payload, limits=limits))
    places = [place for place in _read(outcome, limits) if place is not None]
    if not places:
        raise NoPlaces("no stage of it works on feature maps (batch, channels, height, width)")
    return places


def _read(outcome: Outcome, limits: Limits) -> list[Place | None]:
    """What can be believed of what the sandbox told: a lie leads to a graft that fails its validation."""
    stop = outcomes.stop_of(outcome, limits)
    if stop is not None:
        raise NoPlaces(f"{stop.error_class}: {stop.message}")
    told = outcome.result
    modules = told.get("modules") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(modules, list):
        raise NoPlaces("ResultLimit: its result was malformed")
    if told.get("error_class") is not None:
        raise NoPlaces(f"{outcomes.name(told['error_class'])}: {outcomes.text(told.get('message'))}")
    return [_place(one) for one in modules[:_MOST]]


def _place(told: Any) -> Place | None:
    if not isinstance(told, dict) or not isinstance(told.get("path"), str) or not _PATH.fullmatch(told["path"]):
        return None
    before, after = _map(told.get("inputs")), _map(told.get("outputs"))
    kind, params = outcomes.name(told.get("kind")), outcomes.count(told.get("params"))
    if before is None or after is None or params is None:
        return None
    if told.get("leaf") is not False and kind not in _LAYERS:
        return None
    return Place(path=told["path"], kind=kind, before=before, after=after, params=params)


def _map(told: Any) -> tuple[int, int, int] | None:
    """Shape of a feature map without the batch; ``None`` for anything else, or one too small."""
    if not isinstance(told, list) or len(told) != 4:
        return None
    sizes = [outcomes.count(size, most=100_000) for size in told[1:]]
    channels, height, width = sizes
    if channels is None or height is None or width is None:
        return None
    if channels < _LEAST_CHANNELS or min(height, width) < _LEAST_SIZE:
        return None
    return channels, height, width
