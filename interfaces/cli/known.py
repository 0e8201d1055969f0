"""``netwright datasets`` and ``netwright protocols``: what there is to train on, and how."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from ...tools.protocols import known_protocols, protocol, source_of
from ...tools.tasks import known_datasets, task_info
from .console import JsonFlag, guarded, out, print_json, print_remedies


@guarded
def datasets(as_json: JsonFlag = False) -> None:
    """List the data sets: shapes, classes, sizes, and whether they are on disk."""
    rows = [_dataset(name) for name in known_datasets()]
    if as_json:
        print_json({"datasets": rows})
        return
    table = Table("data set", "images", "classes", "training", "test", "on disk")
    for row in rows:
        shape = "×".join(str(n) for n in row["in_shape"])
        numbers = [f"{row[key]:,}" for key in ("classes", "train_size", "test_size")]
        table.add_row(row["name"], shape, *numbers, escape(row["on_disk"] or "no"))
    out.print(table)
    # One line for all, with NAME in the place of the name.
    remedies = ((row["name"], None if row["on_disk"] else _anyone(row["how_to_get"], row["name"])) for row in rows)
    print_remedies(remedies)


def _anyone(how: str, name: str) -> str:
    return how.replace(f"/{name}", "/NAME")


def _dataset(name: str) -> dict[str, Any]:
    from ...tools.datasets import how_to_get, on_disk

    info = task_info(name)
    return {
        "name": info.dataset,
        "title": info.title,
        "in_shape": list(info.in_shape),
        "classes": info.classes,
        "train_size": info.train_size,
        "test_size": info.test_size,
        "mean": list(info.mean),
        "std": list(info.std),
        "threshold": info.threshold,
        "on_disk": on_disk(name),
        "how_to_get": how_to_get(name),
    }


@guarded
def protocols(as_json: JsonFlag = False) -> None:
    """List the training protocols with their constants and where these are from."""
    rows = [
        {**protocol(name).model_dump(), "hash": protocol(name).hash, "source": source_of(name)}
        for name in known_protocols()
    ]
    if as_json:
        print_json({"protocols": rows})
        return
    for row in rows:
        limit = f"{row['train_limit']:,} images" if row["train_limit"] else "all images"
        rungs = f", rungs {', '.join(f'{n:,}' for n in row['rungs'])}" if row["rungs"] else ""
        prm = "".join(f", {name} {value:g}" for name, value in row["prm"].items())
        out.print(f"[bold]{escape(row['name'])}[/] ({row['hash']}): {escape(row['source'])}", highlight=False)
        out.print(
            f"  epochs {row['epochs']}, batch {row['batch']}, lr {row['lr']:g}, momentum {row['momentum']:g}{prm}, "
            f"{row['transform']}, {row['precision']}, {limit}{rungs}, at most {row['time_limit_s']:,.0f} CPU seconds",
            markup=False,
            highlight=False,
        )
