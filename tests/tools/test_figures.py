"""Static figures: values counted by hand, flags by family, and what the host believes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from netwright.interfaces.cli.main import app
from netwright.memory.types import RequestLimits, Verdict
from netwright.sandbox import Limits, Outcome, Sandbox
from netwright.tools import static_figures
from netwright.tools.execution import Validator, _verdict
from netwright.tools.tasks import task
from typer.testing import CliRunner

from .frames import FILES, SOURCES

FASHION = task("fashion-mnist")
FLAGS = sorted(name for name in static_figures.FLAGS if name.startswith(("has_", "is_")))


@pytest.fixture(scope="module")
def verdicts(digits_sandbox: Sandbox) -> dict[str, Verdict]:
    found = Validator(digits_sandbox).validate_many(list(SOURCES.values()), FASHION)
    return dict(zip(SOURCES, found, strict=True))


def test_every_figure_is_there(verdicts: dict[str, Verdict]) -> None:
    expected = static_figures.COUNTS | static_figures.SIZES | static_figures.FLAGS
    expected |= {"activation_types", "stats_meta", "graph"}
    for name, verdict in verdicts.items():
        assert verdict.reason == "ok", name
        assert set(verdict.figures) == expected, name
        assert verdict.figures["flops"] == verdict.flops
        assert verdict.figures["total_params"] == verdict.params
        assert verdict.figures["code_length"] == len(SOURCES[name])


# By hand: on 1x28x28, a multiplication and an addition being two operations.
BY_HAND: dict[str, dict[str, Any]] = {
    "linear": {
        "total_params": 7850, "trainable_params": 7850, "frozen_params": 0, "flops": 2 * 7840, "depth": 1,
        "total_layers": 2, "leaf_layers": 1, "max_depth": 1, "linear_count": 1, "conv_count": 0, "activation_types": [],
        "num_classes": 1, "num_functions": 5, "uses_sequential": False, "buffer_size_mb": 0.0,
        "model_size_mb": 7850 * 4 / 2**20, "total_memory_mb": 7850 * 4 / 2**20,
        "stats_meta": {"layer_types": {"Linear": 1}, "param_distribution": {"Linear": 7850}},
    },
    "lenet": {
        "flops": 2 * (784 * 25 * 6 + 196 * 25 * 6 * 16 + 784 * 120 + 120 * 84 + 84 * 10),
        "total_params": 26 * 6 + 151 * 16 + 785 * 120 + 121 * 84 + 850, "depth": 5, "total_layers": 6,
        "conv_count": 2, "linear_count": 3, "pooling_count": 0, "activation_count": 0, "activation_types": ["tanh"],
    },
    "mlp": {
        "depth": 3, "dropout_count": 2, "activation_count": 2, "activation_types": ["relu"], "total_layers": 10,
        "leaf_layers": 8, "max_depth": 2, "uses_sequential": True, "uses_modulelist": False,
        "flops": 2 * (784 * 128 + 128 * 64 + 64 * 10),
    },
    "resnet": {
        "depth": 8, "conv_count": 9, "norm_count": 9, "linear_count": 1, "pooling_count": 1, "max_depth": 3,
        "num_classes": 2, "num_functions": 7,
        # Means, variances (float32) and batch counts (int64) of nine normalisations.
        "buffer_size_mb": (2 * 4 * (16 * 3 + 32 * 3 + 48 * 3) + 9 * 8) / 2**20,
    },
    "vit": {
        "depth": 8, "attention_count": 2, "norm_count": 5, "dropout_count": 2, "activation_types": ["gelu"],
        "conv_count": 1, "linear_count": 7,
    },
    "mlp_mixer": {"depth": 14, "linear_count": 13, "conv_count": 1, "uses_modulelist": True, "uses_sequential": True},
    "fractal": {"depth": 8, "conv_count": 11, "max_depth": 7},
    "gru": {"depth": 2, "recurrent_count": 1, "norm_count": 1, "activation_types": []},
    "mobilenet": {"depth": 12, "activation_types": ["relu6"], "activation_count": 8},
    "senet": {"activation_types": ["relu", "sigmoid"], "depth": 10},
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_values_counted_by_hand(verdicts: dict[str, Verdict], name: str) -> None:
    figures = verdicts[name].figures
    assert {key: figures[key] for key in BY_HAND[name]} == BY_HAND[name]


FAMILIES = {
    "resnet": "has_residual is_resnet_like",
    "preact_resnet": "has_residual is_resnet_like",
    "senet": "has_residual is_resnet_like",
    "convmixer": "has_residual is_resnet_like",  # By the name of its class.
    "vgg": "is_vgg_like",
    "inception": "is_inception_like",
    "densenet": "is_densenet_like",
    "mobilenet": "has_residual is_resnet_like is_mobilenet_like",
    "convnext": "has_residual is_mobilenet_like",
    "mlp_mixer": "has_residual",
    "vit": "has_attention has_residual is_transformer_like",
    "botnet": "has_attention has_residual is_transformer_like",
}


def test_flags_by_family(verdicts: dict[str, Verdict]) -> None:
    assert len(FILES) == 20
    for name, verdict in verdicts.items():
        raised = {flag for flag in FLAGS if verdict.figures[flag]}
        assert raised == set(FAMILIES.get(name, "").split()), name


def replaced(name: str, *pairs: tuple[str, str]) -> str:
    source = SOURCES[name]
    for old, new in pairs:
        assert old in source, old
        source = source.replace(old, new)
    return source


UNET = replaced(
    "lenet",
    ("self.conv1 = ", "self.up = nn.ConvTranspose2d(6, 6, 2, stride=2)\n        self.conv1 = "),
    ("nn.Conv2d(6, 16", "nn.Conv2d(12, 16"),
    ("self.conv1(x)), 2)", "self.conv1(x)), 2)\n        x = torch.cat([self.up(x), torch.tanh(self.conv1(y))], 1)\n"
     "        x = F.max_pool2d(x, 2)"),
    ("def forward(self, x):", "def forward(self, x):\n        y = x"),
)  # fmt: skip
EFFICIENT = replaced(
    "mobilenet",
    ("nn.ReLU6", "nn.SiLU"),
    ("        return self.conv(x)\n", "        y = self.conv(x)\n        return y * torch.sigmoid(self.gate(y.mean((2, "
     "3), keepdim=True)))\n"),
    ("self.use_residual = ", "self.gate = nn.Conv2d(width, width, 1)\n        self.use_residual = "),
)  # fmt: skip
CHANGED = {
    "unet": (UNET, {"is_unet_like": True, "has_residual": False}),
    "efficientnet": (EFFICIENT, {"is_efficientnet_like": True, "is_mobilenet_like": True}),
    "no residual": (
        replaced("resnet", ("out += identity", "out = out * 1")),
        {"has_residual": False, "is_resnet_like": False},
    ),
    "comments are no code": (
        replaced("linear", ('"""Softmax', '# vgg, unet, inception, transformer\n"""A residual Softmax')),
        {"is_vgg_like": False, "is_unet_like": False, "is_inception_like": False, "is_resnet_like": False},
    ),
    "words in names": (
        replaced("linear", ("self.classifier", "self.vgg_transformer")),
        {"is_vgg_like": True, "is_transformer_like": True, "has_attention": False},
    ),
    "frozen": (
        replaced("mlp", ("    def forward", "        self.layers[1].bias.requires_grad_(False)\n\n    def forward")),
        {"frozen_params": 128, "trainable_params": 109386 - 128, "total_params": 109386},
    ),
    "lazy": (replaced("linear", ("nn.Linear(in_shape[1] * in_shape[2] * in_shape[3], ", "nn.LazyLinear(")),
             {"total_params": 7850, "flops": 15680}),
    "functional attention": (
        replaced("vit", ("y, _ = self.attention(y, y, y, need_weights=False)",
                         "y = nn.functional.scaled_dot_product_attention(y, y, y)"),
                 ("self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)", "pass")),
        {"has_attention": True, "is_transformer_like": True, "attention_count": 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGED)
def test_flags_follow_what_the_network_does(digits_sandbox: Sandbox, case: str) -> None:
    source, expected = CHANGED[case]
    verdict = Validator(digits_sandbox).validate(source, FASHION)
    assert verdict.reason == "ok"
    assert {name: verdict.figures[name] for name in expected} == expected


def test_a_failing_figure_fails_no_verdict(digits_sandbox: Sandbox) -> None:
    """A network whose modules cannot be listed, and one that forbids what follows its calls."""
    hidden = "    def buffers(self, recurse=True):\n        raise RuntimeError('no')\n\n"
    shy = replaced("mlp", ("    def forward", f"{hidden}    def forward"))
    verdict = Validator(digits_sandbox).validate(shy, FASHION)
    assert verdict.reason == "ok"
    assert verdict.figures["stats_error"] == "RuntimeError"
    assert verdict.figures["num_classes"] == 1
    assert "total_layers" not in verdict.figures
    refusal = "assert not torch.overrides._get_current_function_mode_stack()\n        return self.layers(x)"
    watched = replaced(
        "mlp", ("return self.layers(x)", refusal), ("import torch\n", "import torch\nimport torch.overrides\n")
    )
    verdict = Validator(digits_sandbox).validate(watched, FASHION)
    assert verdict.reason == "ok"
    assert verdict.flops == 2 * (784 * 128 + 128 * 64 + 64 * 10)
    assert "depth" not in verdict.figures
    assert verdict.figures["total_layers"] == 10


def test_a_later_failure_keeps_the_figures(digits_sandbox: Sandbox) -> None:
    verdict = Validator(digits_sandbox).validate(SOURCES["linear"].replace("loss.backward()", "1 / 0"), FASHION)
    assert (verdict.stage, verdict.error_class) == ("backward", "ZeroDivisionError")
    assert verdict.figures["total_params"] == 7850


def test_only_known_names_and_sound_values_are_believed() -> None:
    told = {
        "total_params": 5, "flops": 10**30, "total_layers": -1, "max_depth": True, "depth": "3", "conv_count": 1e3,
        "model_size_mb": float("inf"), "buffer_size_mb": 0.5, "total_memory_mb": "x" * 10**6, "has_residual": 1,
        "has_attention": True, "is_vgg_like": None, "rm -rf": 1, "accuracy": 1.0,
        "activation_types": ["relu\x1b[2J", 5, "x" * 500, *["tanh"] * 100],
        "stats_meta": {"layer_types": {"Linear\n": 2, "Bad": -1, "": 3}, "param_distribution": [1], "other": {"a": 1}},
        "stats_error": "\x1b[31mE" * 100,
    }  # fmt: skip
    read = static_figures.read(told, flops=7)
    assert read.pop("activation_types")[:2] == ["relu [2J", "x" * 59 + "…"]
    assert len(read.pop("stats_error")) <= 80
    assert read == {
        "total_params": 5,
        "flops": 7,
        "buffer_size_mb": 0.5,
        "has_attention": True,
        "stats_meta": {"layer_types": {"Linear": 2}, "param_distribution": {}},
    }
    assert [static_figures.read(bad) for bad in (None, [], "x", 3)] == [{}] * 4
    huge = {name: {str(i): i for i in range(10**4)} for name in ("layer_types", "param_distribution")}
    assert len(json.dumps(static_figures.read({"stats_meta": huge}))) < 2000


def test_a_forged_result_has_bounded_figures() -> None:
    result = {"ok": True, "stage": "backward", "params": 10, "flops": 10, "figures": {"x": 1, "depth": 2}}
    verdict = _verdict(Outcome(status="ok", result=result), Limits(), RequestLimits())
    assert verdict.ok
    assert verdict.figures == {"depth": 2, "flops": 10}


def test_the_command_line_shows_them() -> None:
    path = next(path for path in FILES if path.stem == "linear")
    result = CliRunner().invoke(app, ["validate", str(path), "--dataset", "digits", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)[0]["figures"]
    assert (figures["total_params"], figures["depth"], figures["is_vgg_like"]) == (650, 1, False)
