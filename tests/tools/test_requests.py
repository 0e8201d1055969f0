"""Sentences of people become typed requests, or are refused with a reason."""

import pytest
from netwright.tools.requests import RequestError, parse_request, wished_style


@pytest.mark.parametrize(
    ("text", "dataset", "least", "most"),
    [
        ("a CIFAR-10 classifier under 200k parameters", "cifar10", None, 200_000),
        ("classify cifar 100 images with at most 1.5M params", "cifar100", None, 1_500_000),
        ("Fashion-MNIST net, fewer than 50,000 weights", "fashion-mnist", None, 50_000),
        ("something for handwritten digits", "digits", None, None),
        ("an MNIST network between 10k and 30k parameters", "mnist", 10_000, 30_000),
        ("svhn, at least 10k parameters and at most 0.2 million parameters", "svhn", 10_000, 200_000),
        ("a 100k-parameter budget is too vague? digits, parameter budget of 100k", "digits", None, 100_000),
        ("a digits classifier with 2e4 parameters", "digits", None, 20_000),
    ],
)
def test_request_is_understood(text, dataset, least, most):
    request = parse_request(text)
    assert (request.task.dataset, request.limits.min_params, request.limits.max_params) == (dataset, least, most)
    assert request.text == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("a network", "names no data set"),
        ("an ImageNet classifier under 1M parameters", "unknown data set 'imagenet'"),
        ("a net for pets", "unknown data set 'pets'"),
        ("a CIFAR-10 classifier under -5k parameters", "must be positive"),
        ("a CIFAR-10 classifier with at most 0 parameters", "must be positive"),
        ("digits with at least 50k parameters and at most 10k parameters", "contradict"),
        ("cifar100 under 150 parameters", "cannot work"),
        ("mnist and svhn together", "names 2 data sets"),
    ],
)
def test_request_that_cannot_be_met_says_why(text, why):
    with pytest.raises(RequestError, match=why):
        parse_request(text)


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("a MobileNet-like CIFAR-10 net", "depthwise"),
        ("digits with attention", "attention"),
        ("with channel attention", "se"),
        ("a ResNet for SVHN", "residual"),
        ("anything for digits", "any"),
    ],
)
def test_style_words(text, style):
    assert wished_style(text) == style
