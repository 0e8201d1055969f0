"""What ``benchmarks/blocks.py`` found, as shares, tables and a list of what fails."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from netwright.memory.block_types import BLOCK_STAGES, CATEGORIES, Block

# nn-rag on 100 such names, as it was measured before this library was begun; not measured again here.
OTHER: Final = {"names": 100, "stand_alone": 0.59, "cpu_s": 172.0, "peak_mb": 1024}
ASKED: Final = {"names": 0.97, "all": 0.90}
_SHOWN_REASONS: Final = 25


def reason(error_class: str | None, message: str | None) -> str:
    """A failure without what is the block's own, so that equal causes are counted together."""
    text = re.sub(r"\(line \d+\)|line \d+:", "", message or "")
    text = re.sub(r"\d+", "N", text)
    quoted = re.sub(r"'[^']*'", "'…'", text) if error_class in ("AttributeError", "KeyError") else text
    return f"{error_class}: {' '.join(quoted.split())[:90]}"


def stages(blocks: Iterable[Block]) -> dict[str, Any]:
    """How many blocks passed each stage, by package and by category, and why the others stand not alone."""
    checked = [block for block in blocks if block.check is not None]
    passed: Counter[str] = Counter()
    by_package: dict[str, Counter[str]] = {}
    by_category = {category: Counter[str]() for category in CATEGORIES}
    for block in checked:
        assert block.check is not None
        for stage in BLOCK_STAGES[: BLOCK_STAGES.index(block.check.stage) + 1]:
            for counter in (passed, by_package.setdefault(block.package, Counter()), by_category[block.category]):
                counter[stage] += 1
    failed = [block for block in checked if block.check is not None and not block.check.stands_alone]
    return {
        "blocks": len(checked),
        "stand_alone": round(passed["names"] / max(1, len(checked)), 4),
        "passed": _ordered(passed),
        "by_package": {name: _ordered(by_package[name]) for name in sorted(by_package)},
        "by_category": {name: _ordered(counter) for name, counter in by_category.items()},
        "reasons": reasons(failed),
    }


def reasons(blocks: Iterable[Block]) -> list[dict[str, Any]]:
    """Causes of failure, the most frequent first, with the stage that was not passed and three examples."""
    groups: dict[tuple[str, str], list[Block]] = {}
    for block in blocks:
        if block.check is None or block.check.error_class is None:
            continue
        next_stage = BLOCK_STAGES[min(BLOCK_STAGES.index(block.check.stage) + 1, len(BLOCK_STAGES) - 1)]
        groups.setdefault((next_stage, reason(block.check.error_class, block.check.message)), []).append(block)
    rows = [
        {"stage": stage, "reason": why, "blocks": len(found), "examples": sorted(b.qualified for b in found)[:3]}
        for (stage, why), found in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row["blocks"], row["stage"], row["reason"]))


def names_summary(names: Sequence[str], blocks: Sequence[Block], rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Shares of the names that stand alone: in any of the modules that have the name, and in all of them.

    Args:
        blocks: those of the names.
        rows: by block's id, with ``ok`` and ``why`` not; a block that has none was not tried and is left out.
    """
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for block in blocks:
        if block.id in rows:
            found[block.name].append(rows[block.id])
    every = [name for name, each in found.items() if each and all(row["ok"] for row in each)]
    some = [name for name, each in found.items() if any(row["ok"] for row in each)]
    files = [row for each in found.values() for row in each]
    return {
        "names": len(names),
        "files": len(files),
        "not_found": sorted(name for name, each in found.items() if not each),
        "any": round(len(some) / max(1, len(names)), 4),
        "all": round(len(every) / max(1, len(names)), 4),
        "files_ok": round(sum(row["ok"] for row in files) / max(1, len(files)), 4),
        "cpu_s": round(sum(row["cpu_s"] for row in files), 1),
        "peak_mb": max((row.get("peak_mb") or 0 for row in files), default=0),
        "failed": [{"block": row["qualified"], "why": row["why"]} for row in files if not row["ok"]],
    }


def exit_code(document: dict[str, Any]) -> int:
    """1 where a share is less than asked for, else 0."""
    enough = document["names"]["any"] >= document["asked"]["names"]
    return int(not enough or document["all"]["stand_alone"] < document["asked"]["all"])


def _ordered(counter: Counter[str]) -> dict[str, int]:
    return {stage: counter[stage] for stage in BLOCK_STAGES if stage != "extract"}


def text(document: dict[str, Any]) -> str:
    """The report as Markdown."""
    parts = [_names_text(document), _mining_text(document), _stages_text(document["all"]), _repeat_text(document)]
    return "\n\n".join(part for part in parts if part)


def _names_text(document: dict[str, Any]) -> str:
    found = document["names"]
    mining = document["mining"]["names"]
    lines = [
        "| | names | stand alone | CPU seconds of mining | peak memory |",
        "|---|---|---|---|---|",
        f"| netwright, any module of the name | {found['names']} | {_percent(found['any'])} | {mining['cpu_s']:.0f} | "
        f"{mining['peak_mb']:,} MB |",
        f"| netwright, all modules of the name ({found['files']} files) | {found['names']} | "
        f"{_percent(found['all'])} | | |",
        f"| nn-rag | {OTHER['names']} | {_percent(OTHER['stand_alone'])} | {OTHER['cpu_s']:.0f} | "
        f"{OTHER['peak_mb']:,} MB |",
        "",
        f"Each file was imported in a new Python process that has no {', '.join(document['absent'])}; the class is "
        f"there and no name in the file is undefined. {_percent(found['files_ok'])} of the files pass "
        f"({found['cpu_s']:.0f} CPU seconds, {found['peak_mb']:,} MB at most, both mostly torch itself). Packages: "
        f"{', '.join(f'{name} {version}' for name, version in document['packages'].items())}.",
    ]
    return "\n".join(lines)


def _mining_text(document: dict[str, Any]) -> str:
    whole, checks = document["mining"]["all"], document["validation"]
    return (
        f"Mining all blocks of the packages took {whole['cpu_s']:.0f} CPU seconds and {whole['peak_mb']:,} MB; "
        f"{checks['blocks']:,} checks took {checks['cpu_s']:.0f} CPU seconds, in forks of a warm worker, "
        f"{checks['peak_mb']:,} MB at most for one."
    )


def _stages_text(found: dict[str, Any]) -> str:
    # Stages that this run did not try are left out.
    shown = [stage for stage, count in found["passed"].items() if count]
    lines = [
        f"| blocks | {' | '.join(shown)} |",
        f"|---|{'---|' * len(shown)}",
        _row(f"**all {found['blocks']:,}**", found["passed"], shown),
        *(_row(name, counts, shown) for name, counts in found["by_package"].items()),
        *(_row(name, counts, shown) for name, counts in found["by_category"].items() if counts["parse"]),
        "",
        f"{_percent(found['stand_alone'])} of all blocks stand alone (stage *names*).",
    ]
    if found["reasons"]:
        lines += ["", "The others:", "", "| stage | reason | blocks | for example |", "|---|---|---|---|"]
    for row in found["reasons"][:_SHOWN_REASONS]:
        why = row["reason"].replace("|", "\\|")
        lines.append(f"| {row['stage']} | {why} | {row['blocks']} | `{row['examples'][0]}` |")
    rest = sum(row["blocks"] for row in found["reasons"][_SHOWN_REASONS:])
    if rest:
        lines.append(f"| | {len(found['reasons']) - _SHOWN_REASONS} further reasons | {rest} | |")
    return "\n".join(lines)


def _row(name: str, counts: dict[str, int], shown: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(f'{counts[stage]:,}' for stage in shown)} |"


def _repeat_text(document: dict[str, Any]) -> str:
    found = document.get("repeat")
    if not found:
        return ""
    same = "identical" if found["identical"] else "**different**"
    return (
        f"Two mining runs of {found['package']} from nothing gave {same} bytes ({found['blocks']:,} files). After one "
        f"of its {found['files']:,} source files was changed, the next run parsed {found['parsed']} and took the facts "
        f"of the others from the index."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def failures_text(document: dict[str, Any], blocks: Iterable[Block]) -> str:
    """Everything that fails, for whoever mends the extractor."""
    names, found = document["names"], document["all"]
    later = reasons(block for block in blocks if block.check is not None and block.check.stands_alone)
    lines = [f"# Names: any {_percent(names['any'])}, all {_percent(names['all'])} of {names['names']}", ""]
    lines += [f"not found: {', '.join(names['not_found']) or 'none'}", ""]
    lines += [f"* {row['block']}: {row['why']}" for row in names["failed"]]
    lines += ["", f"# All: {found['blocks']} checked, {_percent(found['stand_alone'])} stand alone", ""]
    for title, rows in (("not stand-alone", found["reasons"]), ("not built or run", later)):
        lines += [f"## {title}", "", "| n | stage | reason | examples |", "|---|---|---|---|"]
        lines += [f"| {r['blocks']} | {r['stage']} | {r['reason']} | {' '.join(r['examples'])} |" for r in rows[:120]]
        lines.append("")
    return "\n".join(lines)
