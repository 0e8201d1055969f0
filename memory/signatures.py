"""MinHash signatures of source text, and the file that keeps them."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from datasketch import MinHash

from .shingles import SHINGLE, shingles
from .types import candidate_id

PERMUTATIONS: Final = 256  # appendix A.1 lost the number; 256 estimates Jaccard within about .02 at .90
SEED: Final = 1  # of the permutations: signatures compare only under one seed
SCHEME: Final = "affine32"

# A signature depends on all of these; a file written under others is not used.
_FORMAT: Final = f"1 {SHINGLE} {PERMUTATIONS} {SEED} {SCHEME} python{sys.version_info[0]}.{sys.version_info[1]}"


@dataclass(frozen=True, eq=False)
class Sketch:
    """What is needed to compare one text: its exact id and the MinHash signature, (256,) of uint32."""

    exact: str
    values: npt.NDArray[np.uint32]


def _identity(value: int) -> int:
    return value


_EMPTY: Final = MinHash(num_perm=PERMUTATIONS, seed=SEED, scheme=SCHEME, hashfunc=_identity)


def sketch(source: str) -> Sketch:
    """The sketch of any text. Never raises, and is the same in every process of one Python version."""
    minhash = _EMPTY.copy()
    minhash.update_batch(shingles(source).tolist())
    return Sketch(candidate_id(source), minhash.hashvalues)


def as_minhash(values: npt.NDArray[np.uint32]) -> MinHash:
    """A signature as datasketch wants it."""
    return MinHash(
        hashvalues=values,
        permutations=_EMPTY.permutations,
        seed=SEED,
        scheme=SCHEME,
        hashfunc=_identity,
    )


class SignatureCache:
    """Sketches of texts seen before, in one compact file: it saves time and decides nothing.

    A missing, damaged or outdated file is an empty cache. Keyed by the SHA-256 of the text as it is.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[bytes, tuple[bytes, npt.NDArray[np.uint32]]] = {}
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
            return Sketch(known[0].hex(), known[1])
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
                    format=np.array(_FORMAT),
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
                if str(file["format"]) != _FORMAT:
                    return
                keys, exact, values = file["keys"], file["exact"], file["values"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return
        if values.shape == (len(keys), PERMUTATIONS) and exact.shape == keys.shape == (len(keys), 32):
            for row, key in enumerate(keys):
                self._known[key.tobytes()] = (exact[row].tobytes(), values[row])


def _matrix(items: list[bytes], width: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(items), dtype=np.uint8).reshape(len(items), width)
