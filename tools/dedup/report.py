"""What a deduplication found, as counts and as a file of one line for each network."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...memory.files import write_whole
from .decisions import Found
from .splits import SPLITS, Split


def summary(found: Sequence[Found], split: Mapping[str, Split] | None = None) -> dict[str, Any]:
    """Counts: networks, kept ones, duplicates by stage, clusters, networks without a graph, and sizes of splits."""
    dropped = [one.stage for one in found if not one.kept]
    told: dict[str, Any] = {
        "networks": len(found),
        "kept": len(found) - len(dropped),
        "duplicates": {stage: dropped.count(stage) for stage in ("exact", "lexical", "structural")},
        "clusters": len({one.cluster for one in found}),
        "graphs": sum(one.graph is not None for one in found),
        "same_text_other_graph": sum(one.kept and one.stage == "structural" for one in found),
    }
    if split is not None:
        places = list(split.values())
        told["splits"] = {name: places.count(name) for name in SPLITS}
    return told


def rows(found: Sequence[Found], split: Mapping[str, Split] | None = None) -> list[dict[str, Any]]:
    """One document for each network; similarities in six digits."""
    told = []
    for one in found:
        row = one.model_dump()
        row["similarity"] = round(one.similarity, 6)
        if one.graph_similarity is not None:
            row["graph_similarity"] = round(one.graph_similarity, 6)
        told.append(row | ({"split": split[one.key]} if split is not None else {}))
    return told


def write_splits(path: Path, split: Mapping[str, Split], seed: int) -> None:
    """Write which networks are in which split, duplicates too: a duplicate is in the split of what is kept for it.

    Raises:
        OSError: it cannot be written.
    """
    lists = {name: sorted(key for key, place in split.items() if place == name) for name in SPLITS}
    _write(path, json.dumps({"seed": seed, **lists}, indent=1, ensure_ascii=False) + "\n")


def write(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write lines as CSV, where the name of the file ends so, else as JSONL; the file is whole or not there.

    Raises:
        OSError: it cannot be written.
    """
    if path.suffix.lower() == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(lines[0]) if lines else list(Found.model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        content = text.getvalue()
    else:
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    _write(path, content)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content.encode("utf-8", "surrogateescape"))
