"""Repair of a network that somebody else wrote: the rounds of the design graph, for one text.

The text is put on record as the answer of a run of its own, so that what was tried is kept and a repair that was
stopped or killed goes on when it is asked for again.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from ..agents.prompting import header_for
from ..agents.repair import RepairAgent
from ..memory.home import home_folder
from ..memory.records import Records
from ..memory.rows import Cycle, Generation
from ..memory.types import Candidate, Request, ValidBy, Verdict
from .asked import register_design
from .config import Config
from .design import design_id
from .locking import one_process
from .opening import open_design

_SLOT = range(1)


@dataclass(frozen=True)
class Repaired:
    """What came of a repair.

    Attributes:
        before: the verdict on the text as it was given.
        candidate, verdict: the newest text, valid if ``verdict.ok``.
        by: what made it valid: ``generation`` it was, ``cleanup``, ``repair``, or ``none`` of these.
        tries: rounds of repair.
        errors: what each round was given to mend.
        finished: ``False`` if it was stopped; the same call goes on.
    """

    run: str
    before: Verdict
    candidate: Candidate
    verdict: Verdict
    by: ValidBy
    tries: int
    errors: tuple[str, ...]
    finished: bool


def repair_source(
    source: str,
    request: Request,
    config: Config,
    records: Records,
    *,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[str], None] = lambda what: None,
) -> Repaired:
    """Bring a text to a valid network in at most ``campaign.repair_tries`` rounds.

    Args:
        stopping: asked between steps.
        progress: told what is being done.

    Raises:
        SandboxUnavailable: the sandbox cannot run here.
        CampaignBusy: another process repairs the same text.
    """
    digest = hashlib.sha256(json.dumps([source, design_id(request, config)]).encode("utf-8", "surrogatepass"))
    run = f"repair-{digest.hexdigest()[:16]}"
    register_design(request, config, run, records)
    records.add_candidate(Candidate(source=source, origin="hand-"))
    with ExitStack() as stack:
        stack.enter_context(one_process(home_folder("designs", run), run))
        progress("starting the sandbox and the model")
        services = stack.enter_context(open_design(request, config, run, records, train=False))
        records.update_campaign(run, state="running", stop_reason=None)
        records.put_cycle(Cycle(campaign_id=run, n=1))
        # A completion model is asked by the line that its own programs begin with.
        header = header_for(request, random.Random(config.campaign.seed)).render()
        records.put_generation(Generation(campaign_id=run, cycle=1, slot=0, prompt=header, answer=source))
        finished = _rounds(run, services.repairer, stopping, progress)
    state, reason = ("complete", "answered") if finished else ("stopped", "stopped by the caller")
    records.update_campaign(run, state=state, stop_reason=reason)
    return _answer(run, request, records, finished)


def _rounds(run: str, repairer: RepairAgent, stopping: Callable[[], bool], progress: Callable[[str], None]) -> bool:
    """Judge and rewrite in turn until nothing is left to do; whether it came to that."""
    attempt: int | None = 0
    while attempt is not None:
        progress(f"round {attempt}: validating" if attempt else "validating")
        for slot in repairer.open_slots(run, 1):
            repairer.judge(run, 1, slot)
        if stopping():
            return False
        attempt = repairer.next_round(run, 1, _SLOT)
        if attempt is not None:
            progress(f"round {attempt}: mending")
            repairer.rewrite(run, 1, _SLOT, attempt)
    return True


def _answer(run: str, request: Request, records: Records, finished: bool) -> Repaired:
    """What the records say of a repair."""
    generation, stored = records.get_generation(run, 1, 0), records.get_campaign(run)
    assert generation is not None  # it was put down before the first round
    assert generation.raw_candidate_id is not None  # and judged
    assert generation.candidate_id is not None
    key = request.task.id, stored.limits_hash
    before = records.get_verdict(generation.raw_candidate_id, *key)
    verdict = records.get_verdict(generation.candidate_id, *key)
    candidate = records.get_candidate(generation.candidate_id)
    assert before is not None
    assert verdict is not None
    assert candidate is not None
    tried = sorted(records.repairs(run, 1), key=lambda one: one.try_no)
    return Repaired(
        run=run,
        before=before,
        candidate=candidate,
        verdict=verdict,
        by=generation.valid_by,
        tries=generation.repair_tries,
        errors=tuple(one.error for one in tried),
        finished=finished,
    )
