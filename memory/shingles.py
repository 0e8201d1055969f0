"""Source text as a set of token 10-grams, the unit in which code is compared."""

from __future__ import annotations

import hashlib
import io
import re
import token
import tokenize
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

SHINGLE: Final = 10  # tokens; From Memorization to Creativity, appendix A.1

# Text is hostile: what is compared is bounded, so that no text takes longer than about a second.
MAX_CHARS: Final = 200_000  # only this much of a longer text is compared
MAX_LINE: Final = 2_000  # tokenize is quadratic in the length of a line of broken strings

# Layout and comments do not make a network another one (appendix A.1 names keywords, identifiers,
# literals, operators and delimiters).
_LAYOUT: Final = frozenset(
    (
        token.ENCODING,
        token.COMMENT,
        token.NL,
        token.NEWLINE,
        token.INDENT,
        token.DEDENT,
        token.ENDMARKER,
    )
)
_WORD_OR_SIGN: Final = re.compile(r"\w+|[^\w\s]")
_BASE: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no power of it loses bits


def tokens(source: str) -> list[str]:
    """The tokens of ``source`` without layout and comments, by Python's lexer.

    Text that Python cannot tokenise is split into words and signs instead. Never raises.
    """
    text = source[:MAX_CHARS]
    if max(map(len, text.splitlines()), default=0) <= MAX_LINE:
        try:
            return list(_python_tokens(text))
        except (tokenize.TokenError, SyntaxError, ValueError):
            pass  # not Python: the plain split below takes it
    return _WORD_OR_SIGN.findall(text)


def _python_tokens(text: str) -> Iterator[str]:
    for found in tokenize.generate_tokens(io.StringIO(text).readline):
        if found.type not in _LAYOUT:
            yield found.string


def shingles(source: str) -> npt.NDArray[np.uint32]:
    """Distinct hashes of the runs of :data:`SHINGLE` tokens in ``source``, sorted; at least one.

    A text of fewer tokens is one run of all it has. The same in every process.
    """
    hashes = np.fromiter(map(_token_hash, tokens(source)), dtype=np.uint64)
    count = max(1, len(hashes) - SHINGLE + 1)
    total = np.zeros(count, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for offset in range(min(SHINGLE, len(hashes))):
            total = total * _BASE + hashes[offset : offset + count]
        total ^= total >> np.uint64(29)
        total *= np.uint64(0xBF58476D1CE4E5B9)  # a finaliser: high bits then depend on every token
    return np.unique((total >> np.uint64(32)).astype(np.uint32))


@lru_cache(maxsize=100_000)
def _token_hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
