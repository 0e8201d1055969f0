"""A folder that ``datasets.load_dataset`` reads: Parquet shards by split, and a card."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pandas as pd
import pyarrow as pa
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from ... import __version__
from .export_chat import Description, Pairs
from .export_folder import new_folder
from .export_networks import SPLITS, Chosen, Split
from .export_parquet import CHAT, LEMUR, RECORDS, SHARD_ROWS, write_frame, write_rows
from .stats_frame import group_of

MARKER: Final = "export.json"
_TAGS: Final = ("neural-architecture-search", "code", "pytorch", "lemur")
# Powers of ten as the hub's cards name them.
_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


class Config(NamedTuple):
    """One table of the folder, and what a reader has to know of it."""

    name: str
    about: str
    rows: dict[Split, int]


class Card(NamedTuple):
    """What the card says beside the counts.

    Attributes:
        title: of the data set.
        licences: of the networks and of the blocks in them, as the hub names licences; the first is the main one.
        selection: the filters, in words.
        blocks: package and version -> networks with blocks of it.
        dedup: whether near duplicates were dropped.
        seed: of the splits.
    """

    title: str
    licences: tuple[str, ...]
    selection: dict[str, str]
    blocks: dict[str, int]
    dedup: bool
    seed: int


def write_hub_folder(
    folder: Path, chosen: Chosen, pairs: Pairs, descriptions: Sequence[Description], card: Card, *, replace: bool
) -> list[Config]:
    """Write the folder, which appears at once and whole; what is in it.

    Raises:
        ExportError: something is in its place.
    """
    with new_folder(folder, marker=MARKER, replace=replace) as unfinished:
        configs = [
            Config("networks", _NETWORKS, _write_frames(unfinished / "networks", chosen, chosen.best, LEMUR)),
            Config("records", _RECORDS, _write_frames(unfinished / "records", chosen, chosen.rows, RECORDS)),
            Config("chat", _CHAT, _write_pairs(unfinished / "chat", pairs)),
        ]
        configs = [one for one in configs if one.rows]
        manifest = _manifest(chosen, pairs, configs, card)
        text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
        (unfinished / MARKER).write_text(text, encoding="utf-8")
        (unfinished / "README.md").write_text(_card(chosen, pairs, descriptions, configs, card), encoding="utf-8")
    return configs


_NETWORKS: Final = "one row per network and data set: its best result, with the code"
_RECORDS: Final = "one row per network, epoch and setting; without code, which `networks` has under the same name `nn`"
_CHAT: Final = "system, user and assistant messages; one row per network and task description"


def _write_frames(folder: Path, chosen: Chosen, rows: pd.DataFrame, schema: pa.Schema) -> dict[Split, int]:
    counts: dict[Split, int] = {}
    parts = rows["nn"].map(chosen.split)
    for part in SPLITS:
        mine = rows[parts == part].reset_index(drop=True)
        if len(mine):
            counts[part] = len(mine)
            for path, start in _shards(folder, part, len(mine)):
                write_frame(mine.iloc[start : start + SHARD_ROWS], chosen.texts, path, schema)
    return counts


def _write_pairs(folder: Path, pairs: Pairs) -> dict[Split, int]:
    counts: dict[Split, int] = {}
    for part in SPLITS:
        mine = [row for row in pairs.rows if row.get("split") == part]
        if mine:
            counts[part] = len(mine)
            for path, start in _shards(folder, part, len(mine)):
                write_rows(mine[start : start + SHARD_ROWS], path, CHAT)
    return counts


def _shards(folder: Path, part: Split, rows: int) -> Iterator[tuple[Path, int]]:
    """Paths by the hub's custom, with the first row of each."""
    folder.mkdir(exist_ok=True)
    starts = range(0, rows, SHARD_ROWS)
    for number, start in enumerate(starts):
        yield folder / f"{part}-{number:05d}-of-{len(starts):05d}.parquet", start


def _manifest(chosen: Chosen, pairs: Pairs, configs: Sequence[Config], card: Card) -> dict[str, Any]:
    return {
        "netwright": __version__,
        "networks": len(chosen.networks),
        "configs": {one.name: one.rows for one in configs},
        "left_out": dict(chosen.left_out),
        "dropped_from_chat": dict(pairs.dropped),
        "selection": card.selection,
        "dedup": card.dedup,
        "seed": card.seed,
    }


def _header(configs: Sequence[Config], card: Card) -> str:
    """The card's YAML, which the hub and ``load_dataset`` read."""
    rows = sum(configs[0].rows.values()) if configs else 0
    size = next((name for limit, name in _SIZES if rows < limit), "1M<n<10M")
    files = [
        {
            "config_name": one.name,
            **({"default": True} if one.name == "networks" else {}),
            "data_files": [{"split": part, "path": f"{one.name}/{part}-*.parquet"} for part in one.rows],
        }
        for one in configs
    ]
    values = {
        "license": card.licences[0] if len(card.licences) == 1 else list(card.licences),
        "pretty_name": card.title,
        "task_categories": ["text-generation"],
        "language": ["code"],
        "tags": list(_TAGS),
        "size_categories": [size],
        "configs": files,
    }
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def _card(
    chosen: Chosen, pairs: Pairs, descriptions: Sequence[Description], configs: Sequence[Config], card: Card
) -> str:
    environment = Environment(
        loader=PackageLoader(__package__ or "netwright.tools.corpus", "templates"),
        autoescape=False,  # Markdown, and no text of a model in it
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    groups = pd.Series([group_of(name) for name in chosen.networks], dtype=str).value_counts()
    per_split = {
        part: sum(name in chosen.split and chosen.split[name] == part for name in chosen.networks) for part in SPLITS
    }
    return environment.get_template("card.md.j2").render(
        header=_header(configs, card),
        card=card,
        version=__version__,
        networks=len(chosen.networks),
        configs=configs,
        splits=SPLITS,
        per_split=per_split,
        groups=sorted(groups.items(), key=lambda pair: (-pair[1], pair[0])),
        datasets=sorted(chosen.best["dataset"].value_counts().items(), key=lambda pair: (-pair[1], pair[0])),
        left_out=chosen.left_out,
        dropped=pairs.dropped,
        described=[one.dataset for one in descriptions],
    )
