"""Sentences of people become typed requests, or are refused with a reason and what would work."""

from __future__ import annotations

import random
import time

import pytest
from netwright.tools.requests import MAX_CHARS, RequestError, parse_request, wished_style
from netwright.tools.tasks import known_datasets

UNDERSTOOD = [
    # The number and its unit.
    ("a CIFAR-10 classifier under 200k parameters", "cifar10", None, 200_000),
    ("A CIFAR-10 CLASSIFIER UNDER 200K PARAMETERS", "cifar10", None, 200_000),
    ("an Imagenette classifier under 300k parameters", "imagenette", None, 300_000),
    ("CelebA gender with at most 100k params", "celeba-gender", None, 100_000),
    ("places 365, at most 2M parameters", "places365", None, 2_000_000),
    ("classify cifar 100 images with at most 1.5M params", "cifar100", None, 1_500_000),
    ("Fashion-MNIST net, fewer than 50,000 weights", "fashion-mnist", None, 50_000),
    ("mnist under 0.2M", "mnist", None, 200_000),
    ("mnist under .2M params", "mnist", None, 200_000),
    ("mnist below 2.3M params", "mnist", None, 2_300_000),
    ("mnist with at most 200 thousand parameters", "mnist", None, 200_000),
    ("mnist below 2e5 parameters", "mnist", None, 200_000),
    ("svhn with 2×10⁵ parameters", "svhn", None, 200_000),
    ("svhn with 10^5 parameters", "svhn", None, 100_000),
    ("mnist with 200 000 parameters", "mnist", None, 200_000),
    ("mnist net of 1_000_000 parameters", "mnist", None, 1_000_000),
    ("fashion mnist, no more than 200,000 weights", "fashion-mnist", None, 200_000),
    ("CIFAR-10,200k parameters", "cifar10", None, 200_000),
    ("CIFAR-10 with less than 200kparams", "cifar10", None, 200_000),
    ("half a million parameters at most, svhn", "svhn", None, 500_000),
    ("svhn under a million parameters", "svhn", None, 1_000_000),
    ("svhn with at most two hundred and fifty thousand weights", "svhn", None, 250_000),
    ("CIFAR-10 with between ten thousand and thirty thousand parameters", "cifar10", 10_000, 30_000),
    # The noun: joined by a hyphen, before the number, or left out.
    ("a 200k-parameter CIFAR-10 classifier", "cifar10", None, 200_000),
    ("a CIFAR-10 classifier under 200k", "cifar10", None, 200_000),
    ("digits under 2000", "digits", None, 2_000),
    ("a sub-200k network for SVHN", "svhn", None, 200_000),
    ("under-200k CIFAR-10 net", "cifar10", None, 200_000),
    ("digits, parameters: 30k", "digits", None, 30_000),
    ("digits --max-params 30000", "digits", None, 30_000),
    ("digits, max_params=30000", "digits", None, 30_000),
    ("CIFAR-10 with a parameter budget of 500", "cifar10", None, 500),
    ("MNIST with a 50k limit", "mnist", None, 50_000),
    ("CIFAR-10 - 200k parameters", "cifar10", None, 200_000),
    ("a digits classifier with 2e4 parameters", "digits", None, 20_000),
    ("a 100k-parameter budget is too vague? digits, parameter budget of 100k", "digits", None, 100_000),
    # The comparison: negated, behind the number, as a sign.
    ("mnist not more than 200k parameters", "mnist", None, 200_000),
    ("mnist must not exceed 100k parameters", "mnist", None, 100_000),
    ("mnist no less than 20k parameters", "mnist", 20_000, None),
    ("CIFAR-10 not below 10k parameters", "cifar10", 10_000, None),
    ("200k parameters or fewer, CIFAR-10", "cifar10", None, 200_000),
    ("CIFAR-10 with 10k or more parameters", "cifar10", 10_000, None),
    ("CIFAR-10 net with 200k+ parameters", "cifar10", 200_000, None),
    ("CIFAR-10 with fewer parameters than 200k", "cifar10", None, 200_000),
    ("MNIST ≤ 50k parameters", "mnist", None, 50_000),
    ("mnist >50k", "mnist", 50_000, None),
    ("mnist with exactly 100k parameters", "mnist", 100_000, 100_000),
    # Two limits.
    ("an MNIST network between 10k and 30k parameters", "mnist", 10_000, 30_000),
    ("mnist between 20 and 80k", "mnist", 20_000, 80_000),
    ("mnist 20k–80k parameters", "mnist", 20_000, 80_000),
    ("mnist from 20k to 80k parameters", "mnist", 20_000, 80_000),
    ("digits 10k < params < 30k", "digits", 10_000, 30_000),
    ("svhn, at least 10k parameters and at most 0.2 million parameters", "svhn", 10_000, 200_000),
    ("svhn, max 200k, min 10k parameters", "svhn", 10_000, 200_000),
    ("svhn at least 10k at most 30k parameters", "svhn", 10_000, 30_000),
    ("MNIST with more than 10k but fewer than 30k parameters", "mnist", 10_000, 30_000),
    # The tightest of several; sizes; what limits something else.
    ("svhn under 200k parameters and at most 100k parameters", "svhn", None, 100_000),
    ("CIFAR-10 classifier, at most 2 MB", "cifar10", None, 500_000),
    ("MNIST that fits in 64 KiB of flash", "mnist", None, 16_384),
    ("digits under 200k flops", "digits", None, None),
    ("MNIST for 5 epochs", "mnist", None, None),
    # The data set, and words that look like another one.
    ("something for handwritten digits", "digits", None, None),
    ("MNIST digits under 50k parameters", "mnist", None, 50_000),
    ("svhn digits, below 80k", "svhn", None, 80_000),
    ("the digits of MNIST", "mnist", None, None),
    ("F-MNIST under 50k", "fashion-mnist", None, 50_000),
    ("street view house numbers, max. 100k parameters", "svhn", None, 100_000),
    ("cifar_10_classifier under 200k", "cifar10", None, 200_000),
    # Numbers that say what is known anyway, and words that are no limit.
    ("digits 0-9, 8x8 images, 10 classes, under 20k parameters", "digits", None, 20_000),
    ("a ResNet-18 for 32x32 CIFAR-10 under 1M parameters", "cifar10", None, 1_000_000),
    ("CIFAR-10, conv2d only, <= 1e5 params", "cifar10", None, 100_000),
    ("MNIST, no parameter limit", "mnist", None, None),
    ("MNIST with as few parameters as possible", "mnist", None, None),
]


@pytest.mark.parametrize(("text", "dataset", "least", "most"), UNDERSTOOD, ids=[row[0] for row in UNDERSTOOD])
def test_request_is_understood(text: str, dataset: str, least: int | None, most: int | None) -> None:
    request = parse_request(text)
    assert (request.task.dataset, request.limits.min_params, request.limits.max_params) == (dataset, least, most)
    assert request.text == text


KNOWN = ", ".join(known_datasets())
ONLY = "only limits on parameters, size in bytes and FLOPs are understood"
REFUSED = [
    ("", "empty", "a CIFAR-10 classifier under 200k parameters"),
    # Budgets that cannot be.
    ("a CIFAR-10 classifier under -5k parameters", "must be positive", "says -5,000"),
    ("a CIFAR-10 classifier under −5k parameters", "must be positive", "says -5,000"),
    ("mnist under - 5k parameters", "must be positive", "says -5,000"),
    ("MNIST with minus 5k parameters", "must be positive", "says -5,000"),
    ("a digits network with a budget of -100 parameters", "must be positive", "says -100"),
    ("digits with a negative budget", "must be positive", "negative budget"),
    ("a CIFAR-10 classifier with at most 0 parameters", "must be positive", "says 0"),
    ("digits with zero parameters", "must be positive", "says 0"),
    ("digits with no parameters", "must be positive", "no parameters"),
    ("digits between 80k and 20k", "contradict", "at least 80,000 and at most 20,000"),
    ("digits with at least 50k parameters and at most 10k parameters", "contradict", "at least 50,000"),
    ("digits with at least 50k parameters or less", "contradicts itself", ONLY),
    ("cifar100 under 150 parameters", "cannot work", "at least 200"),
    ("svhn with 1e30 parameters", "out of range", "up to 1,000,000,000,000"),
    ("svhn with 1e400 parameters", "out of range", "200k"),
    # Numbers that can be read in two ways, or in none.
    ("svhn with 1,5M parameters", "commas in unusual places", "1.5M"),
    ("svhn with 200.000 parameters", "decimal fraction or 200,000", "write 200,000"),
    ("svhn with 1.5 parameters", "no whole number", "under 200k parameters"),
    ("svhn under 3^11 parameters", "cannot be read", "200,000 or 2e5"),
    ("svhn with a few thousand parameters", "'few thousand' is no exact number", ONLY),
    ("CIFAR-10 under infinity parameters", "'under infinity parameters' is no exact number", ONLY),
    ("CIFAR-10 with half the parameters of ResNet-18", "'half the parameters' is no exact number", ONLY),
    ("mnist with about 100k parameters", "no exact limit", "between 80,000 and 120,000 parameters"),
    ("MNIST from 10k parameters", "no exact limit", "at least 10,000 parameters"),
    ("digits under 200", "unclear what '200' limits", "under 200k parameters"),
    ("a 200k CIFAR-10 net", "unclear what '200k' limits", "under 200k parameters"),
    ("CIFAR-10 with a budget of 500", "unclear what '500' limits", ONLY),
    # Limits on something else.
    ("digits below 10 ms latency and 50k parameters", "'10 ms' is a time", ONLY),
    ("CIFAR-10, 100k parameters, runs at 30 fps", "'30 fps' is a time or a rate", ONLY),
    ("CIFAR-10 with a time budget, under 50k parameters", "a time budget is not understood", ONLY),
    ("digits with 90% accuracy", "'90%' is a share", ONLY),
    ("digits with accuracy above 0.95", "unclear what '0.95' limits", ONLY),
    ("MNIST with 10k parameters per layer", "'per layer' is not understood", ONLY),
    ("a 5-layer MNIST network under 100k parameters", "unclear what '5 layer' limits", ONLY),
    ("CIFAR-10 with 3x3 convolutions under 100k", "'3x3' is not the size", "3x32x32"),
    ("CIFAR-10 with 5 classes, under 100k", "cifar10 has 10 classes", "leave the number out"),
    # Data sets.
    ("a network", "names no data set", KNOWN),
    ("a small residual network under 50k parameters", "names no data set", KNOWN),
    ("something for my phone", "names no data set", KNOWN),
    ("an ImageNet classifier under 1M parameters", "unknown data set 'imagenet'", KNOWN),
    ("STL-10 under 500k params", "unknown data set 'stl-10'", KNOWN),
    ("a Tiny ImageNet classifier", "unknown data set 'tiny imagenet'", KNOWN),
    ("cifar 1000 under 200k", "unknown data set 'cifar 1000'", "cifar100"),
    ("a cifar classifier", "unknown data set 'cifar'", "cifar10, cifar100"),
    ("CIFAR-10-C under 50k", "unknown data set 'cifar-10-c'", KNOWN),
    ("kuzushiji-mnist", "unknown data set 'kuzushiji-mnist'", KNOWN),
    ("USPS digits", "unknown data set 'usps'", KNOWN),
    ("an MNIST net pretrained on ImageNet", "unknown data set 'imagenet'", KNOWN),
    ("a net for pets", "unknown data set 'pets'", KNOWN),
    ("a classifier for cats and dogs", "unknown data set 'cats and dogs'", KNOWN),
    ("mnist and svhn together", "names 2 data sets", "name one of"),
    ("MNIST or digits", "names 2 data sets", "name one of"),
    ("digits " * 2000, "characters", "at most 10,000"),
]


@pytest.mark.parametrize(("text", "why", "remedy"), REFUSED, ids=[row[0][:60] for row in REFUSED])
def test_request_that_cannot_be_met_says_why_and_what_would_work(text: str, why: str, remedy: str) -> None:
    with pytest.raises(RequestError) as refusal:
        parse_request(text)
    assert why in str(refusal.value)
    assert remedy in str(refusal.value)


WORDS = (
    "digits mnist cifar-10 cifar 100 svhn under below at most least between and or to from no not more less than fewer "
    "parameters params weights 200k 5 -3 0.2m 1e5 10^5 ms mb kb % x 3x3 , . - – ( ) ± budget limit max min about a one "
    "hundred thousand million half the of layers per classes ² ٣ 1,5 1.000 1_000 k m <= ≥ = : 🙂 ½ × 9e99 1e-3 .5 5. +5"
)


def answer(text: str) -> tuple[int, int] | str:
    """The range of parameters that a text asks for, or why it is refused."""
    try:
        limits = parse_request(text).limits
    except RequestError as refusal:
        return str(refusal)
    return limits.min_params or 1, limits.max_params or 10**12


def test_any_text_is_answered_or_refused() -> None:
    rng, words = random.Random(5), WORDS.split()
    texts = [(" " if n % 4 else "").join(rng.choices(words, k=rng.randint(1, 14))) for n in range(4000)]
    ranges = [found for found in map(answer, texts) if not isinstance(found, str)]
    assert len(ranges) > 100
    assert all(least <= most for least, most in ranges)


@pytest.mark.parametrize("part", ["a ", "under ", "not ", "1,", "0 ", "9_", "one hundred ", "x-", " x", "no any ", "-"])
def test_long_texts_take_no_time(part: str) -> None:
    text = ("digits " + part * MAX_CHARS)[: MAX_CHARS - 10] + " 5"
    begun = time.process_time()
    assert len(answer(text)) < 500
    wished_style(text)
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("a MobileNet-like CIFAR-10 net", "depthwise"),
        ("digits with attention", "attention"),
        ("with channel attention", "se"),
        ("squeeze-and-excite blocks", "se"),
        ("a SqueezeNet for digits", "any"),
        ("a ResNet for SVHN", "residual"),
        ("a ConvNeXt for SVHN", "convnext"),
        ("conv-next blocks", "convnext"),
        ("an MLP-Mixer for digits", "mixer"),
        ("without skip connections, plain", "plain"),
        ("not a ResNet", "any"),
        ("anything for digits", "any"),
    ],
)
def test_style_words(text: str, style: str) -> None:
    assert wished_style(text) == style
