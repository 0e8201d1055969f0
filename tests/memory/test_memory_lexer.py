"""The fast lexer: the tokens of Python's own, bounded time, a signature that is datasketch's, bands that retrieve."""

from __future__ import annotations

import io
import time
import token
import tokenize
from pathlib import Path

import numpy as np
import pytest
import torch
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st
from netwright.memory.bands import Bands, band_keys
from netwright.memory.lexer import lex
from netwright.memory.shingles import jaccard, shingles
from netwright.memory.signatures import PERMUTATIONS, SCHEME, SEED, signature

LAYOUT = {token.COMMENT, token.NL, token.NEWLINE, token.INDENT, token.DEDENT, token.ENDMARKER}
FSTRING = (getattr(token, "FSTRING_START", -1), getattr(token, "FSTRING_END", -1))


def python_tokens(text: str) -> list[str] | None:
    """By the standard library; ``None`` where it refuses the text or finds what is no token."""
    try:
        found = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return None
    if any(one.type == token.ERRORTOKEN or one.type in FSTRING for one in found):
        return None  # newer Pythons take formatted strings apart
    return [one.string for one in found if one.type not in LAYOUT]


def real_files() -> list[Path]:
    torch_files = sorted((Path(torch.__file__).parent / "nn" / "modules").glob("*.py"))
    return torch_files + sorted(Path(tokenize.__file__).parent.glob("[a-d]*.py"))


def test_real_files_have_pythons_tokens() -> None:
    compared = 0
    for path in real_files():
        text = path.read_text(encoding="utf-8")
        expected = python_tokens(text)
        if expected is not None:
            assert lex(text) == expected, path.name
            compared += 1
    assert compared > 10


PIECES = st.sampled_from(
    [
        "x", "_a1", "π", "rb'a\\'b'", 'f"{x}"', "'''a\n'b'''", '"""\\""" """', "u''", "0x_Ff", "0b1", "1_000", "1e-5",
        ".5j", "5.", "1.e3", "0o17", "00", "0_0", "1if", "...", "->", ":=", "**=", "//", ">>=", "!=", "<", "@", "# c\n",
        "\n", "  ", "\\\n", "(", ")", "[", "]", "{", "}", ",", ":", ";", "~", "=", "==", "lambda", "é", "br''", "1__0",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=30))
def test_pieces_have_pythons_tokens(pieces: list[str]) -> None:
    text = "".join(pieces)
    expected = python_tokens(text)
    if expected is not None:
        assert lex(text) == expected
    else:
        assert "".join(lex(text)).strip() or not text.strip() or "#" in text or "\\" in text


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_lexed_without_loss(text: str) -> None:
    joined = "".join(lex(text.replace("#", "").replace("\\", "")))
    assert "".join(joined.split()) == "".join(text.replace("#", "").replace("\\", "").split())


@pytest.mark.parametrize("text", ["\\'''", "'''\\", "'\\", "\"\"\"a'''\\", "1_", "1e", "rb", "\\ ", "0_", "(", "#'"])
def test_time_is_linear(text: str) -> None:
    started = time.process_time()
    lex(text * 100_000)
    assert time.process_time() - started < 3


def test_signature_is_datasketchs() -> None:
    found = shingles(" ".join(f"a{n}" for n in range(2_000)))
    made = MinHash(num_perm=PERMUTATIONS, seed=SEED, scheme=SCHEME, hashfunc=int)
    made.update_batch((found >> np.uint64(32)).tolist())
    assert np.array_equal(signature(found), made.hashvalues)


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, 60), min_size=1), st.sets(st.integers(0, 60), min_size=1))
def test_jaccard_is_exact(one: set[int], other: set[int]) -> None:
    found = jaccard(*(np.array(sorted(values), dtype=np.uint64) for values in (one, other)))
    assert found == len(one & other) / len(one | other)


def test_bands_retrieve_what_is_near() -> None:
    """A simulation: values agree with probability J, as those of MinHash do."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 2**32, size=(500, PERMUTATIONS), dtype=np.uint32)
    shares = {}
    for similarity in (0.9, 0.85, 0.5):
        other = np.where(rng.random(base.shape) < similarity, base, base + np.uint32(1))
        shares[similarity] = float((band_keys(base) == band_keys(other)).any(axis=1).mean())
    assert shares[0.9] >= 0.995
    assert shares[0.85] >= 0.95
    assert shares[0.5] <= 0.05
    bands = Bands()
    for row, values in enumerate(base):
        bands.add(row, values)
    bands.add(500, base[7])
    assert bands.query(base[7]) == [7, 500]
    assert bands.query(base[7] + np.uint32(1)) == []
