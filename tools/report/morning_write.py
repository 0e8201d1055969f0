"""A morning report as Markdown and as one HTML page, with the networks and the settings that it names beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ...memory.files import write_whole
from .morning import NETWORKS_FOLDER, SETTINGS_FILE
from .morning_model import Morning
from .pages import page
from .text import duration, moment, number, percent, shown


class MorningFiles(NamedTuple):
    """Where it was written."""

    html: Path
    markdown: Path


def write_morning_files(morning: Morning, config: dict[str, Any], folder: Path) -> MorningFiles:
    """Write the page and the Markdown, ``config.yaml`` and ``networks/*.py``, each in one step; paths of the first."""
    (folder / NETWORKS_FOLDER).mkdir(parents=True, exist_ok=True)
    for one in morning.found:
        write_whole(folder / one.file, one.code.encode("utf-8", "backslashreplace"))
    write_whole(folder / SETTINGS_FILE, yaml.safe_dump(config, sort_keys=False).encode())
    files = MorningFiles(folder / "morning.html", folder / "morning.md")
    write_whole(files.html, morning_html(morning).encode("utf-8", "backslashreplace"))
    write_whole(files.markdown, morning_markdown(morning).encode("utf-8", "backslashreplace"))
    return files


def morning_html(morning: Morning) -> str:
    """One page without scripts, which loads nothing. All text of models is escaped."""
    return page("morning.html.j2", {"score": _score}, morning=morning, summary=summary(morning))


def morning_markdown(morning: Morning) -> str:
    """The same as the page, for a terminal or a message."""
    parts = [f"# {morning.campaign}: {morning.state}", *map(_cell, summary(morning)), "## Found"]
    rows = [
        (
            f"[{_cell(one.name)}]({one.file})",
            _score(one.metric),
            number(one.params),
            str(one.cycle),
            "yes" if one.front else "",
        )
        for one in morning.found
    ]
    parts.append(_table(("network", morning.metric, "parameters", "cycle", "front"), rows) or "Nothing yet.")
    parts.append("## Failed, and why")
    failed = [_cells(one.step, one.error_class, str(one.count), one.example[:160]) for one in morning.failures]
    parts.append(_table(("step", "class", "times", "example"), failed) or "Nothing.")
    parts.append("## Interruptions")
    broken = [
        _cells(moment(one.at), one.what, "–" if one.seconds is None else duration(one.seconds), one.reason[:300])
        for one in morning.interruptions
    ]
    parts.append(_table(("when", "what", "how long", "why"), broken) or "None.")
    parts.append("## Try next")
    for one in morning.advice:
        told = f"- **{_cell(one.what)}**: {_cell(one.why)}"
        parts.append(told + (f"\n\n      {one.command}" if one.command else ""))
    return "\n\n".join(parts) + "\n"


def summary(morning: Morning) -> list[str]:
    """A night in three sentences."""
    means = [mean for mean in morning.means if mean is not None]
    trend = f", mean {morning.metric} {_score(means[0])} → {_score(means[-1])}" if means else ""
    best = f", best {_score(morning.found[0].metric)}" if morning.found else ""
    waited = f", {duration(morning.waited_s)} of it waiting" if morning.waited_s else ""
    return [
        f"{morning.candidates} networks on {morning.dataset} in {morning.cycles} cycles: {percent(morning.valid)} % "
        f"valid as written, {morning.trained} trained, {morning.admitted} admitted{trend}{best}.",
        f"{duration(morning.wall_s)} of running{waited}, {morning.tokens} tokens, {morning.disk_mb:.1f} MiB of disk.",
        f"Why it ended: {' '.join(shown(morning.reason).split()) or 'it has not ended'}.",
    ]


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(*texts: str) -> tuple[str, ...]:
    return tuple(map(_cell, texts))


def _cell(text: str) -> str:
    """Hostile text in one cell: no line, column, tag, link or picture, which a viewer would load, begins in it."""
    plain = " ".join(shown(text).split()).replace("\\", "\\\\")
    return plain.replace("|", "\\|").replace("<", "&lt;").replace("`", "'").replace("[", "\\[")


def _score(value: float) -> str:
    return f"{value:.4f}"
