"""Names in a Python text that nothing defines, and imports that tie it to a place: a checker of its own.

It shares no code with the extractor, so that one's mistake cannot hide the other's. A text is read as data and never
run. What counts as defined is what Python's scopes say (local, enclosing, global, builtin), wherever in the scope the
binding stands; annotations count too, those that are strings or are never evaluated among them.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from .names_scopes import Scope, ScopeKind, bound_by_import, bound_by_pattern, deleted_at_the_end, exported

Kind = Literal["undefined", "star import", "relative import", "source import"]

# What the import system puts into each module, and a builtin of one platform.
_ALWAYS: Final = frozenset(dir(builtins)) - {"_"} | {
    "__file__",
    "__name__",
    "__doc__",
    "__package__",
    "__spec__",
    "__loader__",
    "__builtins__",
    "__annotations__",
    "__dict__",
    "WindowsError",
}
_IN_CLASSES: Final = ("__module__", "__qualname__", "__annotations__")
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True, order=True)
class NameFault:
    """One thing that keeps a text from standing alone; ``name`` is the name, or the module of an import."""

    line: int
    name: str
    kind: Kind

    def __str__(self) -> str:
        return f"line {self.line}: {self.kind} {self.name}"


class _Place(NamedTuple):
    """Where a node stands.

    Attributes:
        typing: only type checkers come here: string annotations, ``if TYPE_CHECKING``.
        guarded: a ``NameError`` is caught here.
        owner: the class whose body this is in, which renames ``__private`` names.
    """

    scope: Scope
    typing: bool = False
    guarded: bool = False
    owner: str = ""


def faults(text: str, refused: Iterable[str] = ()) -> list[NameFault]:
    """What is wrong with the names of a module's text, by line.

    Args:
        refused: top-level packages that must not be imported, not even within a function.

    Raises:
        SyntaxError: the text is no Python.
        ValueError: it has a null byte, or is nested too deeply to be read.
    """
    try:
        tree = ast.parse(text)
    except (RecursionError, MemoryError) as error:
        raise ValueError("the text is nested too deeply for Python's parser") from error
    return _Names(tree, frozenset(refused)).faults()


class _Names:
    """All scopes of one module: first every binding and use is noted, then the uses are looked up."""

    def __init__(self, tree: ast.Module, refused: frozenset[str]) -> None:
        self._tree = tree
        self._refused = refused
        self._scopes: list[Scope] = []
        self._module = self._scope("module", None)
        self._found: set[NameFault] = set()
        self._uses: list[tuple[str, int, _Place]] = []
        self._strings: dict[str, ast.expr | None] = {}
        # A list of what is left instead of recursion: texts may be nested deeper than Python's own stack.
        self._pending: list[tuple[ast.AST, _Place]] = []
        self._deferred = any(
            isinstance(node, ast.ImportFrom) and node.module == "__future__" and _names(node, "annotations")
            for node in tree.body
        )

    def faults(self) -> list[NameFault]:
        """Everything found, sorted."""
        self._later(self._tree.body, _Place(self._module))
        while self._pending:
            node, place = self._pending.pop()
            handler = getattr(self, f"_on_{type(node).__name__}", None)
            if handler is None:
                self._later(ast.iter_child_nodes(node), place)
            else:
                handler(node, place)
        for scope in self._scopes:
            scope.send_globals()
        gone = deleted_at_the_end(self._tree)
        for name, line, place in self._uses:
            if not self._known(name, place, gone):
                self._found.add(NameFault(line, name, "undefined"))
        for name, line in exported(self._tree):
            if name not in self._module.bound:
                self._found.add(NameFault(line, name, "undefined"))
        return sorted(self._found)

    def _known(self, name: str, place: _Place, gone: set[str]) -> bool:
        plain, name = name, _mangled(name, place.owner)
        if name == "__class__" and place.scope.in_method():
            return True
        scope = place.scope.lookup(name, place.typing)
        if scope is self._module:
            # Code of functions runs when the module is complete.
            return name not in gone or not place.scope.deferred()
        return scope is not None or plain in _ALWAYS

    def _scope(self, kind: ScopeKind, around: _Place | None, bound: set[str] | None = None) -> Scope:
        made = Scope(kind, around.scope if around is not None else None, bound)
        self._scopes.append(made)
        return made

    def _later(self, nodes: Iterable[ast.AST | None], place: _Place) -> None:
        self._pending.extend((node, place) for node in nodes if node is not None)

    def _bind(self, name: str, place: _Place) -> None:
        place.scope.bind(_mangled(name, place.owner), place.typing)

    # Names.

    def _on_Name(self, node: ast.Name, place: _Place) -> None:
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id, place)
        elif not place.guarded:
            self._uses.append((node.id, node.lineno, place))

    def _on_NamedExpr(self, node: ast.NamedExpr, place: _Place) -> None:
        place.scope.without("comprehension").bind(_mangled(node.target.id, place.owner), place.typing)
        self._later([node.value], place)

    def _on_Global(self, node: ast.Global, place: _Place) -> None:
        for name in node.names:
            place.scope.without("handler").globals.add(_mangled(name, place.owner))

    def _on_MatchAs(self, node: ast.MatchAs | ast.MatchStar | ast.MatchMapping, place: _Place) -> None:
        name = bound_by_pattern(node)
        if name is not None:
            self._bind(name, place)
        self._later(ast.iter_child_nodes(node), place)

    _on_MatchStar = _on_MatchAs
    _on_MatchMapping = _on_MatchAs

    # Imports.

    def _on_Import(self, node: ast.Import | ast.ImportFrom, place: _Place) -> None:
        module = getattr(node, "module", None)
        level = getattr(node, "level", 0)
        if level:
            self._found.add(NameFault(node.lineno, "." * level + (module or ""), "relative import"))
        for full in [alias.name for alias in node.names] if isinstance(node, ast.Import) else [module or ""]:
            if not level and full.partition(".")[0] in self._refused:
                self._found.add(NameFault(node.lineno, full, "source import"))
        for name in bound_by_import(node):
            if name == "*":
                self._found.add(NameFault(node.lineno, module or ".", "star import"))
            else:
                self._bind(name, place)

    _on_ImportFrom = _on_Import

    # Statements with rules of their own.

    def _on_If(self, node: ast.If, place: _Place) -> None:
        self._later([node.test, *node.orelse], place)
        only_typing = getattr(node.test, "id", getattr(node.test, "attr", "")) == "TYPE_CHECKING"
        self._later(node.body, place._replace(typing=place.typing or only_typing))

    def _on_Try(self, node: ast.Try, place: _Place) -> None:
        caught = {name.id for handler in node.handlers for name in _all_names(handler.type)}
        self._later(node.body, place._replace(guarded=place.guarded or "NameError" in caught))
        self._later([*node.handlers, *node.orelse, *node.finalbody], place)

    _on_TryStar = _on_Try

    def _on_ExceptHandler(self, node: ast.ExceptHandler, place: _Place) -> None:
        self._later([node.type], place)
        if node.name is not None:
            # Python deletes the name at the handler's end, so it is known only within.
            place = place._replace(scope=self._scope("handler", place, {_mangled(node.name, place.owner)}))
        self._later(node.body, place)

    def _on_AnnAssign(self, node: ast.AnnAssign, place: _Place) -> None:
        if node.value is not None or not isinstance(node.target, ast.Name):
            self._later([node.target, node.value], place)
        # Annotations of a function's own variables are never evaluated.
        self._annotation(node.annotation, place, never=place.scope.deferred())

    # Scopes.

    def _on_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef, place: _Place) -> None:
        self._bind(node.name, place)
        self._later(node.decorator_list, place)
        outer = self._with_type_parameters(node, place)
        self._annotation(node.returns, outer)
        self._function(node.args, node.body, place, outer)

    _on_AsyncFunctionDef = _on_FunctionDef

    def _on_Lambda(self, node: ast.Lambda, place: _Place) -> None:
        self._function(node.args, [node.body], place, place)

    def _function(self, args: ast.arguments, body: Iterable[ast.AST], place: _Place, outer: _Place) -> None:
        self._later([*args.defaults, *args.kw_defaults], place)
        inner = place._replace(scope=self._scope("function", outer), guarded=False)
        rest = [each for each in (args.vararg, args.kwarg) if each is not None]
        for arg in [*args.posonlyargs, *args.args, *args.kwonlyargs, *rest]:
            self._bind(arg.arg, inner)
            self._annotation(arg.annotation, outer)
        self._later(body, inner)

    def _on_ClassDef(self, node: ast.ClassDef, place: _Place) -> None:
        self._bind(node.name, place)
        self._later(node.decorator_list, place)
        outer = self._with_type_parameters(node, place)
        self._later([*node.bases, *node.keywords], outer)
        scope = self._scope("class", outer, set(_IN_CLASSES))
        self._later(node.body, place._replace(scope=scope, owner=node.name))

    def _with_type_parameters(self, node: Any, place: _Place) -> _Place:
        """The place of what may use ``def f[T]``'s own names (Python 3.12)."""
        parameters = getattr(node, "type_params", [])
        if not parameters:
            return place
        inner = place._replace(scope=self._scope("types", place, {each.name for each in parameters}))
        self._later((getattr(each, part, None) for each in parameters for part in ("bound", "default_value")), inner)
        return inner

    def _on_TypeAlias(self, node: Any, place: _Place) -> None:
        self._bind(node.name.id, place)
        self._later([node.value], self._with_type_parameters(node, place))

    def _on_ListComp(self, node: _COMPREHENSIONS, place: _Place) -> None:
        inner = place._replace(scope=self._scope("comprehension", place))
        # The first iterable is evaluated outside; in a class that makes a difference.
        self._later([node.generators[0].iter], place)
        for number, each in enumerate(node.generators):
            self._later([each.target, *each.ifs, *([each.iter] if number else [])], inner)
        self._later([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt], inner)

    _on_SetComp = _on_ListComp
    _on_DictComp = _on_ListComp
    _on_GeneratorExp = _on_ListComp

    # Annotations.

    def _on_Call(self, node: ast.Call, place: _Place) -> None:
        """Types in strings are arguments of ``cast`` and ``TypeVar`` too."""
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        types = node.args[1:] if called == "TypeVar" else []
        if called == "cast" and len(node.args) == 2:  # with one argument it is a buffer's method
            types = node.args[:1]
        bounds = [word.value for word in node.keywords if called == "TypeVar" and word.arg == "bound"]
        for each in [*types, *bounds]:
            self._string(each, place)
        self._later(ast.iter_child_nodes(node), place)

    def _annotation(self, node: ast.expr | None, place: _Place, never: bool = False) -> None:
        if node is None:
            return
        place = place._replace(typing=place.typing or self._deferred or never)
        for part in _type_parts(node):
            if isinstance(part, ast.Constant):
                self._string(part, place)
            else:
                self._later([part], place)

    def _string(self, node: ast.expr, place: _Place) -> None:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            return
        if node.value not in self._strings:
            self._strings[node.value] = _parsed(node.value)
        parsed = self._strings[node.value]
        if parsed is not None:
            for each in ast.walk(parsed):
                if isinstance(each, ast.Name):
                    self._uses.append((each.id, node.lineno, place._replace(typing=True)))


def _parsed(text: str) -> ast.expr | None:
    """The expression of a string annotation; what is none is prose and names nothing."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _type_parts(annotation: ast.expr) -> Iterator[ast.expr]:
    """The names and strings of an annotation that stand for types: not the values of ``Literal["a"]``."""
    pending = [annotation]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Subscript):
            outer = getattr(node.value, "id", getattr(node.value, "attr", ""))
            yield node.value
            if outer == "Annotated" and isinstance(node.slice, ast.Tuple):
                pending.append(node.slice.elts[0])
                yield from (each for each in node.slice.elts[1:] if not isinstance(each, ast.Constant))
            elif outer != "Literal":
                pending.append(node.slice)
        elif isinstance(node, ast.Tuple | ast.List):
            pending.extend(node.elts)
        elif isinstance(node, ast.BinOp):
            pending += [node.left, node.right]
        else:
            yield node


def _names(node: ast.ImportFrom, name: str) -> bool:
    return any(alias.name == name for alias in node.names)


def _all_names(node: ast.expr | None) -> list[ast.Name]:
    return [] if node is None else [each for each in ast.walk(node) if isinstance(each, ast.Name)]


def _mangled(name: str, owner: str) -> str:
    """A ``__private`` name as Python stores it within a class."""
    owner = owner.lstrip("_")
    private = owner and name.startswith("__") and not name.endswith("__") and "." not in name
    return f"_{owner}{name}" if private else name
