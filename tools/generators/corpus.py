"""The corpus of the embedded model: many distinct random programs, the same for the same seed."""

from __future__ import annotations

import json
import lzma
import random
from pathlib import Path

from ...memory.types import candidate_id
from .headers import Header
from .programs import Program, random_program
from .wishes import sample_header

DEFAULT_SIZE = 12_000
_GIVE_UP = 50


def build_corpus(seed: int, n: int = DEFAULT_SIZE) -> list[Program]:
    """Write ``n`` programs, no two with the same normalised source and none of a held-out combination.

    Raises:
        RuntimeError: if the generator keeps repeating itself, so that ``n`` is out of reach.
    """
    rng = random.Random(seed)
    seen: set[str] = set()
    programs: list[Program] = []
    repeats = 0
    while len(programs) < n:
        program = random_program(rng, sample_header(rng))
        key = candidate_id(program.source)
        if key in seen:
            repeats += 1
            if repeats > _GIVE_UP * n:
                raise RuntimeError(f"only {len(programs)} of {n} distinct programs after {repeats} repeats")
            continue
        seen.add(key)
        programs.append(program)
    return programs


def write_corpus(programs: list[Program], path: Path) -> None:
    """Write programs as JSON lines, compressed with xz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf-8", preset=9 | lzma.PRESET_EXTREME) as file:
        for program in programs:
            row = {
                "header": program.header.render(),
                "style": program.style,
                "params": program.params,
                "macs": program.macs,
                "source": program.source,
            }
            file.write(json.dumps(row) + "\n")


def read_corpus(path: Path) -> list[Program]:
    """Read what :func:`write_corpus` wrote.

    Raises:
        ValueError: for a line that is not a program, with its number.
    """
    programs: list[Program] = []
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                header = Header.parse(row["header"])
                programs.append(Program(row["source"], header, row["params"], row["style"], row["macs"]))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {number}: not a corpus program: {error}") from error
    return programs
