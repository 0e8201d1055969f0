"""What a model read into a message, put where the deterministic reading left something open, and checked like it."""

from __future__ import annotations

from ..memory.types import Request, RequestLimits
from ..tools.tasks import task
from ..tools.understanding import Understood, understand
from .asking import Told
from .plans import Reading


def filled(understood: Understood, told: Told, text: str) -> Understood:
    """A request with what the model adds: data set, limits, style, wishes where none were found.

    A refusal stands: a model that drops a wish which cannot be held would make it look fulfilled.
    """
    if understood.refusal is not None or told.kind != "new":
        return understood
    dataset = understood.request.task.dataset if understood.request else told.dataset
    if dataset is None:
        return understood
    limits = _limits(understood.limits, told)
    refused = _refused(dataset, limits)
    if refused is not None:
        return Understood(refusal=refused, language=understood.language)
    wishes = understood.wishes
    changes = {
        "train": wishes.train or told.train,
        "epochs": wishes.epochs or told.epochs,
        "candidates": wishes.candidates or told.candidates,
    }
    return Understood(
        request=Request(task=task(dataset), limits=limits, text=text.strip()),
        limits=limits,
        style=understood.style if understood.style != "any" else told.style or "any",
        notes=understood.notes,
        language=understood.language,
        wishes=wishes.model_copy(update=changes),
    )


def filled_reading(reading: Reading, told: Told) -> Reading:
    """A follow-up as the model reads it, where it was not understood; a style that it adds, where it was."""
    if reading.refusal is not None or reading.kind == "new":
        return reading
    if reading.kind == "vary":
        adds = reading.style == "any" and reading.without is None and told.kind == "vary"
        return reading.model_copy(update={"style": told.style or "any"}) if adds else reading
    if reading.kind != "unclear" or told.kind in ("unclear", "new", "back"):
        return reading
    changes = {
        "kind": told.kind,
        "refers": reading.refers or told.refers,
        "aims": told.aims,
        "dataset": told.dataset,
        "limits": _limits(RequestLimits(), told),
        "style": told.style or "any",
        "without": told.without,
        "train": told.train,
        "epochs": told.epochs,
        "candidates": told.candidates,
    }
    return reading.model_copy(update=changes)


def _limits(found: RequestLimits, told: Told) -> RequestLimits:
    """The limits that were found; the model's where there were none."""
    if found != RequestLimits():
        return found
    return RequestLimits(min_params=told.min_params, max_params=told.max_params)


def _refused(dataset: str, limits: RequestLimits) -> str | None:
    """Why limits cannot be met, by the same rules as for a request in words."""
    least = f"at least {limits.min_params} parameters" if limits.min_params else ""
    most = f"at most {limits.max_params} parameters" if limits.max_params else ""
    said = " and ".join(filter(None, [least, most]))
    return understand(f"{dataset}: {said}").refusal if said else None
