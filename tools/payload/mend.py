"""What is wrong with a candidate that fails, and the deterministic change that makes it run.

Handler ``mend.run``. Payload: that of ``validate.run``, and ``seconds``, the CPU time that the search may take. The
candidate is built and run under watch; rules propose edits; each is tried here, and the first text that runs is taken.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from . import fault, name_edits, shape_edits, syntax_edits, width_edits
    from .splice import Edit
else:  # In the worker these are top-level modules.
    import fault
    import name_edits
    import shape_edits
    import syntax_edits
    import width_edits
    from splice import Edit

MAX_STEPS = 8
"""Edits on top of each other."""
MAX_EDITS = 14
"""Edits that are tried for one failure."""
MAX_TRIED = 60
"""Texts that are run in all."""
MAX_BYTES = 64 * 1024
MAX_SECONDS = 8.0


def run(payload: dict[str, Any], data: dict[str, torch.Tensor], note: Callable[[str], None]) -> dict[str, Any]:
    """Diagnose one candidate and search for an edit that mends it. Never raises for what the candidate does.

    Returns:
        ``fault``: how it fails (see :func:`told`), null if it does not; ``steps``: the edits on the way to the mended
        text, each with ``rule``, ``line``, ``what``, ``was``, ``now``; ``mended``: the text, null where none runs;
        ``tried``: texts that were run.
    """
    until = time.thread_time() + min(MAX_SECONDS, float(payload["seconds"]))
    source = payload["source"]
    if not isinstance(source, str) or len(source.encode("utf-8", "replace")) > MAX_BYTES:
        return {"fault": None, "steps": [], "mended": None, "tried": 0}
    found = fault.attempt(source, payload)
    note(found.stage)
    first = None if found.ok else told(found)
    steps, mended, tried = _search(found, payload, until) if first else ([], None, 1)
    return {"fault": first, "steps": [_step(one) for one in steps], "mended": mended, "tried": tried}


def _search(start: fault.Fault, payload: dict[str, Any], until: float) -> tuple[list[Edit], str | None, int]:
    """Edits that lead to a text that runs, the text, texts tried; the furthest way and no text where none runs.

    Best first: gone on from is what got furthest, and of those the least changed.
    """
    number, tried, seen = 0, 1, {start.source}
    waiting: list[tuple[tuple[int, ...], int, int, fault.Fault, list[Edit]]] = [((), 0, 0, start, [])]
    furthest, best = start.progress, list[Edit]()
    while waiting and tried < MAX_TRIED and time.thread_time() < until:
        _, cost, _, found, steps = heapq.heappop(waiting)
        for edit in edits(found) if len(steps) < MAX_STEPS else ():
            if tried >= MAX_TRIED or time.thread_time() > until:
                break
            if edit.source in seen:
                continue
            seen.add(edit.source)
            after, way = fault.attempt(edit.source, payload), [*steps, edit]
            tried, number = tried + 1, number + 1
            if after.ok:
                return way, edit.source, tried
            if after.progress > found.progress:
                rank = tuple(-part for part in after.progress)
                heapq.heappush(waiting, (rank, cost + edit.cost, number, after, way))
            if after.progress > furthest:
                furthest, best = after.progress, way
    return best, None, tried


def edits(found: fault.Fault) -> list[Edit]:
    """Edits for a failure, the gentlest first, each text once."""
    if found.stage == "parse":
        return syntax_edits.syntax_edits(found.source)
    proposed = sorted(_proposed(found), key=lambda edit: edit.cost)
    once = {edit.source: edit for edit in reversed(proposed) if edit.source != found.source}
    return sorted(once.values(), key=lambda edit: edit.cost)[:MAX_EDITS]


def _proposed(found: fault.Fault) -> Iterator[Edit]:
    program = found.program()
    if program is None:
        return
    for rules in (name_edits.name_edits, width_edits.width_edits, shape_edits.shape_edits):
        try:
            yield from rules(found, program)
        # The candidate's own objects are looked at, and may raise anything; the other rules still count.
        except Exception:
            continue


def told(found: fault.Fault) -> dict[str, Any]:
    """A failure as JSON.

    Returns:
        ``stage``, ``error_class``, ``message``, ``line``; and of the layer that was running: ``path`` (qualified name),
        ``kind``, ``built`` (line of the call that makes it), ``argument``, ``expected``, ``found``, ``shape`` (of its
        input), as far as they are known.
    """
    wrong = found.mismatch()
    module = wrong.module if wrong else found.seen.running[-1].module if found.seen.running else None
    frames = found.seen.births.get(id(module), ()) if module is not None else ()
    shape = wrong.shape if wrong else found.seen.running[-1].shape if found.seen.running else ()
    return {
        "stage": found.stage,
        "error_class": found.kind,
        "message": found.message,
        "line": found.line,
        "path": found.seen.path(found.net, module)[:200] if module is not None else "",
        "kind": type(module).__name__[:80] if module is not None else "",
        "built": frames[0].line if frames else None,
        "argument": wrong.argument if wrong else "",
        "expected": wrong.expected if wrong else None,
        "found": wrong.found if wrong else None,
        "shape": [int(size) for size in shape[:8]],
    }


def _step(edit: Edit) -> dict[str, Any]:
    return {"rule": edit.rule, "line": edit.line, "what": edit.what, "was": edit.was[:200], "now": edit.now[:200]}
