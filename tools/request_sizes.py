"""Sizes in bytes and numbers of operations in a request -> the two figures that a verdict has: parameters and FLOPs."""

from __future__ import annotations

import re
from decimal import Decimal

from .quantities import NUMBER, UNIT, value_of
from .request_limits import RequestError

_UNIT = r"(?:(?:kilo|mega|giga|kibi|mebi|gibi)byte|[kmg]i?b)"
_PARTS = {"half": "0.5", "quarter": "0.25"}
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_BYTE = r"(?:(?P<prefix>kilo|mega|giga|[kmg])[\s-]?(?P<binary>ibi|i|bi)?)?(?P<byte>bytes?|bits?|b)(?![a-z0-9])"
# A lone "b" is a billion, and "kb" is bytes.
_SIZE = re.compile(
    rf"(?:(?P<lead>between|from)\s+)?(?:(?P<low>{NUMBER})(?:[\s-]*(?P<lowsize>[kmg]i?b(?:ytes?)?))?\s*(?P<sep>and|to|-|\.\.+)\s*)?"
    rf"(?P<num>{NUMBER})[\s-]*(?:(?P<unit>thousand|million|billion)[\s-]+)?(?!b(?![a-z]))(?:{_BYTE})"
    r"(?P<of>\s+(?:of\s+|in\s+|for\s+)?(?:the\s+|its\s+|all\s+)?(?:weights?|param(?:eter)?s?|flash|disk"
    r"|storage|rom|memory|space|eeprom|"
    r"(?:as\s+)?(?:a\s+|one\s+)?file)(?![a-z]))?"
)
_EACH = r"\s+(?:per|each|for\s+each|for\s+every|a)\s+(?:weights?|param\w*)"
_WIDTHS = (
    (Decimal("0.5"), rf"u?int[\s-]?4|4[\s-]?bits?|(?:0\.5|half\s+an?)\s+byte{_EACH}"),
    (Decimal(1), rf"u?int[\s-]?8|8[\s-]?bits?|fp8|float8|(?:1|one|a\s+single)\s+byte{_EACH}"),
    (
        Decimal(2),
        rf"fp[\s-]?16|float[\s-]?16|bf(?:loat)?[\s-]?16|16[\s-]?bits?|half[\s-]?precision|half[\s-]?floats?|(?:2|two)\s+bytes{_EACH}",
    ),
    (Decimal(8), r"fp[\s-]?64|float[\s-]?64|64[\s-]?bits?|double[\s-]?precision|doubles"),
    (Decimal(4), rf"fp[\s-]?32|float[\s-]?32|32[\s-]?bits?|single[\s-]?precision|(?:4|four)\s+bytes{_EACH}"),
)
_WIDTH_TAIL = r"(?:[\s-]+(?:quanti[sz]\w+|precision|weights?|floats?|integers?|format|numbers?|values?))?"
_MEMORY = re.compile(
    r"\b(?:(?:v?ram|sram|dram)(?!\s+for\s+(?:the\s+|its\s+)?(?:weights|param\w+)\b)|(?:gpu|video|main|working|peak|activation|runtime|inference"
    r"|training)[\s-]+memory|activations?|memory(?:\s+[a-z]+){0,4}?\s+(?:while|when|during|at)\s+(?:it\s+|the\s+\w+\s+)?"
    r"(?:runs?|running|run\s*time|inference|infers?|execut\w+|working|works|loaded))\b"
)
_FLOP = (
    r"(?P<scale>[kmgt]|kilo|mega|giga|tera)?[\s-]?(?P<op>flops?|macs?|madds?|mult(?:iply)?[\s-]?adds?"
    r"|multiply[\s-]accumulates?"
    r"|floating[\s-]point\s+operations)(?![a-z])"
)
_RATE = re.compile(r"\bflops?\s*/\s*s\b|\b[kmgt]?flops?\s+(?:per|a)\s+second")
_AMOUNT = rf"(?P<num>{NUMBER})(?:[\s-]*(?P<unit>{UNIT}))?"
_FLOPS_AFTER = re.compile(
    rf"(?P<num>{NUMBER})(?:[\s-]*(?P<unit>{UNIT})(?=[\s-]|$))?[\s-]*{_FLOP}(?:[\s-]+(?P<noun>budget|limit|cap|count))?"
)
_FLOPS_BEFORE = re.compile(
    rf"(?<!\d)(?<!\d )\b{_FLOP}(?:\s+(?:budget|limit|cap|count))?"
    rf"(?P<said>[\s:=<>≤≥]*(?:[a-z]+[\s:]+){{0,4}}?[<>≤≥=\s]*){_AMOUNT}"
    rf"(?!\s*(?:param|weight|%|[kmg]?b\b))"
)


def plain_sizes(low: str) -> tuple[str, tuple[str, ...]]:
    """The text with sizes in bytes as numbers of parameters and operations as FLOPs, and notes of what was read.

    Args:
        low: lower-case English text, its numbers in digits (:func:`~netwright.tools.quantities.plain_numbers`).

    Raises:
        RequestError: a limit on main memory, or on operations per second.
    """
    notes: list[str] = []
    if _RATE.search(low):
        raise RequestError(
            "operations per second say something of a machine; limit 'FLOPs' of one forward pass instead"
        )
    low = re.sub(rf"\b(half|quarter)\s+(?:of\s+)?an?\s+({_UNIT})s?\b", lambda m: f"{_PARTS[m[1]]} {m[2]}", low)
    low = re.sub(rf"\ban?\s+(?:single\s+)?({_UNIT})s?\b", r"1 \1", low)
    low = _bytes(_flops(low, notes), notes)
    if hit := re.search(rf"(?:\S+\s+){{0,2}}\b{_UNIT}s?\b", low):
        notes.append(f"no limit was read from '{hit.group()}'")
    return low, tuple(notes)


def _bytes(low: str, notes: list[str]) -> str:
    if not _SIZE.search(low.replace("8-bit", "").replace("16-bit", "")):
        return _without_width(low, notes)
    width, named, low = _width(low)
    if hit := _MEMORY.search(low):
        raise RequestError(
            f"a limit on '{hit.group()}' cannot be held: it depends on more than the network; limit its size, "
            "e.g. 'at most 2 MB', or its parameters, e.g. 'under 200k parameters'"
        )

    def counted(hit: re.Match[str]) -> str:
        if (hit["prefix"] is None and hit["byte"] == "b") or (hit["byte"].startswith("bit") and not hit["prefix"]):
            return hit.group()
        each = width * 8 if hit["byte"].startswith("bit") else width
        base = Decimal(1024 if hit["binary"] else 1000)

        def params(digits: str, prefix: str) -> int:
            return int(value_of(digits, hit["unit"]) * base ** _POWERS[prefix[:1]] / each)

        prefix = hit["prefix"] or ""
        said = re.sub(r"^(?:between|from)\s+", "", hit.group()[: len(hit.group()) - len(hit["of"] or "")])
        high = params(hit["num"], prefix)
        if hit["low"]:
            low_end = params(hit["low"], hit["lowsize"] or prefix)
            text = f"between {low_end} and {high} parameters"
            read = f"{low_end:,} to {high:,} parameters"
        else:
            text, read = f"{hit['lead'] or ''} {high} parameters", f"{high:,} parameters"
        bits = f"{width.normalize():f} {'byte' if width == 1 else 'bytes'} each"
        notes.append(f"'{said.strip()}' was read as {read}, {bits} ({named or 'float32'}); activations are not counted")
        return f" {text} "

    low = _SIZE.sub(counted, low)
    return re.sub(
        r"\b(?:memory|file|disk|storage|flash|size|model|network)\s+(?:budget|limit|cap|size)\b", "budget", low
    )


def _width(low: str) -> tuple[Decimal, str | None, str]:
    """Bytes of one parameter, how the text says so, and the text without that."""
    for width, pattern in _WIDTHS:
        whole = (
            rf"(?<![\w.])(?:(?:in|as|at|with|using|stored\s+(?:in|as))\s+)?(?P<said>{pattern})(?![a-z0-9]){_WIDTH_TAIL}"
        )
        if hit := re.search(whole, low):
            return width, hit["said"], re.sub(whole, " ", low)
    return Decimal(4), None, low


def _without_width(low: str, notes: list[str]) -> str:
    width, named, low = _width(low)
    if named and width != 4:
        notes.append(f"'{named}' was passed over: networks are built and judged in float32")
    return low


def _flops(low: str, notes: list[str]) -> str:
    def value(hit: re.Match[str]) -> int:
        scale = Decimal(1000) ** _POWERS[(hit["scale"] or "")[:1]]
        count = value_of(hit["num"], hit["unit"]) * scale
        if hit["op"].startswith(("flop", "floating")):
            return int(count)
        notes.append(f"'{hit.group().strip()}' was read as {int(count) * 2:,} FLOPs: a multiply-add is two operations")
        return int(count) * 2

    if _FLOPS_AFTER.search(low) or _FLOPS_BEFORE.search(low):
        low = re.sub(r"\b(?:compute|computation(?:al)?|operations?)\s+(?=budget|limit|cap)", "", low)
    low = _FLOPS_AFTER.sub(lambda hit: f"{value(hit)} flops", low)
    return _FLOPS_BEFORE.sub(
        lambda hit: f"{hit['said'].strip(' :=') or 'at most'} {value(hit)} flops" if hit["num"] else hit.group(), low
    )
