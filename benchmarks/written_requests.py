"""Written requests against what they mean: how many of each file's forty does the deterministic parser understand?

Each file of ``benchmarks/data/written_requests`` was written, with its outcomes, before the parser was run on it; the
score of that first run is in its head. A request counts only if everything is as written down: data set, limits, style,
wishes, language, and of a refusal or a note the words that it must have.

    python benchmarks/written_requests.py [FILE …] [--all]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from netwright.tools.understanding import Understood, understand

FOLDER = Path(__file__).parent / "data" / "written_requests"


def files() -> list[Path]:
    """The files of requests, oldest first."""
    return sorted(FOLDER.glob("*.yaml"))


def requests(path: Path) -> Iterator[dict[str, Any]]:
    """The requests of a file: a text, and what it means."""
    yield from yaml.safe_load(path.read_text(encoding="utf-8"))["requests"]


def differences(wanted: dict[str, Any], got: Understood) -> list[str]:
    """What of an outcome is not as it was written down; empty if the request was understood exactly."""
    found: dict[str, object] = {
        "dataset": got.request.task.dataset if got.request else None,
        "missing": got.missing[0] if got.missing else None,
        "language": got.language,
    }
    expected: dict[str, object] = {"dataset": wanted.get("dataset"), "missing": wanted.get("missing")}
    expected["language"] = wanted.get("language", "en")
    if "refusal" not in wanted:
        found |= {"least": got.limits.min_params, "most": got.limits.max_params, "flops": got.limits.max_flops}
        found |= {"style": got.style, **got.wishes.model_dump()}
        expected |= {key: wanted.get(key) for key in ("least", "most", "flops", "candidates", "epochs", "seed")}
        expected |= {"style": wanted.get("style", "any"), "train": wanted.get("train", False)}
    wrong = [f"{key}: {found[key]!r}, not {value!r}" for key, value in expected.items() if found[key] != value]
    if ("refusal" in wanted) != (got.refusal is not None):
        wrong.append(f"refusal: {got.refusal}")
    wrong += [
        f"refusal without {part!r}: {got.refusal}"
        for part in wanted.get("refusal", ())
        if part not in (got.refusal or "")
    ]
    notes = " | ".join(got.notes)
    return wrong + [f"no note with {part!r}: {notes}" for part in wanted.get("notes", ()) if part not in notes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="files of requests; all where none is named")
    parser.add_argument("--all", action="store_true", help="name what was understood otherwise, request by request")
    asked = parser.parse_args()
    for path in asked.files or files():
        wrong = [(one, missed) for one in requests(path) if (missed := differences(one, understand(one["text"])))]
        count = sum(1 for _ in requests(path))
        print(f"{path.stem}: {count - len(wrong)} of {count} understood")
        for one, missed in wrong if asked.all else ():
            print(f"  {one['text']!r}\n    " + "\n    ".join(missed))


if __name__ == "__main__":
    main()
