"""The category of a block, by its name and code."""

from __future__ import annotations

import pytest
from netwright.tools.blocks.categories import category_of, words_of


@pytest.mark.parametrize(
    ("name", "bases", "module", "code", "category"),
    [
        ("FocalLoss", ("nn.Module",), "m.losses", "", "loss"),
        ("SoftTargetCrossEntropy", ("nn.Module",), "timm.loss.cross_entropy", "", "loss"),
        ("WindowAttention", ("nn.Module",), "m", "", "attention"),
        ("SEModule", ("nn.Module",), "timm.layers.squeeze_excite", "nn.Conv2d(a, b, 1)", "attention"),
        ("RmsNorm2d", ("nn.Module",), "m", "", "normalization"),
        ("NormalCell", ("nn.Module",), "m", "conv2d(a) conv2d(b)", "convolution"),
        ("AdaptiveAvgMaxPool2d", ("nn.Module",), "m", "", "pooling"),
        ("ResNet", ("nn.Module",), "m", "nn.Conv2d(3, 64)", "architecture"),
        ("BertForMaskedLM", ("BertPreTrainedModel",), "m", "", "architecture"),
        ("BertLayer", ("GradientCheckpointingLayer",), "m", "", "transformer"),
        ("Block", ("nn.Module",), "m", "self.attn = Attention(dim); self.mlp = Mlp(dim)", "transformer"),
        ("ConvNormAct", ("nn.Module",), "m", "", "convolution"),
        ("BasicBlock", ("nn.Module",), "m", "conv3x3 = nn.Conv2d(a, b); nn.Conv2d(b, c)", "convolution"),
        ("DropPath", ("nn.Module",), "m", "", "utility"),
    ],
)
def test_category(name: str, bases: tuple[str, ...], module: str, code: str, category: str) -> None:
    assert category_of(name, bases, "", module, code) == category


def test_words() -> None:
    assert words_of("GlobalContextVitBlock") == ["global", "context", "vit", "block"]
    assert words_of("Conv2d") == ["conv", "2d"]
