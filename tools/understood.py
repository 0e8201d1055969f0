"""What a written request was understood as, as data: a request, or what is missing, or why it is refused."""

from __future__ import annotations

from pydantic import Field

from ..memory.types import Frozen, Request, RequestLimits


class Wishes(Frozen):
    """What a request says beside the network itself; ``None`` where it says nothing.

    Attributes:
        train: it asks for training, or for something that only training tells (accuracy, a curve).
        candidates: networks that are asked for ("three variants").
        epochs: length of the training ("train for 5 epochs"); implies ``train``.
        seed: of the random choices ("seed 3").
    """

    train: bool = False
    candidates: int | None = Field(default=None, ge=1)
    epochs: int | None = Field(default=None, ge=1)
    seed: int | None = Field(default=None, ge=0)


class Understood(Frozen):
    """The outcome of :func:`~netwright.tools.understanding.understand`; exactly one of ``request``, ``missing`` and
    ``refusal`` is given.

    Attributes:
        request: the typed request; ``None`` if something is missing or it is refused.
        missing: what to ask the person for; today ``("dataset",)`` or nothing.
        refusal: one sentence or two in English: why, and what to write instead.
        style: one of the generator's styles, or ``any``; given too where something is missing.
        limits: of the network; given too where only the data set is missing.
        notes: what was read as something else, and what was passed over and why, one sentence each.
        language: ISO 639-1 code of the language it seems to be written in; ``en`` where nothing tells.
    """

    request: Request | None = None
    missing: tuple[str, ...] = ()
    refusal: str | None = None
    style: str = "any"
    limits: RequestLimits = RequestLimits()
    notes: tuple[str, ...] = ()
    language: str = "en"
    wishes: Wishes = Wishes()
