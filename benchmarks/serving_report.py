"""The report of ``benchmarks/serving.py`` as Markdown, for the documents."""

from __future__ import annotations

from typing import Any

SIDES = {"vllm": "vLLM", "in_process": "in this process"}


def text(document: dict[str, Any]) -> str:
    """A table of batch sizes and sides, and what it was measured on."""
    rows = ["| batch | sampler | tokens/s | programs/s | tokens per CPU second |", "|---|---|---|---|---|"]
    for size, sides in document["batches"].items():
        for name, row in sides.items():
            cells = (size, SIDES[name], f"{row['tokens_per_s']:,.0f}", f"{row['programs_per_s']:.1f}",
                     f"{row['tokens_per_cpu_s']:,.0f}")  # fmt: skip
            rows.append("| " + " | ".join(cells) + " |")
    machine, load = document["machine"], document["load"][0]
    threads = document["threads"] or max(1, machine["cores"] - 1)
    busy = (
        f" The machine was busy with other work, at a load of {load:g}: compare tokens per CPU second."
        if load > 2 * machine["cores"]
        else ""
    )
    place = f"{machine['cores']} cores ({machine['cpu']}, {machine['capability']})"
    told = (
        f"{document['server']} in {document['dtype']} on {place}, OpenMP threads: {threads}; the other sampler "
        f"runs on one thread in float32. Medians of {document['rounds']} rounds.{busy}"
    )
    return "\n".join([*rows, "", told])
