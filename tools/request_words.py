"""The words by which requests limit numbers of parameters, as regular expressions over lower-case text."""

from __future__ import annotations

import re
from typing import Literal

from .quantities import NUMBER, UNIT

MARK = "‹›"
"""Stands where the name of the data set was."""

Relation = Literal["least", "most", "exact", "about", "none"]


def amount(prefix: str = "") -> str:
    return rf"(?P<{prefix}num>{NUMBER})(?:[\s-]*(?P<{prefix}unit>{UNIT}))?"


NOUN = (
    r"(?:(?:trainable|tunable|learnable|free|total|model|network)[\s-]+)?(?:param(?:eter)?s?|weights?)"
    r"(?:[\s-]+(?:budget|limit|count|cap))?(?![a-z])"
)
_MORE = r"(?:more|greater|larger|bigger|higher|over|above|beyond)"
_LESS = r"(?:less|fewer|lower|smaller|under|below)"
_NOT = r"(?:no|not|never|cannot|can't|doesn't|don't|mustn't|shouldn't|without)(?:\s+(?:any|be|to|have|go|get|use))*"
# Negated forms first: "no more than" is an upper limit although "more than" is a lower one.
_RELATIONS: tuple[tuple[Relation, str], ...] = (
    ("most", rf"{_NOT}\s+{_MORE}(?:\s+{NOUN})?(?:\s+than)?|{_NOT}\s+exceed(?:s|ing)?"),
    ("least", rf"{_NOT}\s+{_LESS}(?:\s+{NOUN})?(?:\s+than)?|(?:lower|min(?:imum|imal)?)\s+(?:limit|bound|budget)"),
    (
        "most",
        rf"(?:less|fewer|lower|smaller)(?:\s+{NOUN})?\s+than|under|below|beneath|sub|at\s+(?:the\s+)?(?:most|max)",
    ),
    ("most", r"(?:up|limited|capped|restricted|bounded)\s+(?:to|at|by)|as\s+(?:many|much)\s+as|within"),
    ("most", r"max(?:imum|imal|\.)?|upper\s+(?:limit|bound)|ceiling|cap|<=?|=<|≤"),
    ("least", rf"(?:more|greater|larger|bigger|higher)(?:\s+{NOUN})?\s+than|over|above|beyond|exceed(?:s|ing)?"),
    ("least", r"at\s+(?:the\s+)?(?:least|min)|min(?:imum|imal|\.)?|upwards?\s+of|starting\s+(?:at|from|with)"),
    ("least", r"floor|>=?|=>|≥"),
    ("exact", r"exactly|precisely|=="),
    ("about", r"about|around|roughly|approx(?:imately|\.)?|circa|ca\.|nearly|almost|near|close\s+to|from|some|[~≈]"),
)
RELATION = re.compile("|".join(f"(?P<{kind}{n}>{pattern})" for n, (kind, pattern) in enumerate(_RELATIONS)))
BUDGET = r"(?:budget|limit|size|count|number|total)"
FILLER = r"(?:an?|the|of|to|at|is|are|be|it|by|only|just|strictly|must|should|has|have|with|for|in|no\.|=)"
# The words right before a number that speak of it, and no others.
TAIL = re.compile(rf"(?:(?:(?<![a-z])|(?=[^a-z]))(?:{RELATION.pattern}|{NOUN}|{BUDGET}|{FILLER})[\s_:(-]*)+$")
TAIL_CHARS = 120
# A comparison behind the number, unless another number follows it: then it belongs to that one.
SUFFIX = re.compile(
    rf"[\s,-]*(?:(?P<most1>or\s+(?:less|fewer|lower|smaller))|(?P<least1>or\s+(?:more|greater|higher"
    rf"|larger)))(?![a-z])(?!\s+than\b)"
    rf"|[\s,-]*(?:(?P<most>(?:or|and)\s+{_LESS}|max(?:imum)?|at\s+(?:most|max)|tops|budget|limit|cap)"
    rf"|(?P<least>(?:or|and)\s+(?:{_MORE}|up(?:wards?)?)|min(?:imum)?|at\s+(?:least|min)|\+)"
    r"|(?P<exact>exactly|precisely)|(?P<about>roughly|approximately|approx|(?:about|around)(?=\s*(?:[.,;!?)]|$|and\b))))"
    r"(?![a-z])(?!\s+than\b)(?![^\w,;.]*(?:an?\s+)?\d)"
)


def said_behind(hit: re.Match[str] | None) -> Relation | None:
    """Which comparison a match of :data:`SUFFIX` is."""
    return str(hit.lastgroup).rstrip("1") if hit is not None else None  # type: ignore[return-value]


RANGE = re.compile(
    rf"(?P<lead>(?:between|from|range(?:\s+of)?)\s+)?(?:an?\s+)?{amount('a')}(?:[\s-]*{NOUN})?\s*"
    rf"(?:(?P<sep>(?:up\s+)?to|-|\.\.+|<=?\s*{NOUN}\s*<=?|≤\s*{NOUN}\s*≤)|and)\s*{amount()}"
)
ONE = re.compile(amount())
THEN_NOUN = re.compile(rf"[\s-]*(?:of\s+)?{NOUN}")
COUNTABLE = (
    r"(?:image|picture|sample|example|layer|block|stage|channel|filter|kernel|neuron|unit|node|head|token|epoch|step|"
    r"iteration|feature|class|flop|mac|op)[a-z]*\b"
)
# What may follow a number that has no noun: nothing that could be counted by it.
THEN_NOTHING = re.compile(
    rf"[\s-]*(?:$|\d|[.,;:!?)\]<>≤≥=]|[a-z_]+\s*=|[^\x00-\x7f]|/|of\s+(?:them|these|those)\b|(?:and|but|or|for|on|with|in|that|which|please|total|overall"
    rf"|using|to|at|max|min|cheers|thanks|thank|thx|ta|pls|plz|lol|haha|ok|okay|regards|best|asap|if|when|while|because|since|so|hence|thus|then|as|by|is|are|will|would|should|must|may|can|"
    rf"under|below|over|above|no|not)\b"
    rf"|(?:(?!{COUNTABLE})[a-z][a-z-]*\s+){{0,3}}"
    rf"(?:classifiers?|networks?|nets?|models?|cnns?|convnets?|architectures?|res\w*nets?|(?:dense|mobile)nets?"
    rf"|transformers?|mixers?|inception|mlps?|perceptrons?|vits?|convnext|{MARK}))"
)
FLOPS = re.compile(r"[\s-]*flops?\b(?:\s+(?:budget|limit|cap))?")
"""Behind a number; sizes of operations were put into this form before."""
# How many parts a network has: said in words too, and with words between.
COUNTS = re.compile(
    r"(?<![\w.,-])(?:\d{1,4}|one|two|three|four|five|six|seven|eight|nine|ten|single|a\s+few|several)[\s-]+"
    r"(?:(?!param|weight|class)[a-z][a-z0-9-]*\s+){0,2}(?:layers?|layered|blocks?|stages?|heads?|filters?"
    r"|kernels?|neurons?|hidden\s+units)\b"
    r"|\b(?:depth|width|kernel\s+size|stride|batch\s+size|learning\s+rate|dropout(?:\s+rate)?|momentum"
    r"|lr)\s*(?:=|:|of|is)?\s*[\d.]+"
)
# Numbers that people tell of themselves and their work.
BESIDE = re.compile(
    r"(?<![\w.,-])\d{1,3}[\s-]*(?:years?|yrs?)(?:[\s-]*old)?\b"
    r"|(?<![\w.,-])\d{1,3}\s+(?:gpus?|cpus?|cores|students|people|kids|children|colleagues|friends)\b"
    r"|\b(?:(?:home|course)work|exercise|assignment|chapter|lesson|lecture|task|question|part|figure|section|week|day"
    r"|clause|worksheet|work\s+sheet|annex|appendix|article|paragraph|item|point|requirement|req|ticket|issue|page|step"
    r"|phase|milestone|sprint|team|room|lab|semester|grade|year|exam|problem|project|slide|table|row|cell|entry|case|trial|example|experiment"
    r"|no\.)\s+#?\d{1,3}(?![\w.,])"
    rf"|(?:\b(?:ticket|issue|bug|case|story|request|order|pr)\s*(?:no\.?\s*)?)?#\s?\d{{1,7}}(?![\w.,]*\d)(?!\s*{NOUN})"
    rf"|\b(?:ticket|issue|bug|story)\s+(?:no\.?\s*)?\d{{4,7}}(?![\w.,]*\d)(?!\s*{NOUN})"
    r"|(?<![\w.,-])(?:19|20)\d\d(?=\s+(?:competition|edition|course|class|challenge|workshop|season|version))"
)
# Parameters without any number: a limit that was not understood must not look fulfilled.
UNREAD = re.compile(rf"(?:[^\s.;,]+\s+){{0,3}}{NOUN}(?:\s+[^\s.;,]+){{0,2}}")
TIME = re.compile(
    r"\b(?:for|in|within|under|below|than)\s+(?:an?|one|half\s+an?)\s+(?:second|minute|hour|day|week|millisecond)s?\b"
)
OTHERS: tuple[tuple[str, str], ...] = (
    (r"(?:(?P<prefix>kilo|mega|giga|[kmg])i?)?(?:bytes?|b)", "a size in bytes"),
    (
        r"(?:ms|msecs?|µs|us|ns|s|secs?|mins?|h|hrs?|milli\w*|micro\w*|seconds?|minutes?|hours?|days?|weeks?|fps|hz)",
        "a time or a rate",
    ),
    (r"(?:[kmg]|million|billion)?[\s-]*(?:flop\w*|macs?|mult\w*|operations?|ops)", "a number of operations"),
    (r"(?:%|percent|per\s+cent)", "a share, such as an accuracy"),
    (r"(?:epochs?|iterations?|steps?)", "a length of training, which the protocol sets"),
)
BYTES = {"": 0, "k": 3, "m": 6, "g": 9}
CLASSES = re.compile(r"[\s-]*(?:class|categor|label|digit|kind|object|way)")
KNOWN_NETWORK = re.compile(
    r"(?<![a-z])(?:[a-z]+-|(?:res\w*net|vgg|lenet|alexnet|\w*densenet|mobile\w*net|efficientnet|vit|version|top)\s*)$"
)
SIZE = re.compile(r"(?<![\w.])\d+(?:\s*[x×]\s*\d+){1,2}(?![\d.]|\s*\^)")
NO_PARAMS = re.compile(
    rf"\b(?:no|without(?:\s+any)?)\s+(?:param(?:eter)?s|weights)\b(?!\s+(?:{BUDGET}|cap|constraint))"
    rf"|\b(?:negative|zero)[\s-]+(?:param(?:eter)?\s+)?(?:{BUDGET}|amount)\b"
)
VAGUE = re.compile(
    r"(?<![\d.] )(?<![\d-])\b(?:(?:few|several|some|many|couple\s+of)\s+)?"
    r"(?:dozens?|hundreds?|thousands?|millions?|billions?)\b"
)
# Limits that compare with no number: "under infinity parameters", "half the parameters of a ResNet".
NO_NUMBER = re.compile(
    rf"\b(?:under|below|at\s+(?:most|least)|(?:less|fewer|more)\s+than|up\s+to)\s+(?!(?:the|a|total|trainable)\b)"
    rf"[a-z]+\s+{NOUN}"
    rf"|\b(?:half|twice|double|third|quarter)\s+(?:of\s+)?(?:the|as\s+many)\s+{NOUN}"
    rf"|\b(?:fewer|less|more)\s+{NOUN}\s+than\s+(?!\D{{0,12}}\d)|\bas\s+(?:many|few)\s+{NOUN}\s+as\s+(?!possible)"
)
PER_PART = re.compile(r"\b(?:per|each|every)\s+(?:layer|block|stage|head|channel)\b")
OTHER_BUDGET = re.compile(
    r"\b(?:time|compute|memory|latency|flops?|file|energy|power|token|training|inference|disk|storage)"
    r"\s+(?:budget|limit|cap)\b"
)
