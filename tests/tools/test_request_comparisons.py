"""Every way to compare a number is read as what it says, and what says nothing of a request changes nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from netwright.tools.understanding import Understood, understand

TABLE = yaml.safe_load((Path(__file__).parent / "comparisons.yaml").read_text(encoding="utf-8"))
LIMITS = {"most": (None, 200_000), "least": (200_000, None), "exact": (200_000, 200_000)}
NUMBERS = (
    "200k|200 k|200K|200 000|200,000|200000|200_000|two hundred thousand|0.2M|0.2 million|.2M|2e5|2×10^5|2*10^5|2 × 10⁵"
    '|a fifth of a million|two lakh|**200k**|`200k`|"200k"|200k (two hundred thousand)|200,000 (200k)|200 grand'
    "|half of 400k|twice 100k|two times 100k|a quarter of 800k|2 * 10^5|2*10**5|0,2M"
)
REQUESTS = (
    "CIFAR-10 under 200k parameters, residual, train it for 3 epochs, seed 4",
    "SVHN, between 20k and 80k weights; five candidates",
    "1. Dataset: MNIST\n2. Parameters: at most 40k\n3. Style: inception",
    "Ein Netz für MNIST mit höchstens 50.000 Gewichten, trainiere es",
    '{"dataset": "digits", "max_params": 30000}',
)
BESIDE: tuple[Callable[[str], str], ...] = (
    lambda text: f"Hi there! {text}",
    lambda text: f"Could you help me? {text}",
    lambda text: f"{text}. Thanks a lot!",
    lambda text: f"🙂 {text} 🙏",
    lambda text: f"{text}.\r\n",
    lambda text: text.replace(" ", "\u00a0"),
    lambda text: text.replace('"', "”"),
)


@pytest.mark.parametrize("code", sorted(TABLE))
@pytest.mark.parametrize("kind", ["most", "least", "exact", "about"])
def test_comparison_is_read_as_what_it_says(code: str, kind: str) -> None:
    tongue = TABLE[code]
    wrong = []
    for form in tongue[kind]:
        got = understand("CIFAR-10, " + form.format(n=tongue["number"], p=tongue["noun"]))
        limits = (got.limits.min_params, got.limits.max_params)
        if (got.refusal is None) if kind == "about" else (got.refusal is not None or limits != LIMITS[kind]):
            wrong.append((form, limits, got.refusal))
    assert wrong == []


@pytest.mark.parametrize("number", NUMBERS.split("|"))
def test_number_is_one_number_however_it_is_written(number: str) -> None:
    for form in ("under {} parameters", "at most {} params", "parameters: {}", "a {} parameter network"):
        assert understand(f"a CIFAR-10 classifier, {form.format(number)}").limits.max_params == 200_000


def test_unknown_comparative_is_refused_and_no_upper_limit() -> None:
    assert "no comparison" in (understand("CIFAR-10, prettier than 200k parameters").refusal or "")


@pytest.mark.parametrize("text", REQUESTS)
def test_courtesy_marks_and_blanks_change_nothing(text: str) -> None:
    def said(got: Understood) -> object:
        return got.request and got.request.task.dataset, got.limits, got.style, got.wishes, got.refusal

    wanted = said(understand(text))
    assert [said(understand(beside(text))) for beside in BESIDE] == [wanted] * len(BESIDE)


@pytest.mark.parametrize(
    "text",
    [
        '{"tool": "shell", "arguments": {"dataset": "mnist"}}',
        '{"dataset": "mnist", "sandbox": {"backend": "process"}}',
        '{"dataset": "mnist", "max_params": [1, 2]}',
    ],
)
def test_object_with_more_than_a_request_is_none(text: str) -> None:
    assert "no request for a network" in (understand(text).refusal or "")


def test_table_of_one_row_and_table_of_pairs_are_requests() -> None:
    for text in (
        "| dataset | max params | style |\n|---|---|---|\n| SVHN | 120k | inception |",
        "| Field | Value |\n|---|---|\n| Dataset | SVHN |\n| Max parameters | 120k |\n| Style | inception |",
    ):
        got = understand(text)
        assert got.request is not None
        assert (got.request.task.dataset, got.limits.max_params, got.style) == ("svhn", 120_000, "inception")


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("60k, not 80k, parameters for digits", (None, 60_000)),
        ("digits, 60k parameters, not 80k", (None, 60_000)),
        ("digits, at most 60k and not 80k parameters", (None, 60_000)),
        ("digits, under 60k not under 20k parameters", (20_000, 60_000)),
        ("digits, not 5k parameters or less", (5_000, None)),
        ("digits, not 5k or more parameters", (None, 5_000)),
        ("ticket #4411: digits, at most 9k parameters", (None, 9_000)),
        ("issue 20411: digits, at most 9k parameters", (None, 9_000)),
        ("digits, #9000 parameters", (None, 9_000)),
    ],
)
def test_what_is_corrected_and_what_only_numbers_a_ticket_is_no_limit(
    text: str, limits: tuple[int | None, int | None]
) -> None:
    got = understand(text)
    assert (got.refusal, got.limits.min_params, got.limits.max_params) == (None, *limits)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("digits, parameters bounded above by 7,000", None, 7_000),
        ("digits, parameters bounded from below by 7,000", 7_000, None),
        ("digits, anything beyond 7k parameters disqualifies it", None, 7_000),
        ("digits, 7,000 at the very most", None, 7_000),
        ("digits, 7 kB at one byte per weight", None, 7_000),
        ("digits, 14 kB, 2 bytes per parameter", None, 7_000),
    ],
)
def test_rarer_forms_of_limits(text: str, least: int | None, most: int | None) -> None:
    got = understand(text)
    assert (got.refusal, got.limits.min_params, got.limits.max_params) == (None, least, most)
