"""What in a request is no wish for a network: code, settings and orders to netwright are passed over.

Nothing here guards anything: text becomes a few typed fields whatever it says, and candidate code runs in a sandbox.
This only makes the answer honest.
"""

from __future__ import annotations

import re

SHOWN = 60
"""Characters of a passed-over text that a note repeats."""

# Pieces that are written for a machine, not for a reader.
_PIECES = (
    r"```.*?(?:```|\Z)",
    r"<\|[^|>]{0,40}\|>(?:\s*(?:system|user|assistant)\b)?|\[/?inst\]|<<?/?sys>>?",
    r"<(?:script|system|tool[\w-]*|function[\w-]*|assistant|user|img|iframe|svg"
    r"|a)\b[^>]*>(?:[^<]{0,400}</[\w-]+>)?|</[\w-]+>",
    r"\[?\{[^{}]*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}[^{}]*)*[\"':][^{}]*\}\]?"
    r"|\[?\{[^{}]*[\"'][^{}]*(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}[^{}]*)*\}\]?",
    r"(?:^|(?<=\s))--?set[\s=]+\S+",
    r"(?:^|(?<=\s))--(?!max|min|param|train\b)[a-z][\w-]*(?:=\S+)?",
    r"\b(?:sandbox|campaign|budget|model|protocol|validation|store|records|services?"
    r"|tools?)(?:\.[a-z_]+)+\s*[:=]\s*\S+",
    r"(?:^|(?<=[\n;,])|(?<=\s))(?:sandbox|backend|isolation|network_access|allow_network"
    r"|trust)\s*:\s*(?:\w+:\s*)*[\w./-]+",
    r"\$\([^)]*\)|`[^`]*`|\$\{[^}]*\}|\{\{.*?\}\}|\{%.*?%\}|\$[a-z_]+\b",
    r"(?:^|(?<=[;\n,.])\s*|(?<=\s))(?:import\s+(?:os|sys|subprocess|socket|shutil|requests|ctypes|urllib"
    r"|pathlib|builtins|pickle)\b"
    r"|from\s+(?:os|sys|subprocess|socket|shutil|requests|ctypes|urllib|pathlib|builtins"
    r"|pickle)(?:\.\w+)*\s+import\s+\w+)"
    r"(?:\s*,\s*\w+)*(?:\s*;\s*[\w.]+\([^)]*\)+(?:\.\w+\([^)]*\))*)*",
    r"(?:^|(?<=[;\n]))\s*(?:__import__|os|subprocess|sys|eval|exec|open|shutil|socket|requests"
    r"|print)(?:\.\w+)*\([^\n;]*?\)+(?:\.\w+\([^)]*\))*",
    r"['\"]?\s*;\s*(?:drop|delete|truncate|update|insert|select|alter)\s+(?:table|from|into"
    r"|\*)\b[^;]{0,60}(?:;\s*(?:--)?)?",
    r"\b(?:sudo\s+)?rm\s+-[rf]+\s*\S*|\bsudo\s+\w+(?:\s+\S+)?|(?:&&|\|\|?)\s*(?:curl|wget|rm|cat|nc|sh"
    r"|bash|python\d?)\b[^,;\n]*",
)
_PIECE = re.compile("|".join(f"(?:{piece})" for piece in _PIECES), re.I | re.S | re.M)

_TO = (
    r"(?:(?:all|any|every|each|the|your|my|these|those|this|that|of|previous|prior|earlier|above|preceding"
    r"|existing|safety|security|system|other|current|old|default|param\w*|configured|built-in|initial"
    r"|original)\s+)*"
)
_RULES = (
    r"(?:instructions?|rules?|prompts?|limits?|restrictions?|guidelines?|polic(?:y|ies)|constraints?"
    r"|directions?|orders?|messages?|settings|guardrails?|checks?|safeguards?|commands?)"
)
_FOLLOWING = (
    r"(?:\s+(?:above|before|so\s+far|you\s+(?:were|got|have|had)\b[^.,;]*|given\b[^.,;]*"
    r"|that\s+came\s+before|(?:of|in|about)\s+(?:the\s+)?(?:sandbox|system|policy)))*"
)
_GUARD = (
    r"(?:sandbox(?:es|ing)?|isolation|seccomp|validation|validator|safety|security|checks?|guards?"
    r"|guardrails?|safeguards?|firewall|time[\s-]?outs?|restrictions?|protections?|filters?|approvals?"
    r"|verification|logging|audit\w*|permissions?\s+checks?)"
)
_UNTIL = (
    r"(?:(?!\band\s+(?:design|make|build|give|create|write|show|train)\b)"
    r"[^.;:,\n])*"
)
# To the end of a clause, but not into a request that follows without a comma.
_ASKED = r"\b(?:(?:now|then|instead|and)\s+)?(?:make|design|build|give|create|i\s+want|i\s+need|train)\b"
_REST = rf"(?:(?!{_ASKED})[^.,;])*"
_LINE = rf"(?:(?!{_ASKED})[^.;\n])*"
# Orders to netwright itself. Each is passed over and named in a note.
_ORDERS = (
    rf"(?:please\s+)?(?:do\s+)?(?:ignore|ignoring|disregard|forget|override|overrule|neglect|drop"
    rf"|never\s?mind)\s+(?:about\s+)?{_TO}{_RULES}\b{_FOLLOWING}",
    rf"(?:ignore|disregard|forget)\s+(?:everything|anything|all)(?:\s+(?:else|above|before"
    rf"|(?:you|that|i\s+said)\b{_REST}|previous|prior|instructions))*",
    rf"\b(?:notes?|message|memo|hint|attention|reminder|instructions?)\s+(?:to|for)\s+(?:the\s+|any\s+|all\s+)?"
    rf"(?:ais?|llms?|models?\s+reading|(?:ai\s+)?assistants?|bots?|agents?|netwright)\b{_LINE}",
    r"(?:previous|prior|earlier|above)\s*,?\s*(?:instructions?)?\s+ignore\s+instructions",
    rf"(?:disable|deactivate|turn(?:ing)?\s+off|switch(?:ing)?\s+off|shut\s+(?:off|down)|bypass|circumvent"
    rf"|skip|remove|escape|leave|exit|drop|weaken|kill|stop)(?:ing)?\s+{_TO}{_GUARD}(?:\s+(?:policy|mode"
    rf"|limits?|checks?|stage|rules?|completely|entirely))*",
    rf"(?:turn|switch|set|put)\s+{_TO}{_GUARD}(?:\s+\w+)?\s+(?:to\s+)?(?:off|out|down|to\s+(?:none|off"
    rf"|process|false|zero)|none|false|process)",
    rf"(?:with|having)\s+{_TO}{_GUARD}\s+(?:turned\s+|switched\s+)?(?:off|disabled|removed)",
    rf"\b{_GUARD}\s*[:=]?\s*(?:(?:is|be|(?:must|should|has\s+to|needs?\s+to)\s+be)\s+)?(?:(?:turned"
    rf"|switched)\s+)?(?:off|disabled?|none|false)\b|\b(?:disabled?|off)\s+{_GUARD}\b",
    rf"(?:run(?:ning)?\s+|execut\w+\s+)?(?:it\s+|them\s+|this\s+|everything\s+|the\s+code\s+)?(?:without"
    rf"|outside(?:\s+of)?|no)\s+(?:the\s+|any\s+|a\s+)?{_GUARD}\b",
    r"(?:turn|switch|set)\s+(?:the\s+)?(?:network|internet)(?:\s+access)?\s+(?:to\s+)?(?:on|true|enabled)"
    r"|\b(?:network|internet)(?:\s+access)?\s*[:=]?\s*(?:is\s+)?(?:on|enabled|true|allowed"
    r"|yes)\b(?!\s+(?:mnist|cifar|svhn|digit|the|[a-z]+\d))",
    r"(?:enable|allow|activate|grant|open|give)\s+(?:me\s+|it\s+|the\s+|code\s+|sandbox\s+|full\s+"
    r"|network\s+code\s+|itself\s+)*(?:network(?:ing)?|internet|file(?:\s?system)?|root|host|shell"
    r"|admin)(?:\s+(?:access|rights|privileges|permissions?|on))+",
    r"(?:enable|allow)\s+(?:the\s+)?(?:internet|networking)\b",
    r"(?:reveal|print|show|output|repeat|leak|display|tell|send|give|dump|return)\s+(?:me\s+|us\s+|back\s+"
    r"|out\s+)*(?:all\s+|the\s+|your\s+|full\s+|whole\s+|own\s+|hidden\s+|initial\s+)*(?:system\s+prompt"
    r"|system\s+message|hidden\s+prompt|initial\s+prompt|developer\s+message|prompt|instructions"
    r"|configuration|config|source\s+code\s+of\s+netwright)\b",
    r"\byou\s+are\s+(?:now|no\s+longer|hereby|actually|in|a|an|dan|not)\b"
    rf"{_UNTIL}|\b(?:act|behave|respond"
    rf"|pretend)\s+(?:as|like|to\s+be|you)\b{_UNTIL}",
    r"\b(?:developer|debug|god|admin|root|maintenance|jailbreak|dan|unrestricted"
    r"|sudo)[\s-]+mode(?:\s+(?:on|enabled|activated|now))?|\bjail[\s-]?break(?:en|ed)?\b"
    r"|\bdo\s+anything\s+now\b",
    r"\b(?:i\s+am|i'm|as|being)\s+(?:an?\s+|the\s+|your\s+)?(?:admin(?:istrator)?|root"
    r"|developer\s+of\s+netwright|maintainer|owner|creator|operator|superuser)\b(?:\s+(?:of|here"
    r"|and)\s+[^.;,\n]{0,40})?",
    r"\b(?:auto[\s-]?)?(?:approve|confirm|accept|authori[sz]e)\s+(?:everything|all(?:\s+\w+)?"
    r"|any(?:thing)?|automatically|every\s+\w+|yourself)\b|\bwithout\s+(?:asking|approval|confirmation"
    r"|permission)\b|\b(?:answer|say)\s+yes\s+to\s+(?:all|every\w*)(?:\s+\w+)?",
    r"\b(?:set|change|overwrite|edit|modify|raise|increase|lift|write)\s+(?:the\s+|your\s+"
    r"|netwright's\s+)*(?:sandbox|polic(?:y|ies)|config(?:uration)?|settings?|time[\s-]?outs?"
    r"|(?:time|memory|cpu|disk|file|process|network)[\s-]+limits?|permissions?)\b[^.;,\n]{0,40}",
    r"(?:^|(?<=[\n.;]))\s*(?:new\s+instructions?|system(?:\s+(?:prompt|message|override))?|assistant|user"
    r"|human|admin|developer|important)\s*:",
    r"\b(?:run|use|execute)\s+(?:it\s+|them\s+|everything\s+)?(?:with|in|under|as)\s+(?:(?:the|a"
    r"|full)\s+)?(?:process\s+backend|root(?:\s+(?:rights|privileges))?|host|bare\s+process"
    r"|privileged\s+mode|admin\s+rights)\b",
    r"\b(?:backend|sandbox)\s*(?:=|:)\s*\w+|\b(?:sub)?process\s+backend\b|\b(?:drop|delete"
    r"|truncate)\s+(?:(?:the|all|every|my|your|our)\s+)*(?:tables?|databases?"
    r"|records|campaigns?|corpus)(?:\s+\w+)?",
    r"\b(?:save|write|store|export|put|dump|print)\s+(?:it|them|this|(?:the|your|all)\s+(?:code|network"
    r"|model|result|answer|source|winner|output|best\s+\w+)s?)\s+(?:in|in\s?to|to|as|at|under)\s+(?:(?:a"
    r"|the|my)\s+)?(?:file\s+)?(?:called\s+|named\s+)?(?:[~./\\\w-]+\.\w{1,5}\b|/[\w./-]+|~[\w./-]*"
    r"|\.\.?/[\w./-]+|files?\b|disk\b)",
)
_ORDER = re.compile("|".join(f"(?:{order})" for order in _ORDERS), re.I | re.M)

_PLACES = re.compile(r"\bhttps?://\S+|(?<![\w<])(?:~|\.{1,2})?(?:/[\w.-]+){2,}/?|\b[\w-]{1,64}@[\w.-]+\b")


def without_pieces(text: str) -> tuple[str, tuple[str, ...]]:
    """The text without code, markup, settings and tool calls, and what was cut."""
    cut: list[str] = []

    def gone(hit: re.Match[str]) -> str:
        cut.append(shown(hit.group()))
        return "\n" if "\n" in hit.group() else " ; "

    return _PIECE.sub(gone, text), tuple(said for said in cut if said)


def without_orders(low: str) -> tuple[str, tuple[str, ...]]:
    """The English text without what orders netwright itself about, and what was cut."""
    cut: list[str] = []

    def gone(hit: re.Match[str]) -> str:
        cut.append(shown(hit.group()))
        return " ; "

    return _ORDER.sub(gone, low), tuple(said for said in cut if said)


def without_places(low: str) -> tuple[str, tuple[str, ...]]:
    """The text without addresses and paths, which are opened by no one, and what was cut."""
    cut = tuple(shown(hit.group()) for hit in _PLACES.finditer(low))
    return _PLACES.sub(" ", low), cut


def shown(said: str) -> str:
    """Words of a request as a note repeats them: on one line and not long."""
    plain = " ".join(said.split()).strip(" ;,.")
    return plain if len(plain) <= SHOWN else plain[: SHOWN - 1] + "…"
