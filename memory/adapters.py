"""Adapters on disk: one folder per cycle, complete or not there at all. The records say which count."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

from .files import flush_folder
from .home import home
from .records import Records, RecordsError
from .rows import Adapter

_UNFINISHED: Final = ".unfinished-"
_STAGED: Final = ".staged-"
_AT_WORK: Final = ".at-work-"
_VERSION: Final = re.compile(r"cycle-(\d{3,})(?:-v(\d+))?")


class AdapterStore:
    """The adapters of one campaign, below ``<data directory>/campaigns/<id>/adapters``.

    Write into the folder that :meth:`begin` gives, then :meth:`commit`: the folder gets its final name in
    one step and the records name it. A process killed between the two leaves a folder that no record names;
    :meth:`begin` clears it away. Rolled-back adapters stay on disk and are not written over.
    """

    def __init__(self, records: Records, campaign_id: str, root: Path | None = None) -> None:
        campaign = records.get_campaign(campaign_id)  # its id was checked to be a plain name
        self._records = records
        self._campaign = campaign.id
        self._root = (root or home()) / "campaigns" / campaign.id / "adapters"

    def begin(self, cycle: int) -> Path:
        """An empty folder to write the adapter of ``cycle`` into.

        Raises:
            RecordsError: the cycle has an active adapter already.
        """
        if self.path(cycle) is not None:
            raise RecordsError(
                f"campaign {self._campaign} has an adapter of cycle {cycle}: roll back before tuning it again"
            )
        folder = self._unfinished(cycle)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return folder

    def commit(self, cycle: int, *, parent: int | None = None, metrics: dict[str, Any] | None = None) -> Adapter:
        """Make what was written into the folder of :meth:`begin` the adapter of ``cycle``.

        Done again after it was done, it returns what is stored.

        Args:
            parent: cycle of the adapter that tuning went on from; ``None`` for the base model.
            metrics: what the record keeps of the tuning, JSON values.

        Raises:
            RecordsError: nothing was written.
        """
        stored = self.find(cycle)
        if stored is not None:
            self._clear(cycle)
            return stored
        folder = self._unfinished(cycle)
        if not folder.is_dir() or not any(folder.iterdir()):
            raise RecordsError(f"no adapter of cycle {cycle} was written to {folder}: call begin, then save")
        flush_folder(folder)
        final = self._free_name(cycle)
        os.rename(folder, final)
        adapter = self._records.put_adapter(
            Adapter(
                campaign_id=self._campaign,
                cycle=cycle,
                path=str(final),
                parent=parent,
                metrics=metrics or {},
            )
        )
        self._clear(cycle)
        return adapter

    def staged(self, cycle: int, name: str, write: Callable[[Path], object]) -> Path:
        """Folder of an intermediate result on the way to the adapter of ``cycle``, written once.

        It is complete or not there at all, as adapters are, so that a step after it can be redone without it. The
        commit of the cycle clears it away.

        Args:
            name: says what it is and what it came from; another name is another result.
            write: writes it into the empty folder that it is given.
        """
        final = self._root / f"{_STAGED}cycle-{cycle:03d}-{name}"
        if not final.is_dir():
            part = self._root / f"{_UNFINISHED}{final.name}"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            write(part)
            flush_folder(part)
            os.rename(part, final)
        return final

    def at_work(self, cycle: int, name: str) -> Path:
        """Folder for what a training on the way to the adapter of ``cycle`` goes on from after a stop or a kill.

        It may not be there yet. The commit of the cycle clears it away.

        Args:
            name: says which training it is.
        """
        return self._root / f"{_AT_WORK}cycle-{cycle:03d}-{name}"

    def find(self, cycle: int) -> Adapter | None:
        """The active adapter of a cycle."""
        for adapter in self._records.adapters(self._campaign):
            if adapter.cycle == cycle and adapter.state == "active":
                return adapter
        return None

    def path(self, cycle: int) -> Path | None:
        """Folder of the active adapter of a cycle."""
        adapter = self.find(cycle)
        return None if adapter is None else _existing(adapter)

    def latest(self) -> Adapter | None:
        """The newest active adapter; ``None`` when the base model is to be used.

        Raises:
            RecordsError: its folder is gone.
        """
        adapter = self._records.active_adapter(self._campaign)
        if adapter is not None:
            _existing(adapter)
        return adapter

    def rollback(self, to_cycle: int) -> Adapter | None:
        """Take back every adapter of a later cycle; the one in force then (``None``: the base model)."""
        self._records.rollback_adapters(self._campaign, to_cycle)
        return self.latest()

    def prune(self, newest: int, needed: Collection[str] = ()) -> list[int]:
        """Delete adapters that nothing will go on from; the cycles whose adapters went.

        The ``newest`` active ones stay: so many cycles in a row can be taken back. Of those that were rolled back, the
        ones of these cycles stay as well. A kill between record and file leaves a folder that the next call deletes.

        Args:
            needed: folders that stay although they are older.
        """
        stored = self._records.adapters(self._campaign)
        active = [one.cycle for one in stored if one.state == "active"][-newest:]
        if len(active) < newest:
            return []
        gone = [one for one in stored if one.cycle < active[0] and one.path not in needed]
        fresh = [one.cycle for one in gone if one.state != "pruned"]
        self._records.forget_adapters(self._campaign, fresh)
        for one in gone:
            folder = Path(one.path)
            if folder.parent == self._root and folder.is_dir():
                aside = self._root / f"{_UNFINISHED}pruned-{folder.name}"
                shutil.rmtree(aside, ignore_errors=True)
                os.rename(folder, aside)  # whole or not there at all
        for aside in self._root.glob(f"{_UNFINISHED}pruned-*"):
            shutil.rmtree(aside)
        return fresh

    def _clear(self, upto: int) -> None:
        """Delete what the trainings of a cycle, and of those before it, left to go on from."""
        for kind in (_STAGED, _AT_WORK):
            for left in self._root.glob(f"{kind}cycle-*"):
                if int(left.name.removeprefix(f"{kind}cycle-").partition("-")[0]) <= upto:
                    shutil.rmtree(left, ignore_errors=True)

    def _unfinished(self, cycle: int) -> Path:
        return self._root / f"{_UNFINISHED}cycle-{cycle:03d}"

    def _free_name(self, cycle: int) -> Path:
        """``cycle-003``, or ``cycle-003-v2`` if a rolled-back or orphaned one has that name."""
        taken = [0]
        for folder in self._root.iterdir():
            found = _VERSION.fullmatch(folder.name)
            if found and int(found[1]) == cycle:
                taken.append(int(found[2] or 1))
        version = max(taken) + 1
        return self._root / (f"cycle-{cycle:03d}" + (f"-v{version}" if version > 1 else ""))


def _existing(adapter: Adapter) -> Path:
    path = Path(adapter.path)
    if not path.is_dir():
        raise RecordsError(
            f"the adapter of cycle {adapter.cycle} is recorded at {path}, which is gone: roll back to an earlier one"
        )
    return path
