"""What outside the sandbox a network is asked to reach: files, secrets, other machines, programs, the machine itself.

Nothing here guards anything: candidate code runs in a sandbox that has none of these. This makes the answer honest.
"""

from __future__ import annotations

import re

from .request_asides import shown

_SECRET_PATH = (
    r"(?:/etc\b|/proc\b|/root\b|/home\b|/var\b|/dev\b|/sys\b|/tmp\b|/usr\b|/mnt\b|/media\b|/opt\b|/srv\b|/boot\b|~/|\.\./|\.ssh\b|id_rsa"
    r"|passwd\b|/?etc/shadow|shadow\s+file|c:\\|\.env\b|\.aws\b|\.bashrc|\.netrc|\.git/|file://)"
)
_READ = (
    r"(?:e-?mail|read|open|load|write|writ|print|dump|list|scan|delet|remov|steal|leak|copy|copie|upload|send|sent"
    r"|post|exfiltrat|fetch|"
    r"download|connect|access|import|return|includ|show|reveal|collect|log|walk|search|look|get|find"
    r"|encrypt|wip|eras|modif|chang|"
    r"overwrit|creat|mount|harvest|grab|pars|reach|call|quer|ping|contact|phon|cop|save|stor)(?:s|es|ies"
    r"|ing|ting|ding|y|ed|e|ling|ning)?"
)
_NEAR = r"(?:\s+(?!than\b|under\b|mnist|cifar|svhn|digits\b)[\w'\"/.~:-]+){0,5}?\s+"
_KEPT = (
    r"(?:environment\s+variables?|env(?:ironment)?\s*vars?|(?:the|its|my|host)\s+environment\b"
    r"|api[\s_-]*keys?|access\s+tokens?|auth\w*\s+tokens?|secrets?|credentials?|passwords?|private\s+keys?"
    r"|ssh[\s-]+keys?|wallets?|cookies)"
)
_FILE_NAME = (
    r"[\w-]+\.(?:db|csv|tsv|txt|json|ya?ml|pth?|pkl|np[yz]|bin|pem|key|log|sqlite3?|zip|tar|gz|h5|onnx|ckpt|conf|cfg|ini"
    r"|sh|py|xml|docx?|pdf|xlsx?|html?|safetensors)\b"
)
_FILES = (
    r"(?:(?<!image )(?<!picture )(?<!png )(?<!jpeg )(?<!jpg )(?<![kmg]b )(?<![kmg]ib )files?(?!\s+(?:size"
    r"|smaller|of\s+\d|under"
    r"|below))|file[\s-]?systems?|(?:hard\s+)?(?:disk|drive)s?\b|(?:home\s+|root\s+|working\s+"
    r"|current\s+)?(?:director(?:y|ies)|folders?))"
)
_NET = (
    r"(?:internet|[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|dev|ai|ru|cn|xyz|example)\b|https?://|ftp://"
    r"|urls?\b|web\s?(?:site|page|hook)s?|the\s+web\b|web\s+server"
    r"|remote\s+(?:host|server|machine)|(?:my|a|an|the|our|some|external|another)\s+(?:\w+\s+)?server"
    r"|sockets?\b|brokers?\b|mqtt\b|(?:[\w-]+\s+){0,2}hub\b|hugging\s?face|end\s?points?\b|slack\b|discord\b|telegram\b"
    r"|(?:s3\s+)?buckets?\b|databases?\b|telemetry\b|ip\s+address|dns\b|\d+\.\d+\.\d+\.\d+|other\s+(?:machines|computers)|e-?mails?\b|cloud\b"
    r"|c2\b)"
)
_PROGRAM = (
    r"\bos\s*\.\s*(?:system|popen|environ|remove|listdir|exec\w*|fork|kill|walk|getenv)|\bsubprocess\b"
    r"|\bpopen\b|__import__|__builtins__|__subclasses__|__globals__"
    r"|\beval\s*\(|\bexec\s*\(|\bopen\s*\(|\bsocket\.|\brequests\.(?:get|post)|\burllib\b|\bctypes\b"
    r"|\bpickle\.|\bshutil\b|\bgetenv\b"
    r"|\breverse\s+shell|\bfork\s+bombs?|\bcrypto[\s-]*(?:currency[\s-]*)?min(?:er|ing|es?)|\bmin(?:es?"
    r"|ing)\s+(?:bitcoin|crypto|monero|ethereum)\w*"
    r"|\b(?:ransomware|malware|keylogger|rootkit|botnet|backdoor|trojan|spyware|computer\s+virus)\b"
    r"|\b(?:run|execut|spawn|launch|start|invok|call)(?:s|es|ing|e|ning)?\s+(?:(?:a|an|the|any|some"
    r"|arbitrary|other|another|external|host|system|new|shell|linux|unix|bash|python"
    r"|os)\s+)*(?:shell(?:\s+(?:commands?|scripts?))?|commands?|programs?|process(?:es)?|scripts?"
    r"|binar(?:y|ies)|executables?|bash|curl|wget|system\s+calls?)\b"
    r"|\b(?:escap|break|breaks)(?:e|es|ing|s)?\s+(?:out\s+)?(?:of|from)?\s*(?:the\s+|its\s+"
    r"|a\s+)?(?:sandbox|container|jail|isolation)"
    r"|\bport[\s-]?scan|\bscan\w*\s+(?:the\s+)?(?:ports?|network)\b|\bwhich\s+is\s+a\s+shell\b"
    r"|\bopens?\s+(?:a\s+)?shell\b"
)
_REACH = (
    (
        rf"\b{_READ}\s+(?:[^.;\n]{{0,60}}?)(?<![\w]){_SECRET_PATH}|(?<![\w/]){_SECRET_PATH}[^.;\n]{{0,40}}?\b{_READ}\b",
        "files",
    ),
    # "a network that looks through the photos in /sdcard", "which loads customers.db at start-up".
    (
        rf"\b(?:that|which|who|it)\s+(?:\w+\s+)?{_READ}\b[^.;\n]{{0,60}}?(?<![\w.])"
        rf"(?:(?:~|\.{{1,2}})?(?:/[\w.-]+){{2,}}|{_FILE_NAME})",
        "files",
    ),
    (rf"\b(?:{_READ}{_NEAR}{_KEPT})\b|\b(?:steal|leak|exfiltrat)\w*\b", "secrets"),
    (
        rf"\b{_READ}(?<!show)(?<!shows)(?<!return)(?<!look)(?<!find)(?<!get){_NEAR}{_FILES}|\bfiles?\s+(?:read"
        rf"|write)\b|\bfile\s+(?:access|i/?o|operations?)\b",
        "files",
    ),
    (
        rf"\b(?:send|sent|post|upload|download|fetch|grab|pull|snatch|scrap|crawl|connect"
        rf"|request|phone|ping|beacon|contact|report|transmit"
        rf"|call|exfiltrat|talk|stream|e-?mail|mail|access|use|query|quer|get|reach|open|load|read)(?:s|es|ing"
        rf"|ies|ting|ping|bing|y|e)?{_NEAR}{_NET}"
        r"|\b(?:send|transmit|upload|post|leak)\w*\s+(?:(?:the|its|all|any|my|user)\s+)*(?:data|labels|weights"
        r"|images|information|files)\b"
        r"(?!\s+for)|\b(?:network|internet)\s+(?:access|connection)\b|\bphones?\s+home\b|\baccess(?:es"
        r"|ing)?\s+(?:to\s+)?(?:the\s+)?(?:internet|network|web)\b|\binternet\s+access\b",
        "other machines",
    ),
    (
        r"\b(?:allocat|exhaust|hog|overload|overwhelm|crash|freez|hang)\w*\s+(?:[\w-]+\s+){0,4}?"
        r"(?:memory|ram|host|machine|system|computer|server|cpu|disk|sandbox)\b",
        "the machine's resources",
    ),
    (_PROGRAM, "other programs"),
)
_REACHES = tuple((re.compile(pattern, re.I), what) for pattern, what in _REACH)
# "must not read files" asks for nothing.
_NEVER = re.compile(r"\b(?:no|not|without|never|cannot|neither|nor|\w+n't)(?:\s+[a-z]+){0,3}\s*$")
_DENIED = re.compile(r"\s*(?:is\s+|are\s+|be\s+)?(?:disabled|off|denied|forbidden|blocked|prohibited)\b")


def reaches(low: str) -> tuple[str, str] | None:
    """What outside the sandbox a network is asked to reach, and the words; ``None`` if it is not."""
    for pattern, what in _REACHES:
        for hit in pattern.finditer(low):
            before, after = low[max(0, hit.start() - 60) : hit.start()], low[hit.end() : hit.end() + 30]
            if not _NEVER.search(before) and not _DENIED.match(after):
                return what, shown(hit.group())
    return None
