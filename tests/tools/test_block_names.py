"""The checker of undefined names: Python's scopes, case by case, and the standard library as a whole."""

from __future__ import annotations

import ast
import random
import symtable
import sys
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netwright.tools.blocks.names import faults

STDLIB = Path(sysconfig.get_paths()["stdlib"])

CLEAN = {
    "builtins and module attributes": "print(__file__, __name__, __doc__, __spec__, WindowsError)",
    "forward use in a function": "def f():\n    return g()\ndef g(): return 1",
    "comprehension": "rows = [x for y in [[1]] for x in y if x]",
    "comprehension in a class, first iterable": "class A:\n    n = 3\n    m = [x for x in range(n)]",
    "walrus out of a comprehension": "any((last := x) for x in [1])\nprint(last)",
    "global": "def f():\n    global made\n    made = 1\ndef g():\n    return made",
    "global in a handler": "def f():\n  try: pass\n  except OSError as e:\n    global made\n    made = e\nprint(made)",
    "nonlocal": "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n    return g, x",
    "except as, within": "try:\n    pass\nexcept OSError as error:\n    print(error, [error for _ in ()])",
    "except as, otherwise bound too": "error = None\ntry:\n    pass\nexcept OSError as error:\n    pass\nprint(error)",
    "name error caught": "try:\n    unicode\nexcept NameError:\n    unicode = str",
    "match": "match [1]:\n  case [a, *b] | {'k': a, **b}:\n    print(a, b)\n  case str() as c:\n    print(c)",
    "__class__ and super": "class A:\n    def f(self):\n        return super().f, __class__",
    "class attributes in the class": "class A:\n    x = 1\n    y = x\n    print(__qualname__, __module__)",
    "private": "class A:\n    __x = 1\n    y = __x",
    "string annotations": "import torch\ndef f(x: 'torch.Tensor | None') -> 'list[A]': ...\nclass A: ...",
    "literal": "from typing import Annotated, Literal\nx: Literal['a', 'b'] = 'a'\ny: Annotated[int, 'prose here'] = 1",
    "typing imports in deferred annotations": (
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from a import B\ndef f(x: B): ..."
    ),
    "typing imports in strings": "import typing\nif typing.TYPE_CHECKING:\n    from a import B\nx: 'B' = 1",
    "cast and TypeVar": "from typing import TypeVar, cast\nclass A: ...\nT = TypeVar('T', bound='A')\nx = cast('A', 1)",
    "cast of a buffer": "print(memoryview(b'').cast('B'))",
    "decorator, default, base": "import a\n@a.d\nclass C(a.B, metaclass=a.M):\n    def f(self, x=a.x, *, y=a.y): ...",
    "del and again": "x = 1\ndel x\nx = 2\ndef f(): return x",
    "lambda": "f = lambda a, *b, c=1, **d: (a, b, c, d)",
    "with, for, star": "with open('f') as (a, b):\n    pass\nfor i, *j in []: print(i, j, a, b)",
    "__all__": "__all__ = ['f']\n__all__ += ['g']\ndef f(): ...\ndef g(): ...",
}
FAULTY = {
    "plain": ("print(absent)", "absent"),
    "in a method": ("class A:\n    def f(self):\n        return absent(self)", "absent"),
    "class attribute in a method": ("class A:\n    x = 1\n    def f(self):\n        return x", "x"),
    "class attribute in a comprehension": ("class A:\n    n = 3\n    m = [n for _ in range(n)]", "n"),
    "local of another function": ("def f():\n    x = 1\ndef g():\n    return x", "x"),
    "comprehension variable after it": ("[x for x in ()]\nprint(x)", "x"),
    "except as, after": ("try:\n    pass\nexcept OSError as error:\n    pass\nprint(error)", "error"),
    "deleted": ("x = 1\ndel x\ndef f():\n    return x", "x"),
    "annotation": ("def f(x: Absent): ...", "Absent"),
    "deferred annotation": ("from __future__ import annotations\nx: Absent", "Absent"),
    "string annotation": ("def f() -> 'list[Absent]': ...", "Absent"),
    "annotation of a local": ("def f():\n    x: Absent = 1", "Absent"),
    "nested string annotation": ("from typing import Optional\nx: Optional['Absent'] = None", "Absent"),
    "typing import at run time": ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a import B\nB()", "B"),
    "typing import in a plain annotation": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a import B\ndef f(x: B): ...",
        "B",
    ),
    "annotation alone binds nothing": ("x: int\nprint(x)", "x"),
    "decorator": ("@absent\ndef f(): ...", "absent"),
    "default": ("def f(x=absent): ...", "absent"),
    "base": ("class A(Absent): ...", "Absent"),
    "f-string": ("x = 1\nprint(f'{x:>{absent}}')", "absent"),
    "global never bound": ("def f():\n    global x\n    return x", "x"),
    "__all__": ("__all__ = ['absent']", "absent"),
    "__class__ outside": ("def f():\n    return __class__", "__class__"),
    "private global in a class": ("class A:\n    def f(self):\n        return __absent", "__absent"),
    "del of nothing": ("del absent", "absent"),
    "TypeVar bound": ("from typing import TypeVar\nT = TypeVar('T', bound='Absent')", "Absent"),
    "augmented": ("def f():\n    return absent\nlist.x += absent", "absent"),
}


@pytest.mark.parametrize("case", CLEAN)
def test_what_is_defined_is_not_reported(case: str) -> None:
    assert faults(CLEAN[case]) == []


@pytest.mark.parametrize("case", FAULTY)
def test_what_is_undefined_is_reported(case: str) -> None:
    text, name = FAULTY[case]
    assert {(fault.kind, fault.name) for fault in faults(text)} == {("undefined", name)}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with Python 3.12")
def test_type_parameters() -> None:
    text = (
        "def f[T: Absent](x: T) -> T: ...\nclass A[S]:\n  y: S\n  def f(self) -> S: ...\ntype X[R] = list[R]\nprint(T)"
    )
    assert [(fault.line, fault.name) for fault in faults(text)] == [(1, "Absent"), (6, "T")]


def test_imports_that_tie_a_text_to_a_place() -> None:
    text = (
        "def f():\n    import timm.layers as t\n    from timm import x\n    t, x\nfrom . import y\nfrom math import *"
    )
    assert [str(fault) for fault in faults(text, ["timm"])] == [
        "line 2: source import timm.layers",
        "line 3: source import timm",
        "line 5: relative import .",
        "line 6: star import math",
    ]
    assert faults("import timmy\nprint(timmy)", ["timm"]) == []


def test_lines_are_told() -> None:
    found = faults("import torch\n\n\ndef f(x):\n    return x + y\n\n\nprint(z)\n")
    assert [(fault.line, fault.name) for fault in found] == [(5, "y"), (8, "z")]


@pytest.mark.parametrize("text", ["def f(:", "x = 1\0", "(" * 5000 + ")" * 5000])
def test_no_python_is_an_error(text: str) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        faults(text)


def test_depth_does_not_matter() -> None:
    text = "if a0: pass\n" + "".join(f"elif a{n}: pass\n" for n in range(1, 80))
    assert len(faults(text)) == 80
    assert [fault.name for fault in faults("x" + " + x" * 800)] == ["x"]


# Their undefined names are meant: tables filled through globals(), the caller's namespace, names deleted after use.
KNOWN = {"xmlrpc/client.py", "http/client.py", "inspect.py", "ssl.py", "plistlib.py", "turtle.py", "opcode.py"}


def library() -> list[Path]:
    folders = ["asyncio", "concurrent", "ctypes", "dbm", "html", "importlib", "json", "urllib", "wsgiref", "xml/etree"]
    found = [*STDLIB.glob("*.py"), *(path for folder in folders for path in (STDLIB / folder).glob("*.py"))]
    return sorted(path for path in found if str(path.relative_to(STDLIB)) not in KNOWN)


def test_the_standard_library_is_clean() -> None:
    paths = library()
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    undefined = [
        (str(path.relative_to(STDLIB)), str(fault))
        for path, text in texts.items()
        if "import *" not in text
        for fault in faults(text)
        if fault.kind == "undefined" and path.name != "__init__.py"
    ]
    assert len(paths) > 200
    assert undefined == []


def test_a_removed_import_is_reported() -> None:
    """Take one import out of each file: the name is missed, if and only if the compiler would look for it."""
    rng = random.Random(0)
    missed = 0
    for path in library()[::4]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [node for node in tree.body if isinstance(node, ast.Import) and len(node.names) == 1]
        if not imports or any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for n in ast.walk(tree)):
            continue
        taken = rng.choice(imports)
        name = taken.names[0].asname or taken.names[0].name.partition(".")[0]
        tree.body.remove(taken)
        text = ast.unparse(tree)
        looked_for = _global_names(text)
        found = {fault.name for fault in faults(text) if fault.kind == "undefined"}
        if name in looked_for["used"] and name not in looked_for["bound"]:
            assert name in found, path
            missed += 1
        elif name not in looked_for["used"]:
            assert name not in found or "import " + name in text or f"'{name}" in text, path
    assert missed > 30


def _global_names(text: str) -> dict[str, set[str]]:
    """Names that functions and the module look for in the module, and those it binds, by Python's own symbol table."""
    used: set[str] = set()
    bound: set[str] = set()
    pending = [symtable.symtable(text, "<text>", "exec")]
    while pending:
        table = pending.pop()
        pending += table.get_children()
        for symbol in table.get_symbols():
            if table.get_type() == "module":
                bound |= {symbol.get_name()} if symbol.is_assigned() or symbol.is_imported() else set()
                used |= {symbol.get_name()} if symbol.is_referenced() else set()
            elif symbol.is_global():
                used |= {symbol.get_name()} if symbol.is_referenced() else set()
                bound |= {symbol.get_name()} if symbol.is_assigned() else set()
    return {"used": used, "bound": bound}


NAMES = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def programs(draw: st.DrawFn, depth: int = 0) -> str:
    """Small programs of nested functions, classes, comprehensions and assignments."""
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["use", "bind", "import", "comprehension", "function", "class", "lambda"]))
        one, two = draw(NAMES), draw(NAMES)
        if kind in ("function", "class") and depth < 3:
            body = draw(programs(depth=depth + 1))
            head = f"def {one}({two}):" if kind == "function" else f"class {one}({two}):"
            lines += [head, *("    " + line for line in body.splitlines())]
        else:
            plain = {
                "bind": f"{one} = {two}",
                "import": f"import {one}",
                "comprehension": f"print([{one} for {two} in {one} if {two}])",
                "lambda": f"print(lambda {one}: {one} + {two})",
            }
            lines.append(plain.get(kind, f"print({one})"))
    return "\n".join(lines)


@settings(max_examples=150, deadline=None)
@given(programs())
def test_agrees_with_pythons_own_symbol_table(text: str) -> None:
    names = _global_names(text)
    expected = (names["used"] - names["bound"]) & set("abcd")
    assert {fault.name for fault in faults(text)} == expected
