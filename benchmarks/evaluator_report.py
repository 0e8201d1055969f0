"""What ``benchmarks/evaluator.py`` measured, as figures with intervals and as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from netwright.tools.pretraining.report import machine, versions
from netwright.tools.statistics import t_interval
from scipy.stats import spearmanr

Row = dict[str, Any]
_FURTHER = "further passes"
ASKED = {"cpu_ratio": 5.0, "spearman": 0.9, "wall_ratio": 1.25}


def _spread(values: list[float]) -> dict[str, float]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {"median": float(middle), "q25": float(low), "q75": float(high)}


def _by_network(rows: list[Row], value: Callable[[Row], float]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row["network"], []).append(value(row))
    return found


def _means(rows: list[Row], side: str) -> dict[str, float]:
    return {name: float(np.mean(values)) for name, values in _by_network(rows, lambda r: r[side]["accuracy"]).items()}


def _rank(one: dict[str, float], other: dict[str, float]) -> float:
    names = sorted(one)
    return float(spearmanr([one[name] for name in names], [other[name] for name in names]).statistic)


def _noise(rows: list[Row], side: str) -> float:
    """Standard deviation of a network's accuracy over seeds, pooled over networks."""
    groups = _by_network(rows, lambda row: row[side]["accuracy"]).values()
    return float(np.sqrt(np.mean([np.var(values, ddof=1) for values in groups if len(values) > 1])))


def _between_seeds(rows: list[Row], side: str) -> float | None:
    """Mean rank correlation of one side with itself over pairs of seeds: what no other side can be asked to beat."""
    seeds = sorted({row["seed"] for row in rows})
    tables = [{r["network"]: r[side]["accuracy"] for r in rows if r["seed"] == seed} for seed in seeds]
    pairs = [_rank(a, b) for n, a in enumerate(tables) for b in tables[n + 1 :] if a.keys() == b.keys()]
    return float(np.mean(pairs)) if pairs else None


def _lemur_cpu(row: Row) -> float:
    return float(sum(row["lemur"]["cpu_s"].values()))


def summary(rows: list[Row]) -> dict[str, Any]:
    """Figures of all rows with one number of samples."""
    whole_way = [row for row in rows if _FURTHER in row["lemur"]["cpu_s"]]
    ratio = _by_network(whole_way, lambda row: _lemur_cpu(row) / row["ours"]["cpu_s"])
    once = _by_network(
        rows, lambda row: (_lemur_cpu(row) - row["lemur"]["cpu_s"].get(_FURTHER, 0.0)) / row["ours"]["cpu_s"]
    )
    differences = _by_network(rows, lambda row: row["ours"]["accuracy"] - row["lemur"]["accuracy"])
    interval = t_interval([float(np.mean(values)) for values in differences.values()])
    limited = [row for row in rows if "bare" in row]
    whole = [row["ours"]["wall_s"] / (row["bare"]["train_s"] + row["bare"]["test_s"]) for row in limited]
    training = [row["ours"]["wall_s"] / row["bare"]["train_s"] for row in limited]
    lemur, ours = _means(rows, "lemur"), _means(rows, "ours")
    return {
        "networks": len(ratio),
        "seeds": sorted({row["seed"] for row in rows}),
        "seeds_with_further_passes": sorted({row["seed"] for row in whole_way}),
        "cpu_ratio": _spread([float(np.median(values)) for values in ratio.values()]),
        "cpu_ratio_without_further_passes": _spread([float(np.median(values)) for values in once.values()]),
        "accuracy": {
            "lemur": float(np.mean(list(lemur.values()))),
            "ours": float(np.mean(list(ours.values()))),
            "difference": {"mean": interval.estimate, "low": interval.low, "high": interval.high},
            "seed_noise": {"lemur": _noise(rows, "lemur"), "ours": _noise(rows, "ours")},
        },
        "spearman": {
            "sides": _rank(lemur, ours),
            "lemur_between_seeds": _between_seeds(rows, "lemur"),
            "ours_between_seeds": _between_seeds(rows, "ours"),
        },
        "wall_over_bare_loop": _spread(whole),
        "wall_over_bare_training_alone": _spread(training),
        "by_network": [
            {
                "network": name,
                "cpu_ratio": float(np.median(ratio[name])),
                "lemur_cpu_s": float(np.median(_by_network(whole_way, _lemur_cpu)[name])),
                "ours_cpu_s": float(np.median(_by_network(rows, lambda r: r["ours"]["cpu_s"])[name])),
                "lemur": lemur[name],
                "ours": ours[name],
                "setting": next(row["ours"]["setting"] for row in rows if row["network"] == name),
            }
            for name in sorted(ratio)
        ],
    }


def document(rows: list[Row]) -> dict[str, Any]:
    """The report: the machine, and a summary per number of samples."""
    sizes = sorted({row["samples"] for row in rows})
    return {
        "machine": machine() | {"versions": versions()},
        "asked": ASKED,
        "samples": {str(size): summary([row for row in rows if row["samples"] == size]) for size in sizes},
    }


def table(found: dict[str, Any]) -> str:
    """The report as Markdown: first what was asked, then each network."""
    lines = [
        "| one epoch of | CPU of LEMUR's way ÷ ours | without its three further passes | accuracy, LEMUR's way | "
        "ours | difference (95 %) | seed noise | Spearman (one seed to another) | wall ÷ bare loop |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for size, one in found["samples"].items():
        accuracy, difference = one["accuracy"], one["accuracy"]["difference"]
        ratio, once, wall = one["cpu_ratio"], one["cpu_ratio_without_further_passes"], one["wall_over_bare_loop"]
        cells = [
            f"{int(size):,} ({len(one['seeds'])} seeds)",
            f"×{ratio['median']:.1f} ({ratio['q25']:.1f}–{ratio['q75']:.1f})",
            f"×{once['median']:.1f} ({once['q25']:.1f}–{once['q75']:.1f})",
            f"{accuracy['lemur']:.4f}",
            f"{accuracy['ours']:.4f}",
            f"{difference['mean']:+.4f} ({difference['low']:+.4f} to {difference['high']:+.4f})",
            f"{accuracy['seed_noise']['lemur']:.4f}",
            f"{one['spearman']['sides']:.3f} ({one['spearman']['lemur_between_seeds'] or 0:.2f})",
            f"{wall['median']:.2f} ({wall['q25']:.2f}–{wall['q75']:.2f})",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    size, one = list(found["samples"].items())[-1]
    lines += ["", f"Each network, {int(size):,} images, medians over seeds {one['seeds']}:", ""]
    lines += [
        "| network | LEMUR's way, CPU s | ours, CPU s | ratio | accuracy, LEMUR's way | ours | run in |",
        "|---" * 7 + "|",
    ]
    for row in one["by_network"]:
        how = f"{row['setting'].get('precision')}, {row['setting'].get('layout')}"
        lines.append(
            f"| {row['network']} | {row['lemur_cpu_s']:.1f} | {row['ours_cpu_s']:.1f} | ×{row['cpu_ratio']:.1f} | "
            f"{row['lemur']:.4f} | {row['ours']:.4f} | {how} |"
        )
    lines += ["", f"Medians with quartiles. Machine: {found['machine']['cpu']}, one thread per training."]
    return "\n".join(lines)
