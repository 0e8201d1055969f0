"""Walks one statement of a module and notes what it uses."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .offsets import Offsets
from .scopes import Scope, import_names, names_bound, parameters, within
from .uses import (
    ALIAS,
    ANNOTATION,
    CALLED,
    EAGER,
    GLOBAL,
    LOOSE,
    PARAMETER,
    STORE,
    STRING,
    Decorator,
    ItemUses,
    LocalImport,
    Use,
)

_UNREAD = ("Literal",)  # strings in their brackets are no annotations


class UseFinder:
    """Finds what statements use.

    Args:
        offsets: of the file.
        chained: names whose attributes matter, because an import may bind them to a module of a source.
        deferred: the file has ``from __future__ import annotations``.
    """

    def __init__(self, offsets: Offsets, chained: frozenset[str], deferred: bool) -> None:
        self._offsets = offsets
        self._chained = chained
        self._deferred = deferred
        self._handlers: dict[type[ast.AST], Callable[[Any], None]] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Call: self._call,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.Lambda: self._lambda,
            ast.ClassDef: self._class,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.DictComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.AnnAssign: self._ann_assign,
            ast.Subscript: self._subscript,
            ast.Constant: self._constant,
            ast.JoinedStr: self._joined,
            ast.Import: self._import,
            ast.ImportFrom: self._import,
            ast.Global: self._global,
            ast.ExceptHandler: self._bind_and_go,
            ast.MatchAs: self._bind_and_go,
            ast.MatchStar: self._bind_and_go,
            ast.MatchMapping: self._bind_and_go,
        }
        self._reset()

    def _reset(self) -> None:
        self._uses: list[Use] = []
        self._imports: list[LocalImport] = []
        self._decorators: list[Decorator] = []
        self._bound: set[str] = set()
        self._scope: Scope | None = None
        self._flags = EAGER
        self._loose: ast.AST | None = None

    def find(self, node: ast.stmt) -> ItemUses:
        """What a statement at module level uses."""
        self._reset()
        self._visit(node)
        return ItemUses(tuple(self._uses), tuple(self._imports), tuple(self._decorators), frozenset(self._bound))

    # -- names

    def _visit(self, node: ast.AST) -> None:
        handler = self._handlers.get(type(node))
        if handler is not None:
            handler(node)
            return
        for child in ast.iter_child_nodes(node):
            self._visit(child)

    def _all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self._visit(node)

    @contextmanager
    def _with(self, add: int = 0, drop: int = 0) -> Iterator[None]:
        before = self._flags
        self._flags = (self._flags | add) & ~drop
        try:
            yield
        finally:
            self._flags = before

    def _place(self, name: str) -> int | None:
        """-1: module scope; the number of an import within a function; ``None``: local."""
        if self._scope is None:
            return -1
        found = self._scope.find(name)
        if found == "module":
            return -1
        return found.imports.get(name)

    def _note(self, name: str, node: ast.AST, chain: tuple[tuple[str, int], ...], whole: ast.AST, flags: int) -> None:
        place = self._place(name)
        if place is None:
            return
        start = self._offsets.start(node)
        end = start + len(name.encode())
        span = self._loose
        if span is not None and self._offsets.source[start:end] != name.encode():
            flags |= LOOSE
            start, end = self._offsets.start(span), self._offsets.end(span)
            chain = tuple((attribute, -1) for attribute, _ in chain)
            whole = span
        cut = (self._offsets.start(whole), self._offsets.end(whole))
        self._uses.append(Use(name, start, end, flags, chain, *cut, place))

    def _name(self, node: ast.Name) -> None:
        self._reach(node, node)

    def _attribute(self, node: ast.Attribute) -> None:
        self._reach(node, node)

    def _reach(self, node: ast.expr, whole: ast.expr, flags: int = 0) -> None:
        """A name with its attributes; ``whole`` is what goes when it goes."""
        links: list[ast.Attribute] = []
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            links.append(root)
            root = root.value
        if not isinstance(root, ast.Name):
            self._visit(root)
            return
        if not isinstance(root.ctx, ast.Load):
            self._store(root)
            return
        chain: tuple[tuple[str, int], ...] = ()
        place = self._place(root.id)
        if place is not None and (place >= 0 or root.id in self._chained):
            chain = tuple((link.attr, self._offsets.end(link)) for link in reversed(links))
        self._note(root.id, root, chain, whole, self._flags | flags)

    def _store(self, node: ast.Name) -> None:
        if self._scope is None or self._scope.find(node.id) == "module":
            self._note(node.id, node, (), node, (self._flags | STORE) & ~CALLED)
        if self._scope is not None:
            if self._scope.kind == "class":
                self._scope.bound.add(node.id)
            self._bound.add(node.id)

    def _call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name | ast.Attribute):
            self._reach(node.func, node.func, CALLED)
        else:
            self._visit(node.func)
        self._all((*node.args, *node.keywords))

    # -- scopes

    def _decorated(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            call = decorator.func if isinstance(decorator, ast.Call) else decorator
            links = []
            while isinstance(call, ast.Attribute):
                links.append(call.attr)
                call = call.value
            start = self._offsets.source.rfind(b"@", 0, self._offsets.start(decorator))
            name = call.id if isinstance(call, ast.Name) else ""
            chain = ".".join(reversed(links))
            top = self._scope is None
            self._decorators.append(Decorator(name, chain, start, self._offsets.end(decorator), top))
            if isinstance(decorator, ast.Name | ast.Attribute):
                self._reach(decorator, decorator, CALLED)
            else:
                self._visit(decorator)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._decorated(node)
        self._def_name(node, b"def")
        self._all((*node.args.defaults, *node.args.kw_defaults))
        constructor = PARAMETER if node.name == "__init__" else 0
        for arg in parameters(node.args):
            self._annotation(arg.annotation, constructor)
        self._annotation(node.returns)
        self._body(node.args, node.body)

    def _lambda(self, node: ast.Lambda) -> None:
        self._all((*node.args.defaults, *node.args.kw_defaults))
        self._body(node.args, [node.body])

    def _body(self, arguments: ast.arguments, body: list[Any]) -> None:
        scope = Scope("function", self._scope, {arg.arg for arg in parameters(arguments)})
        self._fill(scope, body)
        self._bound |= scope.bound
        before, self._scope = self._scope, scope
        with self._with(drop=EAGER | CALLED | ANNOTATION):
            self._all(body)
        self._scope = before

    def _fill(self, scope: Scope, body: list[Any]) -> None:
        """Everything that a function's body binds, before any of it is looked up."""
        imported: list[tuple[ast.Import | ast.ImportFrom, tuple[str, str, int, str]]] = []
        for node in within(body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                imported.extend((node, found) for found in import_names(node))
            elif isinstance(node, ast.Global):
                scope.outside.update(node.names)
            elif isinstance(node, ast.Nonlocal):
                scope.enclosing.update(node.names)
            else:
                scope.bound.update(names_bound(node))
        others = scope.bound | scope.outside
        targets: dict[str, set[tuple[str, int, str]]] = {}
        for _, (name, *target) in imported:
            targets.setdefault(name, set()).add((str(target[0]), int(str(target[1])), str(target[2])))
        for node, (name, module, level, attribute) in imported:
            pure = name not in others and len(targets[name]) == 1
            if pure:
                scope.imports.setdefault(name, len(self._imports))
            span = (self._offsets.start(node), self._offsets.end(node))
            self._imports.append(LocalImport(name, module, level, attribute, *span, pure))
        scope.bound.update(targets)

    def _class(self, node: ast.ClassDef) -> None:
        self._decorated(node)
        self._def_name(node, b"class")
        for base in node.bases:
            inner = base.value if isinstance(base, ast.Subscript) else base
            if isinstance(inner, ast.Name | ast.Attribute):
                self._reach(inner, base, CALLED)
                if isinstance(base, ast.Subscript):
                    self._visit(base.slice)
            else:
                self._visit(base)
        self._all(keyword.value for keyword in node.keywords)
        scope = Scope("class", self._scope)
        scope.bound.update(("__module__", "__qualname__"))
        before, self._scope = self._scope, scope
        for statement in node.body:
            self._class_statement(scope, statement)
        self._scope = before

    def _class_statement(self, scope: Scope, statement: ast.stmt) -> None:
        for inner in within([statement]):
            if isinstance(inner, ast.Import | ast.ImportFrom):
                for name, module, level, attribute in import_names(inner):
                    span = (self._offsets.start(inner), self._offsets.end(inner))
                    scope.bound.add(name)
                    self._imports.append(LocalImport(name, module, level, attribute, *span, False))
        self._visit(statement)

    def _def_name(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, keyword: bytes) -> None:
        if self._scope is None or (self._scope.find(node.name) == "module" and self._scope.kind != "class"):
            at = self._offsets.source.index(keyword, self._offsets.start(node)) + len(keyword)
            start = self._offsets.source.index(node.name.encode(), at)
            end = start + len(node.name.encode())
            self._uses.append(Use(node.name, start, end, EAGER | STORE, (), start, end, -1))
        elif self._scope.kind == "class":
            self._scope.bound.add(node.name)

    def _comprehension(self, node: Any) -> None:
        first, *others = node.generators
        self._visit(first.iter)
        scope = Scope("comprehension", self._scope)
        for generator in node.generators:
            scope.bound.update(n.id for n in ast.walk(generator.target) if isinstance(n, ast.Name))
        self._bound |= scope.bound
        before, self._scope = self._scope, scope
        for generator in others:
            self._visit(generator.iter)
        for generator in node.generators:
            self._all(generator.ifs)
        parts = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        self._all(parts)
        self._scope = before

    # -- annotations and the rest

    def _annotation(self, node: ast.expr | None, flags: int = 0) -> None:
        if node is None:
            return
        with self._with(add=ANNOTATION | flags, drop=CALLED | (EAGER if self._deferred else 0)):
            self._visit(node)

    def _ann_assign(self, node: ast.AnnAssign) -> None:
        self._annotation(node.annotation)
        self._all((node.target, node.value))

    def _subscript(self, node: ast.Subscript) -> None:
        if self._flags & ANNOTATION and isinstance(node.value, ast.Name | ast.Attribute):
            self._reach(node.value, node)
            name = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if name in _UNREAD:
                return
        else:
            self._visit(node.value)
        self._visit(node.slice)

    def _constant(self, node: ast.Constant) -> None:
        if not self._flags & ANNOTATION or not isinstance(node.value, str):
            return
        try:
            inner = ast.parse(node.value.strip(), mode="eval")
        except (SyntaxError, ValueError):
            return
        span = (self._offsets.start(node), self._offsets.end(node))
        for part in ast.walk(inner):
            if isinstance(part, ast.Name) and (place := self._place(part.id)) is not None:
                flags = (self._flags | STRING) & ~EAGER
                self._uses.append(Use(part.id, *span, flags, _chain_in(inner, part), *span, place))

    def _joined(self, node: ast.JoinedStr) -> None:
        before = self._loose
        self._loose = before if before is not None else node
        self._all(node.values)
        self._loose = before

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias, (name, *_) in zip(node.names, import_names(node), strict=True):
            if self._scope is None:
                span = (self._offsets.start(alias), self._offsets.end(alias))
                self._uses.append(Use(name, *span, EAGER | STORE | ALIAS, (), *span, -1))
            else:
                self._bound.add(name)

    def _global(self, node: ast.Global) -> None:
        span = (self._offsets.start(node), self._offsets.end(node))
        for name in node.names:
            self._uses.append(Use(name, *span, self._flags | GLOBAL, (), *span, -1))

    def _bind_and_go(self, node: Any) -> None:
        if self._scope is not None:
            names = names_bound(node)
            self._bound.update(names)
            if self._scope.kind == "class":
                self._scope.bound.update(names)
        for child in ast.iter_child_nodes(node):
            self._visit(child)


def _chain_in(tree: ast.AST, name: ast.Name) -> tuple[tuple[str, int], ...]:
    """Attributes read from a name within a string annotation; their offsets are unknown."""
    chain: list[tuple[str, int]] = []
    current: ast.AST = name
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    while isinstance(parent := parents.get(current), ast.Attribute):
        chain.append((parent.attr, -1))
        current = parent
    return tuple(chain)
