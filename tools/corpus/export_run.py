"""A whole export: from the records to a Parquet file, a file of chat pairs, or a folder for the hub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from ...memory.block_store import BlockStore
from ...memory.home import home_folder
from ...memory.records import Records
from .export_chat import Description, Pairs, chat_pairs, jsonl
from .export_clusters import clusters
from .export_folder import ExportError, new_file
from .export_hub import Card, write_hub_folder
from .export_networks import Chosen, Clustered, choose, fixed_order
from .export_parquet import write_frame
from .export_rows import Networks, Selection, read_networks, read_results, read_texts

Format = Literal["parquet", "jsonl", "hf"]
FORMATS: Final[tuple[Format, ...]] = ("parquet", "jsonl", "hf")
LICENCE: Final = "mit"  # LEMUR's, and netwright's own


@dataclass(frozen=True)
class Wanted:
    """What an export is to be.

    Attributes:
        descriptions: task descriptions of the chat pairs.
        dedup: keep one network of each cluster of near duplicates.
        licence: of the networks, as the hub names licences.
        replace: whether an earlier export in the same place may be replaced.
    """

    to: Format
    out: Path
    selection: Selection
    descriptions: Sequence[Description] = ()
    dedup: bool = False
    seed: int = 0
    title: str = "Neural networks from netwright"
    licence: str = LICENCE
    replace: bool = False


def format_of(name: str) -> Format:
    """A format by its name.

    Raises:
        ExportError: there is none of this name.
    """
    for known in FORMATS:
        if name == known:
            return known
    raise ExportError(f"unknown format {name[:40]!r}: --to takes {', '.join(FORMATS)}")


def export(records: Records, wanted: Wanted, tell: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Export; what came of it as JSON values: rows, networks, splits, and what was left out and why.

    The same records and options give the same bytes.

    Raises:
        ExportError: nothing fits, or something is in the place of the export.
        RecordsError: there is no such campaign.
    """
    tell("reading the records")
    networks = read_networks(records)
    rows = fixed_order(read_results(records, wanted.selection, networks))
    texts = read_texts(records, rows)

    def clustered(codes: Mapping[str, str], datasets: Mapping[str, str]) -> Clustered:
        def progress(stage: str, done: int, total: int) -> None:
            tell(f"{stage} ({done:,} of {total:,})")

        return clusters(codes, datasets, networks.parents, home_folder("dedup"), seed=wanted.seed, progress=progress)

    needed = wanted.dedup or wanted.to != "parquet"
    chosen = choose(rows, texts, clustered if needed else None, dedup=wanted.dedup)
    if not chosen.networks:
        raise ExportError(f"nothing is left to export: {_told(chosen.left_out)}")
    tell("writing")
    written = _WRITERS[wanted.to](chosen, wanted, networks)
    splits = Counter(chosen.split[name] for name in chosen.networks if name in chosen.split)
    return {
        "to": wanted.to,
        "out": str(wanted.out),
        "networks": len(chosen.networks),
        **written,
        "splits": dict(splits),
        "left_out": dict(chosen.left_out),
    }


def _parquet(chosen: Chosen, wanted: Wanted, networks: Networks) -> dict[str, Any]:
    with new_file(wanted.out, replace=wanted.replace) as path:
        write_frame(chosen.rows, chosen.texts, path)
    return {"rows": len(chosen.rows)}


def _jsonl(chosen: Chosen, wanted: Wanted, networks: Networks) -> dict[str, Any]:
    pairs = _pairs(chosen, wanted)
    if not pairs.rows:
        raise ExportError(f"no network can be a target: {_told(pairs.dropped)}")
    with new_file(wanted.out, replace=wanted.replace) as path, path.open("w", encoding="ascii") as file:
        file.writelines(jsonl(pairs))
    return {"rows": len(pairs.rows), "dropped": dict(pairs.dropped)}


def _hub(chosen: Chosen, wanted: Wanted, networks: Networks) -> dict[str, Any]:
    pairs = _pairs(chosen, wanted)
    blocks, licences = _blocks({name: ids for name, ids in networks.blocks.items() if name in set(chosen.networks)})
    card = Card(
        title=wanted.title,
        licences=(wanted.licence, *(one for one in licences if one != wanted.licence)),
        selection=wanted.selection.told(),
        blocks=blocks,
        dedup=wanted.dedup,
        seed=wanted.seed,
    )
    configs = write_hub_folder(wanted.out, chosen, pairs, wanted.descriptions, card, replace=wanted.replace)
    return {
        "rows": len(chosen.rows),
        "configs": {one.name: one.rows for one in configs},
        "dropped": dict(pairs.dropped),
    }


_WRITERS: Final[dict[Format, Callable[[Chosen, Wanted, Networks], dict[str, Any]]]] = {
    "parquet": _parquet,
    "jsonl": _jsonl,
    "hf": _hub,
}


def _pairs(chosen: Chosen, wanted: Wanted) -> Pairs:
    return chat_pairs(chosen, wanted.descriptions)


def _blocks(used: Mapping[str, Sequence[str]]) -> tuple[dict[str, int], list[str]]:
    """Libraries whose blocks are in networks, with the number of these, and the blocks' licences; both sorted."""
    if not used:
        return {}, []
    with BlockStore() as store:
        known = store.get_many({key for ids in used.values() for key in ids})
    counts: Counter[str] = Counter()
    for ids in used.values():
        found = {(known[key].package, known[key].version) for key in ids if key in known}
        counts.update({f"{package} {version}": 1 for package, version in found})
        if any(key not in known for key in ids):
            counts["a library that the block store does not know any more"] += 1
    licences = {block.licence.lower() for block in known.values() if block.licence}
    return dict(sorted(counts.items())), sorted(licences)


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} with {reason}" for reason, count in counts.items()) or "nothing was there"
