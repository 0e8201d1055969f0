"""Waiting for trouble to pass: back-off with jitter, a state that says why and until when, and an end to patience."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from langgraph.runtime import RunControl

from ..agents.seeds import derive_seed
from ..memory.records import Records
from ..memory.rows import now
from .journal import Happening, note
from .service_settings import SupervisionSettings
from .standing import Waiting, beat
from .troubles import Trouble, trouble_of

BEAT_S: Final = 2.0
_LOOK_S: Final = 0.1

_log = logging.getLogger(__name__)


class CampaignGaveUp(RuntimeError):
    """A campaign's trouble did not pass in the time that it waits at most; the message says what to do."""


class AttemptControl(RunControl):
    """Drains one attempt of a campaign: by itself, or with the control that it belongs to.

    A control stays drained, so an attempt whose clock failed must not drain the next one.
    """

    __slots__ = ("_whole",)

    def __init__(self, whole: RunControl) -> None:
        super().__init__()
        self._whole = whole

    @property
    def drain_requested(self) -> bool:
        return self._drain_reason is not None or self._whole.drain_requested

    @property
    def drain_reason(self) -> str | None:
        return self._drain_reason or self._whole.drain_reason


class Supervisor:
    """Decides after each failed attempt of a campaign whether to wait and try again, and waits.

    Args:
        folder: the campaign's own.
        seed: the campaign's; the jitter of the waits derives from it.
        tell: called with a trouble when waiting for it begins.
    """

    def __init__(
        self,
        run: str,
        records: Records,
        folder: Path,
        settings: SupervisionSettings,
        *,
        seed: int,
        tell: Callable[[Trouble], None] = lambda trouble: None,
    ) -> None:
        self._run = run
        self._records = records
        self._folder = folder
        self._settings = settings
        self._seed = seed
        self._tell = tell
        self._tries = 0
        self._since = now()
        self._trouble: Trouble | None = None
        self.unpaid_s = 0.0
        """Seconds waited that are not on the campaign's account yet."""

    def went_on(self) -> None:
        """Told when an attempt does work: what was waited for has passed."""
        if self._trouble is None:
            return
        waited = (now() - self._since).total_seconds()
        trouble, tries, self._trouble, self._tries = self._trouble, self._tries, None, 0
        _log.info("went on after %.0f s of trouble (%s)", waited, trouble.kind)
        note(self._folder, Happening(what="recovered", kind=trouble.kind, seconds=round(waited, 1), tries=tries))

    def wait(self, error: BaseException, control: RunControl, *, left_s: float | None = None) -> bool:
        """Wait if the error is trouble that passes; whether to try again.

        Args:
            control: a drain ends the wait at once; then the answer is yes, and the next attempt drains.
            left_s: seconds of wall time that the budget has left: waiting longer makes no sense.

        Raises:
            CampaignGaveUp: it has lasted too long.
        """
        trouble = trouble_of(error) if self._settings.enabled else None
        if trouble is None:
            return False
        before, self._trouble, self._tries = self._trouble, trouble, self._tries + 1
        if before is None:
            self._since, self._tries = now(), 1
        if before is None or before.kind != trouble.kind:
            # Patience counts from the last work that was done: troubles that take turns would else never end it.
            note(self._folder, Happening(what="waiting", kind=trouble.kind, reason=trouble.reason))
        lasted = (now() - self._since).total_seconds()
        if lasted >= self._settings.give_up_s:
            raise CampaignGaveUp(
                f"gave up after {lasted:.0f} s and {self._tries} tries: {trouble.reason}; {trouble.advice}"
            ) from error
        seconds = min(self.delay_s(self._tries, trouble), self._settings.give_up_s - lasted)
        seconds = seconds if left_s is None else min(seconds, max(0.0, left_s))
        begun = time.monotonic()
        self._wait(trouble, seconds, control)
        self.unpaid_s += time.monotonic() - begun
        return True

    def delay_s(self, tries: int, trouble: Trouble) -> float:
        """Seconds before the next try: doubled with each, at most ``most_s``, and drawn from their upper half.

        What the server asks for by ``Retry-After`` is heeded where it is longer.
        """
        full = min(self._settings.most_s, self._settings.first_s * 2.0 ** min(tries - 1, 60))
        drawn = random.Random(derive_seed(self._seed, "wait", trouble.kind, tries)).uniform(0.5, 1.0) * full
        return max(drawn, trouble.retry_after_s or 0.0)

    def _wait(self, trouble: Trouble, seconds: float, control: RunControl) -> None:
        until = now() + timedelta(seconds=seconds)
        told = Waiting(
            kind=trouble.kind,
            reason=f"{trouble.reason}; {trouble.advice}",
            tries=self._tries,
            since=self._since,
            next_try=until,
        )
        reason = f"waiting ({trouble.kind}) until {until:%H:%M:%S} UTC, try {self._tries + 1}: {told.reason}"
        _log.warning("%s", reason)
        self._say(reason)
        self._beat(told)
        deadline, next_beat = time.monotonic() + seconds, time.monotonic() + BEAT_S
        if self._tries == 1:
            self._tell(trouble)
        while (left := deadline - time.monotonic()) > 0 and not control.drain_requested:
            if time.monotonic() >= next_beat:
                self._beat(told)
                next_beat = time.monotonic() + BEAT_S
            time.sleep(min(_LOOK_S, left))

    def _say(self, reason: str) -> None:
        """The records may be what is in trouble; the heartbeat says the same."""
        try:
            self._records.update_campaign(self._run, state="waiting", stop_reason=reason[:1000])
        except Exception as error:
            if trouble_of(error) is None:
                raise
            _log.warning("the records do not take it down: %s", error)

    def _beat(self, told: Waiting) -> None:
        try:
            beat(self._folder, told)
        except OSError as error:
            _log.warning("no heartbeat: %s", error)
