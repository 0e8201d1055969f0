"""Source text as a set of token 10-grams, the unit in which code is compared."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from .lexer import lex

SHINGLE: Final = 10  # tokens; From Memorization to Creativity, appendix A.1
MAX_CHARS: Final = 200_000  # text is hostile: only this much of a longer one is compared

_BASE: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no power of it loses bits

Shingles = npt.NDArray[np.uint64]


def tokens(source: str) -> list[str]:
    """The tokens of ``source`` without layout and comments (appendix A.1 names keywords, identifiers, literals,
    operators and delimiters). Works on any text, Python or not; never raises."""
    return lex(source[:MAX_CHARS])


def shingles(source: str) -> Shingles:
    """Distinct hashes of the runs of :data:`SHINGLE` tokens in ``source``, sorted; at least one.

    A text of fewer tokens is one run of all it has. The same in every process. With 64 bits two different runs
    of a million networks share a hash about once in a billion pairs of networks.
    """
    hashes = np.fromiter(map(_token_hash, tokens(source)), dtype=np.uint64)
    count = max(1, len(hashes) - SHINGLE + 1)
    total = np.zeros(count, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for offset in range(min(SHINGLE, len(hashes))):
            total *= _BASE
            total += hashes[offset : offset + count]
        total ^= total >> np.uint64(29)
        total *= np.uint64(0xBF58476D1CE4E5B9)  # a finaliser: high bits then depend on every token
    total.sort()
    return total[np.concatenate(([True], total[1:] != total[:-1]))]


def jaccard(one: Shingles, other: Shingles) -> float:
    """Exact Jaccard similarity of two sets as :func:`shingles` gives them."""
    if len(one) > len(other):
        one, other = other, one
    places = np.searchsorted(other, one)
    places[places == len(other)] = 0
    common = int(np.count_nonzero(other[places] == one))
    return common / (len(one) + len(other) - common)


@lru_cache(maxsize=100_000)
def _token_hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
