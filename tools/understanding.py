"""Free text of a person -> :class:`Understood`, deterministic and without a language model.

Whatever the text says, only a closed set of typed fields comes out: a known data set, limits, one of the known styles
and a few numbers. Nothing else of it goes anywhere but into ``Request.text``, and not even there where the text held
more than a request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from ..memory.types import Request, RequestLimits
from .characters import folded, readable, visible
from .generators.headers import ANY
from .quantities import UnclearNumber, plain_numbers
from .request_asides import shown, without_orders, without_pieces, without_places
from .request_datasets import NoDataset, read_request
from .request_limits import RequestError
from .request_phrases import plain_comparisons
from .request_reaches import reaches
from .request_sheets import plain_marks, unquoted, without_sheets
from .request_sizes import plain_sizes
from .request_styles import Styles, contradiction, read_styles
from .request_tasks import passed_over, refuse_other_tasks
from .request_wishes import read_wishes
from .spelling import corrected
from .tongues import language_of, tongues
from .understood import Understood, Wishes

__all__ = ["MAX_CHARS", "Understood", "Wishes", "understand", "wished_style"]

MAX_CHARS = 10_000
"""A request is some sentences; more is a file that was given by mistake."""
_HELP = "netwright designs image classifiers; say e.g. 'a CIFAR-10 classifier under 200k parameters'"
_NO_END = "".join(
    rf"(?<!\b{word})"
    for word in (
        "max",
        "min",
        "mind",
        "c",
        "ca",
        "approx",
        "aprox",
        "mio",
        "mrd",
        "mln",
        "tys",
        "тыс",
        "млн",
        "tsd",
        r"e\.g",
        r"i\.e",
        "vs",
        "no",
        "máx",
    )
)
"""Words behind which a dot ends no sentence."""
# What a sentence of a request has: a number, or a word of requests, or of courtesy.
_HEARD = re.compile(
    r"\d|mnist|cifar|svhn|digit|imagenette|celeb|places|house|fashion|net\b|network|classif|model|param|weight|train|accura|design"
    r"|image|picture|recogni|variant|candidate|style|limit|budget|most|least|small|tiny|large|fast|thank|please|hello|\bhi\b|\bhey\b"
    r"|resid|attention|transformer|mixer|convne|inception|dense|squeeze|separable|depthwise|perceptron|mlp|plain|layer|conv|skip"
)
_SENTENCE = re.compile(rf"(?<=[!?;。！？；\n])\s*|{_NO_END}\.\s+|\n+", re.I)


@dataclass
class _Reading:
    """What is known of a text while it is read."""

    language: str = "en"
    notes: list[str] = field(default_factory=list)
    limits: RequestLimits = field(default_factory=RequestLimits)
    styles: Styles = field(default_factory=lambda: Styles(ANY, (), {}))
    wishes: Wishes = field(default_factory=Wishes)

    def note(self, notes: tuple[str, ...] | list[str]) -> None:
        self.notes += [note for note in notes if note not in self.notes]

    def outcome(
        self, request: Request | None = None, missing: tuple[str, ...] = (), refusal: str | None = None
    ) -> Understood:
        return Understood(
            request=request,
            missing=missing,
            refusal=refusal,
            style=self.styles.wished,
            limits=self.limits,
            notes=tuple(self.notes),
            language=self.language,
            wishes=self.wishes,
        )


@lru_cache(maxsize=256)
def understand(text: str) -> Understood:
    """What a request means; errors of understanding are data, not exceptions.

    Args:
        text: what a person wrote, in any of the languages of ``tools/tongues``.
    """
    reading = _Reading()
    try:
        return _understand(text, reading)
    except NoDataset as error:
        reading.limits = error.limits
        return reading.outcome(missing=("dataset",))
    except (RequestError, UnclearNumber) as error:
        return reading.outcome(refusal=str(error))


def wished_style(text: str) -> str:
    """The architecture style that a text names, or ``any``. Only styles that the generator knows."""
    return understand(text).style if text.strip() else ANY


def _understand(text: str, reading: _Reading) -> Understood:
    if len(text) > MAX_CHARS:
        raise RequestError(f"the request has {len(text):,} characters; say it in at most {MAX_CHARS:,}")
    clean, notes = readable(text[: MAX_CHARS * 4])
    if not clean.strip():
        raise RequestError(
            "the request is empty: say what to design, e.g. 'a CIFAR-10 classifier under 200k parameters'"
        )
    if len(clean) > MAX_CHARS:
        raise RequestError(f"the request has {len(clean):,} characters; say it in at most {MAX_CHARS:,}")
    reading.note(notes)
    clean = re.sub(r" {2,}", " ", re.sub(r"\s*\n\s*", "\n", plain_marks(clean).strip()))
    rest, pieces = without_pieces(without_sheets(unquoted(clean)))
    reading.language = language_of(rest)
    low, orders = without_orders(_in_english(rest, reading))
    if reached := reaches(low):
        what, said = reached
        raise RequestError(
            f"a network that reaches {what} ('{said}') is not designed: netwright designs networks that map images to "
            "classes, and their code runs in a sandbox without files, network, secrets or other programs; "
            "leave that out, e.g. 'a CIFAR-10 classifier under 200k parameters'"
        )
    low, places = without_places(low)
    cut = (*pieces, *orders, *places)
    reading.note(
        [f"passed over, because text changes no settings and runs nothing: '{said}'" for said in (*pieces, *orders)]
    )
    reading.note([f"passed over, because nothing is read from there: '{said}'" for said in places])
    unread = _says_nothing(low)
    low = _read_beside(low, reading)
    try:
        request = read_request(low, reading.notes)
    except NoDataset as error:
        reading.limits = error.limits
        if cut and not _speaks_of_networks(low):
            raise RequestError(
                f"there is no request for a network in it ('{cut[0]}' was passed over); {_HELP}"
            ) from error
        raise
    reading.limits = request.limits
    reading.note(passed_over(low))
    reading.note(unread)
    said = visible(text).strip() if not (pieces or orders) else _said(request, reading.styles.wished)
    return reading.outcome(request.model_copy(update={"text": said}))


def _in_english(text: str, reading: _Reading) -> str:
    """Each sentence put into lower-case English by its own language's table, misspelled words mended."""
    sentences = []
    for sentence in _SENTENCE.split(text):
        if not sentence.strip():
            continue
        code = language_of(sentence, reading.language)
        english = folded(sentence) if code == "en" else tongues()[code].english(sentence)
        english = re.sub(r"\bw/o\b", "without", re.sub(r"\bw/(?=\s|\d)", "with ", english))
        english = re.sub(r"(?<=\d)\s*(?:\*\*|\^)\s*(?=\d)", "^", english)
        english = re.sub(r"(?<=\d)\s*\*\s*(?=10\b)", "*", english)
        english = re.sub(r"\*\*|(?<!\d)\*|\*(?!\d)|[\"«»「」『』]", "", english)
        english = re.sub(
            r"\b(less|fewer|more|smaller|larger|greater|bigger|higher|lower)\s+then\b", r"\1 than", english
        )
        english, notes = corrected(english, tongues()[code].signs if code != "en" else frozenset())
        reading.note(notes)
        sentences.append(" ".join(english.split()).strip())
    return " . ".join(sentences)


def _read_beside(low: str, reading: _Reading) -> str:
    """Read sizes, styles and wishes, refuse other tasks; the text without what was read."""
    low = plain_numbers(low)
    reading.styles = read_styles(low)
    if against := contradiction(reading.styles):
        raise RequestError(against)
    if reading.styles.others:
        others = ", ".join(reading.styles.others)
        reading.note([f"one style can be asked for: {reading.styles.wished} was taken, {others} passed over"])
    for style, words in reading.styles.unwished.items():
        if reading.styles.wished == ANY:
            reading.note([f"'{shown(words)}' was passed over: a style ({style}) can be asked for, not excluded"])
    refuse_other_tasks(low)
    low = plain_comparisons(low)
    low, notes = plain_sizes(low)
    reading.note(notes)
    low, reading.wishes = read_wishes(low)
    return low


def _says_nothing(low: str) -> list[str]:
    """Notes of sentences in which there is nothing of a request, so that they do not seem to have been heard."""
    silent = [
        said for said in re.split(r"\s[.;]+(?:\s|$)|[!?;]", low) if said.strip(" .,;:") and not _HEARD.search(said)
    ]
    return [f"'{shown(said)}' was passed over: it says nothing of a network" for said in silent[:3]]


def _speaks_of_networks(low: str) -> bool:
    return re.search(r"\b(?:network|net|classifier|model|cnn|design|param\w*|architecture)s?\b", low) is not None


def _said(request: Request, style: str) -> str:
    """The request in words of its typed fields alone, for texts that held more than a request."""
    least, most, flops = request.limits.min_params, request.limits.max_params, request.limits.max_flops
    parts = [f"a {'' if style == ANY else style + ' '}classifier for {request.task.dataset}"]
    parts += [f"at least {least:,} parameters"] if least else []
    parts += [f"at most {most:,} parameters"] if most else []
    parts += [f"at most {flops:,} FLOPs"] if flops else []
    return ", ".join(parts)
