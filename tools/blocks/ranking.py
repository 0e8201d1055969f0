"""One order out of two, and one of each kind: fusing rankings, collapsing blocks that are nearly the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ...memory.block_types import Block
from ...memory.shingles import Shingles, jaccard, shingles
from .digest import class_source
from .words import parts

KEYWORD_WEIGHT: Final = 0.5  # of keywords against vectors: neither is better in general
SAME_CODE: Final = 0.80  # Jaccard similarity of two classes' code from which on they are one thing
SAME_NAME: Final = 0.40  # the same, of two classes with one name


def fused(
    vector: Mapping[str, float], keyword: Mapping[str, float], weight: float = KEYWORD_WEIGHT
) -> dict[str, float]:
    """Scores in [0, 1] out of two rankings' scores, each scaled to its own best and worst; best first.

    What a ranking does not know counts as its worst.
    """
    scaled = [(1 - weight, _scaled(vector)), (weight, _scaled(keyword))]
    ids = sorted(vector.keys() | keyword.keys())
    total = {one: sum(share * scores.get(one, 0.0) for share, scores in scaled) for one in ids}
    return dict(sorted(total.items(), key=lambda item: (-round(item[1], 9), item[0])))


def _scaled(scores: Mapping[str, float]) -> dict[str, float]:
    if not scores:
        return {}
    values = np.array(list(scores.values()))
    low, high = float(values.min()), float(values.max())
    spread = (high - low) or 1.0
    return {one: (value - low) / spread if high > low else 1.0 for one, value in scores.items()}


@dataclass
class Kind:
    """Blocks that are nearly the same: the one that ranked best, and the others' qualified names."""

    block: Block
    code: Shingles
    others: list[Block] = field(default_factory=list)

    def holds(self, block: Block, code: Shingles) -> bool:
        """Whether a block is of this kind: near code, or the same name and code that is not too far."""
        near = jaccard(self.code, code)
        return near >= SAME_CODE or (near >= SAME_NAME and _plain_name(block) == _plain_name(self.block))


def code_of(block: Block) -> Shingles:
    """The block's class as a set that compares: without docstrings, and without the names of the model it is of."""
    source = re.sub(r'^\s*[rR]?("""|\'\'\').*?\1', "", class_source(block), flags=re.DOTALL | re.MULTILINE)
    for word in sorted(_model_words(block), key=len, reverse=True):
        source = re.sub(rf"(?i)\b{re.escape(word)}(?=[A-Z_])", "", source)
    return shingles(source)


def collapsed(kinds: list[Kind], blocks: Sequence[Block]) -> list[Kind]:
    """Add blocks, in the order of their rank, to the kinds that hold them, or as kinds of their own."""
    for block in blocks:
        code = code_of(block)
        kind = next((kind for kind in kinds if kind.holds(block, code)), None)
        if kind is None:
            kinds.append(Kind(block, code))
        else:
            kind.others.append(block)
    return kinds


def _model_words(block: Block) -> set[str]:
    """Names of the model a block is of, as its module tells: ``…bert.modeling_bert`` → bert."""
    module = block.qualified.split(".")[1:-1]
    return {part.removeprefix("modeling_").replace("_", "") for part in module if len(part) > 2}


def _plain_name(block: Block) -> str:
    """The class's name without its model's: ``BertSelfAttention`` → selfattention."""
    name = "".join(parts(block.name))
    for word in sorted(_model_words(block), key=len, reverse=True):
        if name.startswith(word) and len(name) > len(word):
            return name[len(word) :]
    return name
