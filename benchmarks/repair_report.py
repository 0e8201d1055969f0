"""The table of ``benchmarks/repair.py``: repaired by error class, with and without hints, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netwright.tools.pretraining.benchmark import Share
from netwright.tools.statistics import t_interval
from scipy.stats import binomtest

Outcome = Mapping[str, Any]


def report(
    rows: Sequence[Mapping[str, Any]], arms: Mapping[str, Sequence[Outcome]], natural: Mapping[str, int]
) -> dict[str, Any]:
    """Counts with Wilson intervals by error class and arm.

    Args:
        rows: the broken programs.
        arms: what became of each, by the name of the arm.
        natural: how often each class came when the model was sampled: the programs were chosen evenly.
    """
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    document: dict[str, Any] = {"programs": len(rows), "arms": {}}
    for name, ends in arms.items():
        mended = [bool(one["repaired"]) for one in ends]
        tokens, count = sum(one["tokens"] for one in ends), sum(mended)
        document["arms"][name] = {
            "all": Share.of(count, len(rows)).model_dump(),
            "first_try": Share.of(
                sum(bool(one["repaired"]) and one["tries"] == 1 for one in ends), len(rows)
            ).model_dump(),
            "kept": _mean([one["kept"] for one in ends if one["kept"] is not None]),
            "by_hint": sum(one["by"] == "hint" for one in ends),
            "by_model": sum(one["by"] == "model" for one in ends),
            "tokens": tokens,
            "tokens_per_repaired": round(tokens / count) if count else None,
            "natural": _natural(rows, mended, natural),
            "classes": {kind: _of(kind, rows, ends) for kind in kinds},
        }
    if len(arms) == 2:
        first, second = ([bool(one["repaired"]) for one in ends] for ends in arms.values())
        gained = sum(b and not a for a, b in zip(first, second, strict=True))
        lost = sum(a and not b for a, b in zip(first, second, strict=True))
        p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
        document["paired"] = {"gained": gained, "lost": lost, "p": p}
    return document


def _of(kind: str, rows: Sequence[Mapping[str, Any]], ends: Sequence[Outcome]) -> dict[str, Any]:
    own = [one for row, one in zip(rows, ends, strict=True) if row["kind"] == kind]
    count = sum(bool(one["repaired"]) for one in own)
    return {
        **Share.of(count, len(own)).model_dump(),
        "first_try": sum(bool(one["repaired"]) and one["tries"] == 1 for one in own),
        "by_hint": sum(one["by"] == "hint" for one in own),
        "tokens": sum(one["tokens"] for one in own),
    }


def _mean(values: Sequence[float]) -> dict[str, float | None]:
    return t_interval(values)._asdict()


def _natural(rows: Sequence[Mapping[str, Any]], mended: Sequence[bool], natural: Mapping[str, int]) -> float | None:
    """Share that would be repaired if the classes came as often as the model makes them."""
    known = {row["kind"] for row in rows} & natural.keys()
    weight = sum(natural[kind] for kind in known)
    if not weight:
        return None
    total = 0.0
    for kind in known:
        own = [one for row, one in zip(rows, mended, strict=True) if row["kind"] == kind]
        total += natural[kind] * sum(own) / len(own)
    return round(total / weight, 4)


def text(document: Mapping[str, Any]) -> str:
    """The report as it stands in the documents."""
    arms = document["arms"]
    lines = [
        "| stopped by | programs | " + " | ".join(arms) + " | of these by an edit |",
        "|---" * (len(arms) + 3) + "|",
    ]
    last = list(arms.values())[-1]
    for kind in sorted(last["classes"], key=lambda one: -last["classes"][one]["total"]):
        cells = [
            f"{_share(one)}, {one['first_try']} at once" for one in (arm["classes"][kind] for arm in arms.values())
        ]
        row = last["classes"][kind]
        lines.append(f"| {kind} | {row['total']} | " + " | ".join(cells) + f" | {row['by_hint']} |")
    cells = [f"**{_share(arm['all'])}**" for arm in arms.values()]
    lines.append(f"| **all** | {document['programs']} | " + " | ".join(cells) + f" | {last['by_hint']} |")
    cells = [_share(arm["first_try"]) for arm in arms.values()]
    lines.append("| in the first try | | " + " | ".join(cells) + " | |")
    cells = [_percent(arm["kept"]) for arm in arms.values()]
    lines.append("| lines of the broken program that are kept | | " + " | ".join(cells) + " | |")
    spent = [f"{arm['tokens_per_repaired']:,}" if arm["tokens_per_repaired"] else "–" for arm in arms.values()]
    lines.append("| tokens per repaired | | " + " | ".join(spent) + " | |")
    weighted = [f"{100 * arm['natural']:.0f} %" if arm["natural"] is not None else "–" for arm in arms.values()]
    lines.append("| as often as the model fails so | | " + " | ".join(weighted) + " | |")
    about, paired = document["fixture"], document.get("paired")
    lines += [
        "",
        f"Repaired in at most {document['tries']} tries (at once: in the first), with 95 % Wilson intervals; embedded "
        f"model, seed {document['seed']}. The programs are {document['programs']} of "
        f"{sum(about['invalid'].values())} invalid ones among {about['sampled']:,} that the model wrote at "
        f"temperatures {about['temperatures'][0]:g} to {about['temperatures'][-1]:g} (seed {about['seed']}), taken "
        "evenly over the classes; the last line weighs the classes by how often they came.",
    ]
    if paired:
        lines[-1] += (
            f" With hints {paired['gained']} more are repaired and {paired['lost']} fewer "
            f"(sign test p = {paired['p']:.1g})."
        )
    return "\n".join(lines)


def _percent(row: Mapping[str, float | None]) -> str:
    if row["estimate"] is None or row["low"] is None or row["high"] is None:
        return "–"
    return f"{100 * row['estimate']:.0f} % ({100 * row['low']:.0f}–{100 * row['high']:.0f})"


def _share(row: Mapping[str, Any]) -> str:
    return f"{row['count']} ({100 * row['low']:.0f}–{100 * row['high']:.0f} %)"
