"""What is kept of a source file: its statements at module level, what they bind, import and use."""

from __future__ import annotations

import ast
import json
import warnings
from typing import Any, Final, NamedTuple

from .conditions import flattened
from .finder import UseFinder
from .offsets import Offsets, normalised
from .scopes import import_names, names_bound, within
from .uses import ItemUses

FACTS_VERSION: Final = 2
"""Of the format below and of how facts are found; files whose facts are older are parsed again."""

_NEVER_SOURCES: Final = frozenset({"torch", "numpy", "np", "typing", "os", "math", "sys", "functools", "collections"})
_CHANGING: Final = frozenset(
    {
        "append",
        "extend",
        "update",
        "register",
        "insert",
        "add",
        "setdefault",
        "pop",
        "remove",
        "clear",
        "load_state_dict",
    }
)


class ImportFact(NamedTuple):
    """One name bound by an import at module level.

    Attributes:
        module, level: what is imported, and how many dots stand before it.
        attribute: what is taken from it; empty: the module itself; ``.``: the root of a dotted module.
    """

    name: str
    module: str
    level: int
    attribute: str


class ClassFact(NamedTuple):
    """What discovery needs to know of a class.

    Attributes:
        bases: dotted names; those that are no names are left out.
        abstract: methods that are marked so.
    """

    bases: tuple[str, ...]
    methods: tuple[str, ...]
    abstract: tuple[str, ...]


class Item(NamedTuple):
    """One statement at module level.

    Attributes:
        kind: ``def``, ``class``, ``assign``, ``import``, or ``other``: a compound statement or an expression.
        rank: 0, or 1 where it does not run (see :func:`~.conditions.flattened`).
        start, end: offsets in bytes, decorators included.
        indent: columns before it.
        changes: module-level names that it does not bind but completes, as ``NAMES.append(...)`` does.
    """

    kind: str
    binds: tuple[str, ...]
    rank: int
    start: int
    end: int
    line: int
    indent: int
    imports: tuple[ImportFact, ...]
    changes: tuple[str, ...]
    klass: ClassFact | None


class FileFacts(NamedTuple):
    """The outline of a file. ``stars`` are modules and levels of star imports, ``exported`` is ``__all__``."""

    items: tuple[Item, ...]
    stars: tuple[tuple[str, int], ...]
    exported: tuple[str, ...] | None
    deferred: bool
    error: str

    def to_json(self) -> str:
        """One line; the same file gives the same text."""
        return json.dumps(self, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> FileFacts:
        """The inverse of :meth:`to_json`."""
        items, stars, exported, deferred, error = json.loads(text)
        return cls(
            tuple(_item(row) for row in items),
            tuple((module, level) for module, level in stars),
            None if exported is None else tuple(exported),
            deferred,
            error,
        )


def _item(row: list[Any]) -> Item:
    kind, binds, rank, start, end, line, indent, imports, changes, klass = row
    fact = None if klass is None else ClassFact(*(tuple(part) for part in klass))
    return Item(
        kind, tuple(binds), rank, start, end, line, indent, tuple(ImportFact(*i) for i in imports), tuple(changes), fact
    )


def read(source: bytes) -> tuple[FileFacts, list[ItemUses]]:
    """The facts of a file, and what each of its items uses. A file that Python cannot parse has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = normalised(source)
            # A coding line would be obeyed once more if bytes were parsed.
            tree = ast.parse(source.decode())
        return _facts(tree, source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return FileFacts((), (), None, False, f"{type(error).__name__}: {error}"), []


def _facts(tree: ast.Module, source: bytes) -> tuple[FileFacts, list[ItemUses]]:
    offsets = Offsets(source)
    statements = list(flattened(tree.body))
    deferred = any(
        isinstance(s, ast.ImportFrom) and s.module == "__future__" and _takes(s, "annotations") for s, _ in statements
    )
    imported = {name for s, _ in statements for name in _imported(s)}
    finder = UseFinder(offsets, frozenset(imported - _NEVER_SOURCES), deferred)
    items, uses = [], []
    stars: list[tuple[str, int]] = []
    for statement, rank in statements:
        if isinstance(statement, ast.ImportFrom) and (statement.module == "__future__" or _takes(statement, "*")):
            if statement.module != "__future__":
                stars.append((statement.module or "", statement.level))
            continue
        if isinstance(statement, ast.Import | ast.ImportFrom):
            found = ItemUses((), (), (), frozenset())
        else:
            found = finder.find(statement)
        items.append(_describe(statement, rank, offsets))
        uses.append(found)
    return FileFacts(tuple(items), tuple(stars), _exported(tree), deferred, ""), uses


def _takes(node: ast.ImportFrom, name: str) -> bool:
    return any(alias.name == name for alias in node.names)


def _imported(statement: ast.stmt) -> list[str]:
    """Names that imports of a statement bind at module level."""
    nodes = (n for n in within([statement]) if isinstance(n, ast.Import | ast.ImportFrom))
    return [found[0] for node in nodes for found in import_names(node)]


def _describe(statement: ast.stmt, rank: int, offsets: Offsets) -> Item:
    start, end = offsets.start(statement), offsets.end(statement)
    imports: tuple[ImportFact, ...] = ()
    klass = None
    binds: list[str] = []
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        binds = [statement.name]
        kind = "class" if isinstance(statement, ast.ClassDef) else "def"
        if statement.decorator_list:
            start = offsets.source.rfind(b"@", 0, offsets.start(statement.decorator_list[0]))
        if isinstance(statement, ast.ClassDef):
            klass = _class(statement)
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        kind = "import"
        imports = tuple(ImportFact(*found) for found in import_names(statement))
        binds = [found.name for found in imports]
    else:
        kind = "assign" if isinstance(statement, ast.Assign | ast.AnnAssign) else "other"
        for node in within([statement]):
            if isinstance(node, ast.Import | ast.ImportFrom):
                binds.extend(found[0] for found in import_names(node))
            else:
                binds.extend(names_bound(node))
    binds = list(dict.fromkeys(binds))
    changes = tuple(name for name in _changes(statement) if name not in binds)
    return Item(kind, tuple(binds), rank, start, end, statement.lineno, statement.col_offset, imports, changes, klass)


def _class(node: ast.ClassDef) -> ClassFact:
    bases = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases)
    names = tuple(ast.unparse(base) for base in bases if isinstance(base, ast.Name | ast.Attribute))
    methods: list[str] = []
    abstract: list[str] = []
    for inner in _class_level(node.body):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            methods.append(inner.name)
            if any("abstractmethod" in ast.unparse(decorator) for decorator in inner.decorator_list):
                abstract.append(inner.name)
        elif isinstance(inner, ast.Assign):
            methods.extend(target.id for target in inner.targets if isinstance(target, ast.Name))
    return ClassFact(names, tuple(methods), tuple(abstract))


def _class_level(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements of a class, those under conditions among them."""
    found: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.If):
            found.extend(_class_level([*statement.body, *statement.orelse]))
        else:
            found.append(statement)
    return found


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _changes(statement: ast.stmt) -> list[str]:
    """Names that a statement completes."""
    found: list[str | None] = []
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        # A function that a decorator enters into a registry: ``@_register_kernel(resize, Tensor)``, ``@size.register``.
        for decorator in statement.decorator_list:
            call = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(call, ast.Attribute) and call.attr == "register":
                found.append(_root(call))
            elif isinstance(decorator, ast.Call) and "register" in ast.unparse(call) and decorator.args:
                found.append(_root(decorator.args[0]))
        return [name for name in dict.fromkeys(found) if name is not None]
    if isinstance(statement, ast.ClassDef | ast.Import | ast.ImportFrom):
        return []
    for node in within([statement]):
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            found.append(_root(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value.func
            if isinstance(call, ast.Attribute) and call.attr in _CHANGING:
                found.append(_root(call.value))
    return [name for name in dict.fromkeys(found) if name is not None]


def _exported(tree: ast.Module) -> tuple[str, ...] | None:
    """The literal parts of ``__all__``."""
    names: list[str] = []
    seen = False
    for statement in tree.body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
            targets = [statement.target]
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            seen = True
            value = getattr(statement, "value", None)
            if value is not None:
                names.extend(
                    n.value for n in ast.walk(value) if isinstance(n, ast.Constant) and isinstance(n.value, str)
                )
    return tuple(names) if seen else None
