"""Puts the text of a block into the text of a network, by LibCST: definitions before ``Net``, the stage replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import libcst as cst
from libcst.metadata import Assignment, GlobalScope, MetadataWrapper, ScopeProvider

_NET: Final = "Net"
_FUTURE: Final = "__future__"


class CannotJoin(ValueError):
    """The two texts do not go together; the message says why."""


def names_bound(module: cst.Module) -> dict[str, str]:
    """Names bound at the top of a file, with what an import binds them to; empty for definitions."""
    bound: dict[str, str] = {}
    for node in _top(module.body):
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            bound[node.name.value] = ""
        elif isinstance(node, cst.Import):
            for alias in node.names:
                full = alias.evaluated_name
                bound[alias.evaluated_alias or full.partition(".")[0]] = (
                    full if alias.asname else full.partition(".")[0]
                )
        elif isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
            origin = module.code_for_node(node.module) if node.module else ""
            for alias in node.names:
                bound[alias.evaluated_alias or alias.evaluated_name] = f"{origin}.{alias.evaluated_name}"
        elif isinstance(node, cst.Assign | cst.AnnAssign):
            targets = [t.target for t in node.targets] if isinstance(node, cst.Assign) else [node.target]
            bound.update({t.value: "" for t in targets if isinstance(t, cst.Name)})
    return bound


def _top(body: Iterable[cst.CSTNode]) -> Iterable[cst.CSTNode]:
    for node in body:
        if isinstance(node, cst.SimpleStatementLine):
            yield from node.body
        else:
            yield node


def join(program: str, block: str, replaced: str, made: Mapping[str, str], helpers: Sequence[str] = ()) -> str:
    """A network's text with a block in place of a stage.

    Args:
        program: text of the network.
        block: stand-alone file of the block; renamed by :func:`apart` where names clash.
        replaced: path of the stage's submodule in ``Net``, ``features.3``.
        made: {"expression": source of what stands there now}.
        helpers: sources of further classes.

    Raises:
        CannotJoin: a text does not parse, or ``Net`` has no ``__init__`` to change.
    """
    tree, mined = _parsed(program, "the network"), _parsed(block, "the block")
    at = next((n for n, s in enumerate(tree.body) if isinstance(s, cst.ClassDef) and s.name.value == _NET), None)
    if at is None:
        raise CannotJoin("the network has no class Net at the top of its file")
    future, definitions = _without_future(mined)
    extra = [statement for text in helpers for statement in _lined(cst.parse_module(text).body)]
    net = tree.body[at].visit(_Replace(replaced, made["expression"]))
    if not isinstance(net, cst.ClassDef):
        raise CannotJoin("the class Net was lost")
    body = [*tree.body[:at], *definitions, *extra, net, *tree.body[at + 1 :]]
    if future and not any(_is_future(statement) for statement in tree.body):
        place = 1 if tree.body and _is_docstring(tree.body[0]) else 0
        body[place:place] = future
    return tree.with_changes(body=body).code


def apart(block: str, taken: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """A block's text with those of its top-level names renamed that mean something else in the network.

    Args:
        taken: :func:`names_bound` of the network.

    Returns:
        The text, and new names by old ones.

    Raises:
        CannotJoin: it does not parse.
    """
    module = _parsed(block, "the block")
    own = names_bound(module)
    clashes = sorted(name for name, origin in own.items() if name in taken and (not origin or origin != taken[name]))
    if not clashes:
        return block, {}
    used = set(own) | set(taken)
    names: dict[str, str] = {}
    for name in clashes:
        number = 2
        while f"{name}_{number}" in used:
            number += 1
        names[name] = f"{name}_{number}"
        used.add(names[name])
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    scopes = {scope for scope in wrapper.resolve(ScopeProvider).values() if isinstance(scope, GlobalScope)}
    nodes: dict[cst.CSTNode, str] = {}
    for scope in scopes:
        for name in clashes:
            for assignment in scope[name]:
                if isinstance(assignment, Assignment):
                    nodes[assignment.node] = names[name]
                for access in assignment.references:
                    nodes[access.node] = names[name]
    return module.visit(_Rename(nodes, names)).code, names


def _parsed(text: str, what: str) -> cst.Module:
    try:
        return cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        raise CannotJoin(f"{what} does not parse: {error.message}") from error


def _is_future(statement: cst.CSTNode) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine):
        return False
    first = statement.body[0]
    return isinstance(first, cst.ImportFrom) and isinstance(first.module, cst.Name) and first.module.value == _FUTURE


def _is_docstring(statement: cst.CSTNode) -> bool:
    if not isinstance(statement, cst.SimpleStatementLine) or not isinstance(statement.body[0], cst.Expr):
        return False
    return isinstance(statement.body[0].value, cst.SimpleString | cst.ConcatenatedString)


def _without_future(mined: cst.Module) -> tuple[list[cst.BaseStatement], list[cst.BaseStatement]]:
    """A block's future imports, and its other statements; the comment at its head goes before the first of them."""
    future = [s for s in mined.body if _is_future(s) and isinstance(s, cst.SimpleStatementLine)]
    rest = _lined([s for s in mined.body if not _is_future(s)])
    comment = [line for line in mined.header if line.comment is not None]
    if rest and isinstance(rest[0], cst.SimpleStatementLine | cst.FunctionDef | cst.ClassDef):
        blank = cst.EmptyLine(indent=False)
        rest[0] = rest[0].with_changes(leading_lines=[blank, blank, *comment, *rest[0].leading_lines])
    return [s.with_changes(leading_lines=[]) for s in future], rest


def _lined(body: Sequence[cst.BaseStatement | cst.SimpleStatementLine]) -> list[cst.BaseStatement]:
    """Definitions with two empty lines before each."""
    blank = cst.EmptyLine(indent=False)
    return [
        s.with_changes(leading_lines=[blank, blank, *(line for line in s.leading_lines if line.comment)])
        if isinstance(s, cst.FunctionDef | cst.ClassDef)
        else s
        for s in body
    ]


class _Rename(cst.CSTTransformer):
    """Gives the nodes that bind or read a name its new one."""

    def __init__(self, nodes: Mapping[cst.CSTNode, str], names: Mapping[str, str]) -> None:
        self._nodes = nodes
        self._names = names

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        return self._renamed(original_node, updated_node)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.Attribute:
        # An access to a dotted name is the whole of it; the first part is what is bound.
        if original_node not in self._nodes:
            return updated_node
        return updated_node.with_changes(value=_first_renamed(updated_node.value, self._nodes[original_node]))

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        new = self._nodes.get(original_node)
        return updated_node if new is None else updated_node.with_changes(name=cst.Name(new))

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        new = self._nodes.get(original_node)
        return updated_node if new is None else updated_node.with_changes(name=cst.Name(new))

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import:
        return updated_node.with_changes(names=[self._alias(alias, original_node) for alias in updated_node.names])

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> cst.ImportFrom:
        if isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        return updated_node.with_changes(names=[self._alias(alias, original_node) for alias in updated_node.names])

    def _alias(self, alias: cst.ImportAlias, statement: cst.Import | cst.ImportFrom) -> cst.ImportAlias:
        """One name of an import, bound to its new one if it has any."""
        bound = alias.evaluated_alias or alias.evaluated_name.partition(".")[0]
        new = self._names.get(bound) if statement in self._nodes else None
        return alias if new is None else alias.with_changes(asname=cst.AsName(name=cst.Name(new)))

    def _renamed(self, original: cst.Name, updated: cst.Name) -> cst.Name:
        new = self._nodes.get(original)
        return updated if new is None else updated.with_changes(value=new)


def _first_renamed(node: cst.BaseExpression, new: str) -> cst.BaseExpression:
    if isinstance(node, cst.Attribute):
        return node.with_changes(value=_first_renamed(node.value, new))
    return cst.Name(new) if isinstance(node, cst.Name) else node


class _Replace(cst.CSTTransformer):
    """In ``Net.__init__``: the stage's own assignment gets the expression; else one is added after that of the
    submodule which holds the stage."""

    def __init__(self, path: str, expression: str) -> None:
        self._parts = path.split(".")
        self._expression = expression
        self._depth = 0

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        self._depth += 1
        return self._depth == 1

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        self._depth -= 1
        if self._depth:
            return updated_node
        init = next(
            (s for s in updated_node.body.body if isinstance(s, cst.FunctionDef) and s.name.value == "__init__"), None
        )
        if init is None or not isinstance(init.body, cst.IndentedBlock):
            raise CannotJoin("class Net has no __init__ of its own")
        return updated_node.with_deep_changes(init, body=init.body.with_changes(body=self._changed(init.body.body)))

    def _changed(self, body: Sequence[cst.BaseStatement]) -> list[cst.BaseStatement]:
        first = [n for n, statement in enumerate(body) if _assigns(statement, self._parts[0])]
        if len(self._parts) == 1 and len(first) == 1:
            new = body[first[0]].visit(_NewValue(self._expression))
            if not isinstance(new, cst.BaseStatement):
                raise CannotJoin("the stage's assignment was lost")
            return [*body[: first[0]], new, *body[first[0] + 1 :]]
        target = "self" + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in self._parts)
        added = cst.parse_statement(f"{target} = {self._expression}")
        if not isinstance(added, cst.SimpleStatementLine):
            raise CannotJoin("the block is built by more than one statement")
        place = first[-1] + 1 if first else len(body)
        return [*body[:place], added, *body[place:]]


class _NewValue(cst.CSTTransformer):
    def __init__(self, expression: str) -> None:
        self._expression = expression

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        return updated_node.with_changes(value=cst.parse_expression(self._expression))


def _assigns(statement: cst.CSTNode, attribute: str) -> bool:
    """Whether it is ``self.<attribute> = …``."""
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return False
    assign = statement.body[0]
    if not isinstance(assign, cst.Assign) or len(assign.targets) != 1:
        return False
    target = assign.targets[0].target
    return (
        isinstance(target, cst.Attribute)
        and isinstance(target.value, cst.Name)
        and target.value.value == "self"
        and target.attr.value == attribute
    )
