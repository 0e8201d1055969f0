"""One graft: a block of the library in place of a stage of a network, tried in the sandbox until one stands."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import libcst as cst

from ...memory.block_types import Block
from ...memory.types import Frozen, RequestLimits, Task, Verdict
from ...sandbox.protocol import Sandbox
from ..execution import MAX_SOURCE_BYTES, Validator
from .fitting import HELPERS, Fit, fits
from .joining import CannotJoin, apart, join, names_bound
from .places import NoPlaces, Place, find_places

TRIES: Final = 4
"""Validations before a block is given up for a network."""


class Grafted(Frozen):
    """A network with a block in it that passed validation.

    Attributes:
        source: text of the network.
        path: of the stage that the block stands for.
        note: what was done, in words.
        tries: validations that it took.
    """

    source: str
    block_id: str
    path: str
    note: str
    verdict: Verdict
    tries: int


class GraftFailed(ValueError):
    """No way to put the block into the network passed; the message says why the last one did not."""


class Grafting:
    """Puts blocks into networks of one task.

    Args:
        sandbox: where networks are looked at; made for validation or evaluation.
        validator: over the same sandbox.
        task: as a network sees it.
        request_limits: which a graft must keep.
        tries: validations per block and network.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        validator: Validator,
        task: Task,
        request_limits: RequestLimits | None = None,
        tries: int = TRIES,
    ) -> None:
        self._sandbox = sandbox
        self._validator = validator
        self._task = task
        self._limits = request_limits
        self._tries = tries

    @property
    def workers(self) -> int:
        """Grafts that can be tried at the same time."""
        return self._sandbox.workers

    def places(self, source: str) -> list[Place]:
        """Stages of a network that a block can stand for.

        Raises:
            NoPlaces: it has none.
        """
        return find_places(self._sandbox, source, self._task)

    def graft(self, source: str, block: Block, rng: random.Random) -> Grafted:
        """The network with the block in place of a stage. The same ``rng`` state gives the same graft.

        Raises:
            GraftFailed: nothing that was tried passed validation.
        """
        try:
            places = self.places(source)
        except NoPlaces as error:
            raise GraftFailed(str(error)) from error
        reason, tries = "the block was never run on a tensor that fits", 0
        for place, fit in _ways(block, places, rng):
            if tries == self._tries:
                break
            tries += 1
            try:
                text = grafted_source(source, block, place, fit)
            except (CannotJoin, ValueError) as error:
                reason = str(error)
                continue
            verdict = self._validator.validate(text, self._task, self._limits)
            if verdict.ok:
                note = f"{block.qualified} in place of {place.path} ({place.kind}), {_way(fit)}"
                return Grafted(source=text, block_id=block.id, path=place.path, note=note, verdict=verdict, tries=tries)
            reason = verdict.reason
        raise GraftFailed(reason)


def grafted_source(source: str, block: Block, place: Place, fit: Fit) -> str:
    """Text of a network with a block in place of a stage; not validated.

    Raises:
        CannotJoin: the texts do not go together.
        ValueError: the block's arguments cannot be written down, or the text gets too long.
    """
    taken = names_bound(cst.parse_module(source))
    helper = HELPERS.get(fit.layout)
    text, renamed = apart(block.text, taken | ({helper[0]: ""} if helper else {}))
    used = set(taken) | set(names_bound(cst.parse_module(text)))
    names = dict(renamed)
    helpers = []
    if helper:
        names[helper[0]] = _free(helper[0], used)
        helpers.append(helper[1].replace("{name}", names[helper[0]]))
    if taken.get("nn") not in ("torch.nn",):
        raise CannotJoin("the network does not import torch.nn as nn")
    made = {"expression": fit.build(lambda name: names.get(name, name))}
    joined = join(source, text, place.path, made, helpers)
    if len(joined.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES:
        raise CannotJoin(f"with the block it has more than {MAX_SOURCE_BYTES} bytes")
    return joined


def _ways(block: Block, places: list[Place], rng: random.Random) -> Iterator[tuple[Place, Fit]]:
    """Places in drawn order, those that keep height and width first; for each all resized ways before the others."""
    drawn = list(places)
    rng.shuffle(drawn)
    drawn.sort(key=lambda place: place.before[1:] != place.after[1:])
    every = [(place, fit) for place in drawn for fit in fits(block, place)]
    # Half of the tries go to either way: a block that cannot be resized must still come to stand as it was built.
    resized = [way for way in every if way[1].resized]
    others = [way for way in every if not way[1].resized]
    for number in range(max(len(resized), len(others))):
        yield from resized[number : number + 1]
        yield from others[number : number + 1]


def _way(fit: Fit) -> str:
    return "with its channels" if fit.resized else "as it was built, between 1x1 convolutions"


def _free(name: str, used: set[str]) -> str:
    if name not in used:
        return name
    number = 2
    while f"{name}_{number}" in used:
        number += 1
    return f"{name}_{number}"
