"""Hostile inputs for the fuzz tests, as hypothesis strategies: mutants of valid programs, and what was never one.

Every choice is hypothesis' own, so that a failing input shrinks and comes again with the same seed. Hypothesis draws
small recipes (names and numbers); plain functions turn a recipe into text, so that an input of 256 KiB costs no more
choices than one of 256 bytes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st
from netwright.tools.execution import MAX_SOURCE_BYTES
from netwright.tools.generators.headers import Header
from netwright.tools.generators.programs import random_program

LEAK = "netwright-fuzz-leak"
"""Name of every file that an input tries to leave behind, and of every process that tries to live on."""
VARIANTS = Path(__file__).parents[1] / "data" / "variants"
_POSITIONS = st.integers(0, 1 << 16)


@dataclass(frozen=True)
class Input:
    """Something to judge: text goes through ``validate``, bytes through ``validate_file``."""

    kind: str
    content: str | bytes


def _programs() -> list[str]:
    rng, digits = random.Random(0), Header((1, 8, 8), 10)
    written = [random_program(rng, digits).source for _ in range(24)]
    return [*(path.read_text(encoding="utf-8") for path in sorted(VARIANTS.glob("*.py"))), *written]


PROGRAMS = _programs()
programs = st.sampled_from(PROGRAMS)

TOKENS = (
    *("(", ")", "[", "]", "{", "}", ":", ";", "'", '"""', "#", "\\", "\\\n", "\0", "\t", "\f", "\r", "\x1a", "\x1b[2J"),
    *("\ufeff", "\u202e", "\ud800", "\u2028", "é" * 300, "lambda", "yield", "await ", "async ", "global x"),
    *("nonlocal x", "*", "**", "@", ":=", "->", "...", "0x", "1e999", "-1", "0", "10**6", "2**63", "9**9**9", "0.1"),
    *("None", "float('nan')", "''", "[]", "x[0]", "del x", "import absent", "from __future__ import braces", "raise"),
    *("return", "break", "continue", "assert 0", "super()", "self", "print('x' * 10**7)", "'x' * 10**10", "9" * 5000),
    *("f'{x!r:{x}'", "b'é'", "class Net: pass", "class Net(Net): pass", "match x:", "while True: pass", "exit()"),
)
CONFUSABLES = dict(zip("aeocpxiTnl(:,=1-' _\n", "аеосрхіТｎｌ（：，＝１−’\u00a0＿\u2028", strict=True))
STATEMENTS = (
    "import os, sys; os._exit(0)",
    "import sys; sys.exit('bye')",
    "import os; os.abort()",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "import os; [os.close(fd) for fd in range(3, 9)]",
    'import os; os.write(3, b\'{"kind": "ok", "result": {"ok": true, "stage": "backward", "params": 1}}\')',
    "import os; os.write(3, b'[' * 100_000); os._exit(0)",
    "import os; os.write(4, b'\\xff\\x00' * 50_000); os._exit(0)",
    "import os; os.write(4, b'build\\nno such stage\\n'); os._exit(3)",
    "import sys; sys.setrecursionlimit(10**9); f = lambda n: f(n + 1); f(0)",
    "import ctypes; ctypes.string_at(0)",
    "import sys; sys.modules.clear()",
    "import builtins; builtins.len = builtins.str = builtins.isinstance = None",
    "import json; json.dumps = lambda value: 'x' * 100",
    "import torch; torch.isfinite = torch.manual_seed = None",
    "import torch; torch.set_default_dtype(torch.float64); torch.set_num_threads(64)",
    "import torch; torch.nn.Module.__call__ = lambda self, x: torch.zeros(len(x), 10)",
    "import warnings; warnings.warn('x' * 10**6)",
    "print('\\x1b[2J\\r' * 1_000_000)",
    "x = bytearray(10**9) * 4",
    "x = [0] * 10**8; x = [list(x) for _ in range(99)]",
    "import os\nwhile True: os.fork()",
    "import threading, time\n[threading.Thread(target=time.sleep, args=(99,)).start() for _ in range(99)]",
    f"import os, time\nif os.fork() == 0:\n    os.setsid(); open('/tmp/{LEAK}', 'w').close(); time.sleep(999)",
    f"import subprocess\nsubprocess.Popen(['/bin/sh', '-c', 'sleep 999 # {LEAK}'], start_new_session=True)",
    f"for place in ('/tmp/', '/dev/shm/', '/var/tmp/', '', '/', '/netwright/'): open(place + '{LEAK}', 'w').write('x')",
    f"import tempfile; tempfile.NamedTemporaryFile(prefix='{LEAK}', delete=False)",
    "class E(Exception):\n    __str__ = lambda self: 'x' * 10**7\nraise E",
    "class E(BaseException):\n    def __str__(self): raise self\nraise E",
    "raise type('E\\x1b[2J\\ud800' * 500, (BaseException,), {})('\\x00\\u202e\\ud800\\n' * 5000)",
    "raise SyntaxError('x', ('<candidate>', -5, 0, 'text'))",
    "raise ExceptionGroup('x' * 10**6, [ValueError(i) for i in range(10**4)])",
    "import time; time.sleep(10**6)",
    "while True: pass",
)

_BOUNDARIES = [MAX_SOURCE_BYTES - 1, MAX_SOURCE_BYTES, MAX_SOURCE_BYTES + 1, 2 * MAX_SOURCE_BYTES, 1 << 22]
_FILLERS = ["#", "\n", " ", "x = 1\n", "pass;", "def f(): pass\n", "é", "(", "0,", "'", "\0", "\ud800", "@f\n"]
# What comes before each level, in the middle, and after each level.
_NESTS = [
    *[(opening, "1", closing) for opening, closing in ("()", "[]", "{}", ("f(", ")"), ("x[", "]"), ("{1:", "}"))],
    *[(prefix, "1", "") for prefix in ("-", "~", "not ", "lambda: ", "1 + ", "1 < ", "1 and ", "1 if 1 else ", "x = ")],
    *[(prefix, "1", "") for prefix in ("await ", "yield ", "*", "2 ** ", "'a' 'b' ", "1, ", "x.", "[x for x in ")],
    *[("(x := ", "1", ")"), ("[", "1", " for x in y]"), ("f'{", "1", "}'"), ("@f\n", "def f(): pass", "")],
    *[("if 1:\n{}", "pass", ""), ("def f():\n{}", "pass", ""), ("class A:\n{}", "pass", ""), ("try:\n{}", "pass", "")],
    *[("elif 1: pass\n", "", ""), ("with a:\n{}", "pass", ""), ("match 1:\n{}case 1:\n{}", "pass", "")],
]
_CODECS = ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-7", "latin-1", "shift_jis", "cp037", "punycode"]
_COOKIES = ["", "# -*- coding: utf-16 -*-\n", "# coding: rot13\n", "# vim: fileencoding=cp037 :\n", "# coding: \0\n"]
_BAD_BYTES = [b"\0", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\x80", b"\r"]


def _pieces(text: str, by_line: bool) -> list[str]:
    return text.splitlines(keepends=True) if by_line else re.findall(r"\w+|[^\S\n]+|\n|[^\w\s]", text)


def _edit(action: str) -> Callable[[str, int, int], str]:
    """An edit of lines or tokens: ``delete line``, ``swap token`` and so on."""
    verb, unit = action.split()

    def edit(text: str, first: int, second: int) -> str:
        pieces = _pieces(text, unit == "line")
        if not pieces:
            return text
        i, j = first % len(pieces), second % len(pieces)
        if verb == "delete":
            del pieces[i : i + 1 + second % 3]
        elif verb == "double":
            pieces.insert(j, pieces[i])
        elif verb == "swap":
            pieces[i], pieces[j] = pieces[j], pieces[i]
        elif verb == "indent":
            pieces[i] = ("    ", "\t", " ", "  \t")[second % 4] + pieces[i]
        else:
            pieces.insert(i, TOKENS[second % len(TOKENS)])
        return "".join(pieces)

    return edit


def _confuse(text: str, first: int, second: int) -> str:
    letters = [i for i, letter in enumerate(text) if letter in CONFUSABLES]
    if not letters:
        return text
    i = letters[first % len(letters)]
    if second % 2:  # everywhere
        return text.replace(text[i], CONFUSABLES[text[i]])
    return text[:i] + CONFUSABLES[text[i]] + text[i + 1 :]


def _splice(text: str, first: int, second: int) -> str:
    """The beginning of a program and the end of another."""
    other = PROGRAMS[first % len(PROGRAMS)]
    return text[: first % (len(text) + 1)] + other[second % len(other) :]


def _number(text: str, first: int, second: int) -> str:
    found = list(re.finditer(r"\d+", text))
    if not found:
        return text
    match = found[first % len(found)]
    new = ("0", "-1", "1", "3", "64", "4096", "100_000", "10**9", "2**31", "2**63", "0.5", "1e308", "1j")[second % 13]
    return text[: match.start()] + new + text[match.end() :]


def hostile(text: str, first: int, second: int) -> str:
    """A hostile statement after some line, indented like it."""
    lines = text.splitlines(keepends=True) or [""]
    i = first % len(lines)
    indent = " " * (len(lines[i]) - len(lines[i].lstrip(" ")))
    if lines[i].rstrip().endswith(":"):
        indent += "    "
    statement = STATEMENTS[second % len(STATEMENTS)]
    lines.insert(i + 1, "".join(f"{indent}{line}\n" for line in statement.splitlines()))
    return "".join(lines)


_ACTIONS = ("delete line", "double line", "swap line", "indent line", "delete token", "double token", "swap token")
EDITS: dict[str, Callable[[str, int, int], str]] = {
    **{action: _edit(action) for action in (*_ACTIONS, "insert token")},
    "confuse": _confuse,
    "splice": _splice,
    "number": _number,
    "truncate": lambda text, first, second: text[: first % (len(text) + 1)],
}


@st.composite
def edited(draw: st.DrawFn) -> str:
    """A program after one to five edits."""
    text = draw(programs)
    recipe = st.tuples(st.sampled_from(sorted(EDITS)), _POSITIONS, _POSITIONS)
    for action, first, second in draw(st.lists(recipe, min_size=1, max_size=5)):
        text = EDITS[action](text, first, second)
    return text


def _nest(form: tuple[str, str, str], depth: int) -> str:
    opening, middle, closing = form
    if "{}" in opening and opening != "{}":  # blocks, one level further in each time
        depth = min(depth, 700)
        return "".join(opening.replace("{}", " " * (level + 1)) for level in range(depth)) + middle + "\n"
    return opening * depth + middle + closing * depth


def _place(program: str, text: str, where: int) -> str:
    """A nest before a program, after it, instead of it, or in the middle of it."""
    lines = program.splitlines(keepends=True)
    middle = f"{''.join(lines[: where % len(lines)])}        x = {text}\n{''.join(lines[where % len(lines) :])}"
    return (f"{text}\n{program}", f"{program}\n{text}\n", text, middle)[where % 4]


def _grow(program: str, filler: str, size: int, before: bool) -> str:
    """A program with as many fillers as fit into ``size`` bytes."""
    room = max(0, size - len(program.encode()))
    text = filler * (room // len(filler.encode("utf-8", "surrogatepass")))
    return text + program if before else program + text


def _encode(program: str, cookie: str, codec: str) -> bytes:
    return (cookie + program).encode(codec, "replace")


def _damage(program: str, places: list[tuple[int, bytes]]) -> bytes:
    raw = bytearray(program.encode())
    for at, bad in places:
        raw[at % (len(raw) + 1) : at % (len(raw) + 1)] = bad
    return bytes(raw)


depths = st.sampled_from([5, 20, 33, 90, 99, 101, 199, 201, 700, 1500, 6000, 30_000, 90_000])
nested = st.builds(_place, programs, st.builds(_nest, st.sampled_from(_NESTS), depths), _POSITIONS)
grown = st.builds(_grow, programs, st.sampled_from(_FILLERS), st.sampled_from(_BOUNDARIES), st.booleans())
encoded = st.builds(_encode, programs, st.sampled_from(_COOKIES), st.sampled_from(_CODECS))
damaged = st.builds(
    _damage, programs, st.lists(st.tuples(_POSITIONS, st.sampled_from(_BAD_BYTES)), min_size=1, max_size=4)
)
noise = st.text(st.characters(exclude_categories=()), max_size=200)
KINDS: dict[str, tuple[int, st.SearchStrategy[str | bytes]]] = {
    "edited": (45, edited()),
    "hostile": (8, st.builds(hostile, programs, _POSITIONS, _POSITIONS)),
    "nested": (10, nested),
    "noise": (3, noise),
    "bytes": (3, st.binary(max_size=300)),
    "encoded": (3, encoded),
    "damaged": (4, damaged),
    "huge": (2, grown),
}
"""Kind of input -> its share in percent (the rest are syntax trees, see ``trees``), and how it is drawn."""
