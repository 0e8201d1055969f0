"""Masked skeletons: networks whose layer definitions are taken out, as tasks of reinforcement learning.

*LEMUR 2*, section 2.2.2 and supplement 6.1: the statements of ``Net.__init__`` that make layers are replaced by a
placeholder, all else stays as it is, and the pair of both is a task: write the layers, reach a good accuracy.
"""

from __future__ import annotations

import random
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import libcst as cst
import libcst.matchers as m
from libcst.helpers import get_full_name_for_node
from libcst.metadata import ByteSpanPositionProvider, CodeSpan, MetadataWrapper

from ..memory.types import candidate_id
from .extraction import extract

MASK = "# [MASKED LAYER]"
"""The placeholder; supplement 6.1."""

_CLASS: m.MatchIfTrue[str] = m.MatchIfTrue(lambda name: name[:1].isupper() and not name.endswith("Loss"))
_MODULE_NAME = m.Name(m.MatchIfTrue(lambda name: name.endswith("Module")))


class SkeletonError(ValueError):
    """A network cannot be masked: it does not parse, or its ``Net`` makes no layers."""


@dataclass(frozen=True)
class Skeleton:
    """A network and the same with its layer definitions masked.

    Attributes:
        original: the whole network.
        masked: the network with :data:`MASK` in place of each run of layer definitions.
        spans: where they stood, as offsets into ``original``, in order.
        prompt: header line that the network was written under; empty where there is none.
    """

    original: str
    masked: str
    spans: tuple[tuple[int, int], ...]
    prompt: str = ""

    @cached_property
    def id(self) -> str:
        """Id of the original network."""
        return candidate_id(self.original)

    @property
    def kept(self) -> str:
        """The text before the first mask, without its last line break: what a completion model writes on from.

        A model that reads from left to right sees only this part; what follows the mask it writes again.
        """
        return self.original[: self.spans[0][0]].rstrip()

    @property
    def layers(self) -> tuple[str, ...]:
        """The layer definitions that were taken out."""
        return tuple(self.original[start:end] for start, end in self.spans)


def mask(source: str, prompt: str = "") -> Skeleton:
    """Mask the layer definitions in ``__init__`` of the class ``Net``.

    A statement of ``__init__`` is masked if it makes a layer anywhere within: by calling a class of ``torch.nn`` or
    one of the file's own modules. Loops and conditions that make layers are masked whole. Masked statements with
    only white space between them share one placeholder; every other byte stays.

    Args:
        source: a network that is known to be valid; the text is parsed in this process.

    Raises:
        SkeletonError: it does not parse, has no ``Net.__init__``, or that makes no layer.
    """
    try:
        wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
        body = _init_body(wrapper.module)
        makes = _layers(wrapper.module)
        positions = wrapper.resolve(ByteSpanPositionProvider)
        found = [_place(statement, positions) for statement in body if m.findall(statement, makes)]
    except (cst.ParserSyntaxError, RecursionError, KeyError) as error:
        # A KeyError is a RecursionError too: libcst's positions end where its visitor did.
        raise SkeletonError(f"the network cannot be parsed: {type(error).__name__}") from error
    raw = source.encode("utf-8")
    spans: list[tuple[int, int]] = []
    for begin, stop in found:
        start, end = begin, _end_of_line(raw, stop)
        if spans and not raw[spans[-1][1] : start].strip():
            start = spans.pop()[0]
        spans.append((start, end))
    if not spans:
        raise SkeletonError("Net.__init__ makes no layer that could be masked")
    masked, last, offsets = b"", 0, []
    for start, end in spans:
        masked += raw[last:start] + MASK.encode()
        last = end
        offsets.append((len(raw[:start].decode()), len(raw[:end].decode())))
    return Skeleton(source, (masked + raw[last:]).decode(), tuple(offsets), prompt)


def fill(skeleton: Skeleton, answer: str) -> str:
    """The whole network in a chat model's answer.

    The answer should be the network; where it holds layer definitions alone, they take the place of the first mask.
    An answer without code stays as it is, and will not be valid. The text is hostile and is not parsed.
    """
    code = extract(answer)
    if code is None:
        return answer
    code = textwrap.dedent(code)
    if any(line.startswith("class Net") for line in code.splitlines()):
        return code
    # What stands before the first mask is as it was, so its place is; the text may hold the placeholder before that.
    start = skeleton.spans[0][0]
    before, after = skeleton.masked[:start], skeleton.masked[start + len(MASK) :]
    indent = before.rpartition("\n")[2]
    layers = textwrap.indent(code.strip("\n"), indent if not indent.strip() else "").lstrip()
    return before + layers + after


def complete(skeleton: Skeleton, answer: str) -> str:
    """The whole network that a completion model wrote on from :attr:`Skeleton.kept`."""
    return skeleton.kept + answer


def mask_all(networks: Iterable[tuple[str, str]], most: int | None = None) -> list[Skeleton]:
    """Skeletons of ``(prompt, source)`` pairs, ``most`` at most; repeats and what cannot be masked are left out.

    A skeleton takes some 50 ms, so the pairs are read only as far as they are needed.
    """
    made: dict[str, Skeleton] = {}
    for prompt, source in networks:
        if most is not None and len(made) >= most:
            break
        try:
            skeleton = mask(source, prompt)
        except SkeletonError:
            continue
        made.setdefault(skeleton.id, skeleton)
    return list(made.values())


def split(skeletons: Sequence[Skeleton], train: int, held_out: int, seed: int) -> tuple[list[Skeleton], list[Skeleton]]:
    """Two disjoint draws: skeletons to train on and held-out ones.

    A skeleton whose start a training skeleton has too is not held out: for a completion model they are one task.

    Raises:
        ValueError: there are fewer than asked for.
    """
    order = list(skeletons)
    random.Random(seed).shuffle(order)
    chosen = order[:train]
    seen = {(one.prompt, one.kept) for one in chosen}
    rest = [one for one in order[train:] if (one.prompt, one.kept) not in seen]
    if len(chosen) < train or len(rest) < held_out:
        raise ValueError(f"{train} + {held_out} skeletons asked for, {len(chosen)} + {len(rest)} are there")
    return chosen, rest[:held_out]


def _init_body(module: cst.Module) -> Sequence[cst.BaseStatement]:
    nets = [node for node in module.body if m.matches(node, m.ClassDef(m.Name("Net")))]
    for node in nets[-1:]:
        assert isinstance(node, cst.ClassDef)
        for member in node.body.body:
            if isinstance(member, cst.FunctionDef) and member.name.value == "__init__":
                if isinstance(member.body, cst.IndentedBlock):
                    return member.body.body
                raise SkeletonError("Net.__init__ is written in one line")
    raise SkeletonError("there is no class Net with an __init__")


def _place(statement: cst.BaseStatement, positions: Mapping[cst.CSTNode, CodeSpan]) -> tuple[int, int]:
    """First byte of a statement, its decorators included, and the byte after it."""
    span = positions[statement]
    decorators = statement.decorators if isinstance(statement, cst.FunctionDef | cst.ClassDef) else ()
    return min([span.start, *(positions[one].start for one in decorators)]), span.start + span.length


def _layers(module: cst.Module) -> m.Call:
    """What makes a layer: a call of a class of ``torch.nn``, by whatever name the file has it, or of an own module.

    ``nn.init.normal_(…)`` and ``nn.CrossEntropyLoss()`` make none.
    """
    torch, nn, classes = _imported(module)
    place = m.Name(m.MatchIfTrue(nn.__contains__)) | m.Attribute(
        m.Name(m.MatchIfTrue(torch.__contains__)), m.Name("nn")
    )
    own = classes | _own_modules(module, place)
    return m.Call(m.Attribute(place, m.Name(_CLASS)) | m.Name(m.MatchIfTrue(own.__contains__)))


def _imported(module: cst.Module) -> tuple[set[str], set[str], set[str]]:
    """The names that a file has for ``torch``, for ``torch.nn`` and for single layer classes of it."""
    torch, nn, classes = {"torch"}, {"nn"}, set[str]()
    for node in m.findall(module, m.Import() | m.ImportFrom()):
        assert isinstance(node, cst.Import | cst.ImportFrom)
        home = get_full_name_for_node(node.module) if isinstance(node, cst.ImportFrom) and node.module else None
        for one in () if isinstance(node.names, cst.ImportStar) else node.names:
            name, bound = one.evaluated_name, one.evaluated_alias
            full = f"{home}.{name}" if home else name
            if full == "torch":
                torch.add(bound or name)
            elif full == "torch.nn" and (bound or home):
                nn.add(bound or name)
            elif home == "torch.nn" and name[:1].isupper() and not name.endswith(("Loss", "Module", "Parameter")):
                classes.add(bound or name)
    return torch, nn, classes


def _own_modules(module: cst.Module, nn: m.OneOf[m.Name | m.Attribute]) -> set[str]:
    """Names of the file's classes that are modules, or descend from one of those before them.

    Args:
        nn: matches what stands for ``torch.nn``.
    """
    module_base = m.Arg(m.Attribute(nn, m.Name()) | _MODULE_NAME)
    names: set[str] = set()
    for node in module.body:
        if not isinstance(node, cst.ClassDef):
            continue
        bases = [base.value.value for base in node.bases if isinstance(base.value, cst.Name)]
        if names.intersection(bases) or any(m.matches(base, module_base) for base in node.bases):
            names.add(node.name.value)
    return names - {"Net"}


def _end_of_line(raw: bytes, end: int) -> int:
    """Past a comment behind a statement; before the line break."""
    stop = raw.find(b"\n", end)
    stop = len(raw) if stop < 0 else stop
    return max(end, len(raw[:stop].rstrip()))
