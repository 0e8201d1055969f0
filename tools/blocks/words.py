"""Words of identifiers, of queries, and the abbreviations of the field."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Final

_PARTS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_WORDS: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*|\d+[A-Za-z]*")
_STOP: Final = frozenset(
    "a an and are as at be been block blocks but by can do does each for from has have how i if in into is it its layer"  # noqa: SIM905
    " layers like me module modules my need nn of on one or over own per please some something that the their them then"
    " there this to torch use used uses using via want was we what when where which while with without".split()
)
"""Words that say nothing about a block: what English always has, and what every block is."""

GLOSSARY: Final[Mapping[str, str]] = {
    "aspp": "atrous spatial pyramid pooling",
    "bn": "batch normalization",
    "ca": "channel attention",
    "cbam": "convolutional block attention channel spatial",
    "ce": "cross entropy",
    "conv": "convolution",
    "dcn": "deformable convolution",
    "dw": "depthwise",
    "eca": "efficient channel attention",
    "fc": "fully connected linear",
    "ffn": "feed forward network",
    "fpn": "feature pyramid network",
    "gap": "global average pooling",
    "gem": "generalized mean pooling",
    "glu": "gated linear unit",
    "gn": "group normalization",
    "gqa": "grouped query attention",
    "grn": "global response normalization",
    "gru": "gated recurrent unit",
    "lka": "large kernel attention",
    "ln": "layer normalization",
    "lstm": "long short term memory recurrent",
    "mbconv": "mobile inverted residual bottleneck convolution",
    "mha": "multi head attention",
    "mhsa": "multi head self attention",
    "mlm": "masked language modeling head",
    "mlp": "multi layer perceptron feed forward",
    "moe": "mixture of experts",
    "mqa": "multi query attention",
    "norm": "normalization",
    "pe": "position embedding",
    "pw": "pointwise",
    "rms": "root mean square",
    "rnn": "recurrent",
    "roi": "region of interest",
    "rope": "rotary position embedding",
    "rpn": "region proposal network",
    "sa": "self attention",
    "se": "squeeze excitation",
    "sk": "selective kernel",
    "spp": "spatial pyramid pooling",
    "ssm": "state space model",
    "vit": "vision transformer",
    "attn": "attention",
    "avg": "average",
    "cls": "class classification",
    "dec": "decoder",
    "emb": "embedding",
    "embed": "embedding",
    "enc": "encoder",
    "hswish": "hard swish",
    "init": "initialization",
    "irb": "inverted residual",
    "ls": "layer scale",
    "pool": "pooling",
    "pos": "position",
    "proj": "projection",
    "rel": "relative",
    "res": "residual",
    "separable": "depthwise pointwise",
    "seq": "sequence",
    "upsample": "upsampling interpolate",
    "xattn": "cross attention",
}
"""Abbreviations as they stand in class names, and what they are short for."""
_SHORT: Final = 0.5  # weight of what stands behind an abbreviation: the word itself was not said
_NEAR: Final = 0.8  # weight of a known word in place of a misspelt one
_SPELLING: Final = 0.78  # difflib's ratio from which on one word is taken for another: a letter or two of eight


def parts(identifier: str) -> list[str]:
    """``SqueezeExcite_v2`` → squeeze, excite, v, 2: words by case, underscore and digit, in lower case."""
    return [part.lower() for part in _PARTS.findall(identifier)]


def name_words(identifier: str, most: int = 4) -> list[str]:
    """The parts of an identifier and every run of up to ``most`` of them as one word: ``ConvNeXt`` → … convnext."""
    found = parts(identifier)
    runs = ["".join(found[at : at + size]) for size in range(2, most + 1) for at in range(len(found) - size + 1)]
    return list(dict.fromkeys([*found, *runs, "".join(found)]))


def expanded(words: Iterable[str]) -> list[str]:
    """What the abbreviations among the words are short for."""
    return [word for short in words if short in GLOSSARY for word in GLOSSARY[short].split()]


def query_terms(
    text: str, knows: Callable[[str], bool], vocabulary: Callable[[], Mapping[str, int]]
) -> dict[str, float]:
    """The words of a query and their weights.

    Identifiers are taken whole and in parts, abbreviations are written out at half weight, and a word that no block
    has is replaced by the known words that look like it, or by the two of which it is made.

    Args:
        knows: whether any block has a word.
        vocabulary: the stems of all words, asked for only when one is unknown.
    """
    said: dict[str, float] = {}
    for word in _WORDS.findall(text):
        low = word.lower()
        if low in _STOP:
            continue
        found = parts(word)
        for term in dict.fromkeys([low.replace("_", ""), *(found if len(found) > 1 else [])]):
            if len(term) > 1 and term not in _STOP:
                said[term] = max(said.get(term, 0.0), 1.0)
    if not said:  # of stop words alone: better those than nothing
        said = {word.lower(): 1.0 for word in _WORDS.findall(text)}
    terms: dict[str, float] = {}
    for term in said:
        known = knows(term)
        meant = {term: 1.0} if known else _nearest(term, vocabulary())
        for word, weight in meant.items():
            terms[word] = max(terms.get(word, 0.0), weight)
        for word in expanded(meant):
            terms[word] = max(terms.get(word, 0.0), _SHORT)
    said_words = list(said)
    for one, other in pairwise(said_words):
        if knows(one + other):  # ``conv next`` of a ``ConvNeXt``
            terms[one + other] = max(terms.get(one + other, 0.0), _SHORT)
    return terms


def _nearest(term: str, vocabulary: Mapping[str, int]) -> dict[str, float]:
    """Known words in place of an unknown one: two it is made of, or those that are spelt alike."""
    for cut in range(len(term) - 3, 2, -1):
        one, other = term[:cut], term[cut:]
        if vocabulary.get(one, 0) > 1 and vocabulary.get(other, 0) > 1:
            return {one: _NEAR, other: _NEAR}
    common = [word for word, count in vocabulary.items() if count > 1 and word[:1] == term[:1]]
    alike = difflib.get_close_matches(term, common, n=2, cutoff=_SPELLING)
    return dict.fromkeys(alike, _NEAR)
