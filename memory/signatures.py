"""MinHash signatures of source text, and the file that keeps them.

A signature is what datasketch's ``MinHash`` makes under the scheme ``affine32``, bit for bit, computed here in blocks
that stay in the processor's cache.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from .shingles import SHINGLE, Shingles, shingles
from .types import candidate_id

PERMUTATIONS: Final = 256  # appendix A.1 lost the number; 256 estimates Jaccard within about .02 at .90
SEED: Final = 1  # of the permutations: signatures compare only under one seed
SCHEME: Final = "affine32"

Signature = npt.NDArray[np.uint32]
"""Of shape (256,)."""

FORMAT: Final = f"2 {SHINGLE} {PERMUTATIONS} {SEED} {SCHEME}"
"""A signature depends on all of these; a file written under others is not used."""

_BLOCK: Final = 256  # shingles at a time: a block of 256 x 256 values of 4 bytes fits the cache


@dataclass(frozen=True, eq=False)
class Sketch:
    """What is needed to compare one text: its exact id, its MinHash signature, (256,) of uint32, and the text."""

    exact: str
    values: Signature
    source: str


@cache
def _permutations() -> tuple[Signature, Signature]:
    """Factors and summands of the permutations, (256,) each."""
    from datasketch import MinHash  # here, because it imports scipy

    factors, summands = MinHash(num_perm=PERMUTATIONS, seed=SEED, scheme=SCHEME).permutations
    return factors, summands


def signature(found: Shingles) -> Signature:
    """The MinHash signature of a set of shingles: of each permutation the least value.

    As the scheme ``affine32`` has it, the high half of a shingle goes through MurmurHash3's finaliser and then,
    for each permutation, through ``a * h + b`` modulo 2^32.
    """
    hashes = (found >> np.uint64(32)).astype(np.uint32)
    hashes ^= hashes >> np.uint32(16)
    hashes *= np.uint32(0x85EBCA6B)
    hashes ^= hashes >> np.uint32(13)
    hashes *= np.uint32(0xC2B2AE35)
    hashes ^= hashes >> np.uint32(16)
    factors, summands = _permutations()
    least = np.full(PERMUTATIONS, np.iinfo(np.uint32).max, dtype=np.uint32)
    block = np.empty((min(_BLOCK, len(hashes)), PERMUTATIONS), dtype=np.uint32)
    for start in range(0, len(hashes), _BLOCK):
        part = hashes[start : start + _BLOCK, None]
        values = np.multiply(part, factors, out=block[: len(part)])
        values += summands
        np.minimum(least, values.min(axis=0), out=least)
    return least


def sketch(source: str) -> Sketch:
    """The sketch of any text. Never raises, and is the same in every process."""
    return Sketch(candidate_id(source), signature(shingles(source)), source)


class SignatureCache:
    """Sketches of texts seen before, in one compact file: it saves time and decides nothing.

    A missing, damaged or outdated file is an empty cache. Keyed by the SHA-256 of the text as it is.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[bytes, tuple[bytes, Signature]] = {}
        self._dirty = False
        if path is not None and path.is_file():
            self._load(path)

    def __len__(self) -> int:
        return len(self._known)

    def sketch(self, source: str) -> Sketch:
        """The sketch of ``source``, remembered or computed."""
        key = hashlib.sha256(source.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(key)
        if known is not None:
            return Sketch(known[0].hex(), known[1], source)
        made = sketch(source)
        self._known[key] = (bytes.fromhex(made.exact), made.values)
        self._dirty = True
        return made

    def save(self) -> None:
        """Write the file atomically, if there is one and anything is new."""
        if self._path is None or not self._dirty:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(
                    file,
                    format=np.array(FORMAT),
                    keys=_matrix(list(self._known), 32),
                    exact=_matrix([exact for exact, _ in self._known.values()], 32),
                    values=np.array([values for _, values in self._known.values()], dtype=np.uint32),
                )
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._dirty = False

    def _load(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as file:
                if str(file["format"]) != FORMAT:
                    return
                keys, exact, values = file["keys"], file["exact"], file["values"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return
        if values.shape == (len(keys), PERMUTATIONS) and exact.shape == keys.shape == (len(keys), 32):
            for row, key in enumerate(keys):
                self._known[key.tobytes()] = (exact[row].tobytes(), values[row])


def _matrix(items: list[bytes], width: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(items), dtype=np.uint8).reshape(len(items), width)
