"""Blocks through the sandbox: every stage, guessed arguments and inputs, absent packages, hostile files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from netwright.memory.block_types import BLOCK_STAGES, Block, BlockCheck
from netwright.sandbox import Limits, Outcome, Sandbox
from netwright.tools.blocks.arguments import as_source
from netwright.tools.blocks.validation import BlockValidator

HEAD = "import torch\nfrom torch import nn\n\n"
LIMITS = Limits(wall_s=30, cpu_s=6, memory_mb=2048, processes=16, output_kb=64, result_kb=256)
PLAIN = HEAD + "class Gate(nn.Module):\n    def forward(self, x):\n        return x.sigmoid() * x\n"


def block(text: str, name: str = "Gate") -> Block:
    return Block(
        qualified=f"somepkg.layers.{name}",
        package="some-package",
        version="1.0",
        path="layers.py",
        line=1,
        file_hash="0",
        category="utility",
        text=text,
    )


@pytest.fixture(scope="module")
def validator(digits_sandbox: Sandbox) -> BlockValidator:
    return BlockValidator(digits_sandbox, LIMITS, search_s=2)


CONV = (
    "class Gate(nn.Module):\n"
    "    def __init__(self, in_chs: int, out_chs: int, stride=1, act_layer=nn.ReLU):\n"
    "        super().__init__()\n"
    "        self.conv = nn.Conv2d(in_chs, out_chs, 3, stride, 1)\n"
    "        self.act = act_layer()\n"
    "    def forward(self, x):\n"
    "        return self.act(self.conv(x)) + x\n"
)
WINDOW = (
    "class Gate(nn.Module):\n"
    "    def __init__(self, dim, input_resolution, num_heads, window_size, norm_layer):\n"
    "        super().__init__()\n"
    "        self.size, self.heads, self.window = input_resolution, num_heads, window_size\n"
    "        self.norm = norm_layer(dim)\n"
    "        self.proj = nn.Linear(dim, dim)\n"
    "    def forward(self, x):\n"
    "        h, w = self.size\n"
    "        b, n, c = x.shape\n"
    "        assert n == h * w and h % self.window == 0 and c % self.heads == 0\n"
    "        return self.proj(self.norm(x))\n"
)
CONFIGURED = (
    "class GateConfig:\n"
    "    def __init__(self, hidden_size=768, num_attention_heads=12, intermediate_size=3072, vocab_size=30522):\n"
    "        self.hidden_size, self.num_attention_heads = hidden_size, num_attention_heads\n"
    "        self.intermediate_size, self.vocab_size = intermediate_size, vocab_size\n"
    "class Gate(nn.Module):\n"
    "    def __init__(self, config: 'GateConfig', layer_idx: int):\n"
    "        super().__init__()\n"
    "        self.up = nn.Linear(config.hidden_size, config.intermediate_size)\n"
    "        self.down = nn.Linear(config.intermediate_size, config.hidden_size)\n"
    "    def forward(self, hidden_states, attention_mask=None):\n"
    "        return (self.down(self.up(hidden_states)),)\n"
)
UNKNOWN = (
    "class Gate(nn.Module):\n"
    "    def __init__(self, config):\n"
    "        super().__init__()\n"
    "        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)\n"
    "        self.drop = nn.Dropout(config.hidden_dropout_prob)\n"
    "    def forward(self, input_ids):\n"
    "        return {'last': self.drop(self.embed(input_ids))}\n"
)
LOSS = (
    "class Gate(nn.Module):\n"
    "    def forward(self, x, target):\n"
    "        return nn.functional.nll_loss(x.log_softmax(1), target)\n"
)
NESTED = (
    "class Bottleneck(nn.Module):\n"
    "    def __init__(self, dim):\n"
    "        super().__init__()\n"
    "        self.norm = nn.BatchNorm2d(dim)\n"
    "    def forward(self, x):\n"
    "        return self.norm(x)\n"
    "class Gate(nn.Module):\n"
    "    def __init__(self, block, dims, depths):\n"
    "        super().__init__()\n"
    "        self.all = nn.Sequential(*[block(d) for d, n in zip(dims, depths) for _ in range(n)])\n"
    "    def forward(self, x):\n"
    "        return self.all(x)\n"
)
ROTARY = (
    "class Gate(nn.Module):\n"
    "    def __init__(self, hidden_size: int, num_heads: int):\n"
    "        super().__init__()\n"
    "        self.head_dim = hidden_size // num_heads\n"
    "        self.qkv = nn.Linear(hidden_size, hidden_size)\n"
    "    def forward(self, hidden_states, position_embeddings, attention_mask=None):\n"
    "        cos, sin = position_embeddings\n"
    "        q = self.qkv(hidden_states).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)\n"
    "        return q * cos.unsqueeze(1) + q * sin.unsqueeze(1)\n"
)
RUNS: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "convolution": (CONV, {"in_chs": 64, "out_chs": 64}, (2, 64, 14, 14)),
    "window": (
        WINDOW,
        {
            "dim": 64,
            "input_resolution": {"tuple": [14, 14]},
            "num_heads": 4,
            "window_size": 7,
            "norm_layer": "torch.nn.LayerNorm",
        },
        (2, 196, 64),
    ),
    "configuration": (
        CONFIGURED,
        {
            "config": {
                "class": "GateConfig",
                "fields": {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "vocab_size": 128},
            },
            "layer_idx": 0,
        },
        (2, 16, 64),
    ),
    "unknown configuration": (
        UNKNOWN,
        {
            "config": {
                "class": "types.SimpleNamespace",
                "fields": {"hidden_dropout_prob": 0.0, "hidden_size": 64, "vocab_size": 128},
            }
        },
        (2, 16),
    ),
    "loss": (LOSS, {}, (2, 64, 14, 14)),
    "classes of the file": (
        NESTED,
        {"block": {"class": "Bottleneck"}, "dims": [64] * 4, "depths": [1] * 4},
        (2, 64, 14, 14),
    ),
    "rotary": (ROTARY, {"hidden_size": 64, "num_heads": 4}, (2, 16, 64)),
}


@pytest.mark.parametrize("case", RUNS)
def test_blocks_are_built_and_run(case: str, validator: BlockValidator) -> None:
    body, arguments, first = RUNS[case]
    if case == "loss":
        body, first = body.replace("x.log", "x.flatten(2).mean(2).log"), first
    check = validator.check(block(HEAD + body))
    assert (check.stage, check.error_class) == ("forward", None), check
    assert check.arguments == arguments
    assert check.inputs[0] == first
    assert check.outputs
    assert check.stands_alone


@pytest.mark.parametrize("case", [case for case in RUNS if case != "loss"])
def test_recorded_arguments_build_the_block_again(case: str, validator: BlockValidator) -> None:
    body = RUNS[case][0]
    check = validator.check(block(HEAD + body))
    assert check.arguments is not None
    names: dict[str, Any] = {}
    # The texts are this test's own.
    exec(f"import types\n{HEAD}{body}\nmade = Gate({as_source(check.arguments)})", names)
    assert sum(p.numel() for p in names["made"].parameters()) == check.params


STOPS = {
    "no syntax": ("class Gate(", "extract", "SyntaxError", ""),
    "compiler": (PLAIN + "return 1\n", "parse", "SyntaxError", "outside function"),
    "empty": (" \n", "extract", "EmptySource", ""),
    "source package": ("import timm\n" + PLAIN, "compile", "ModuleNotFoundError", "timm"),
    "own package": ("from somepkg.layers import x\n" + PLAIN, "compile", "ModuleNotFoundError", "somepkg"),
    "installed source package": ("import torchvision.ops\n" + PLAIN, "compile", "ModuleNotFoundError", "torchvision"),
    "class missing": (PLAIN.replace("Gate", "Other"), "compile", "ClassMissing", "nothing has its name"),
    "no module": (PLAIN.replace("(nn.Module)", ""), "compile", "ClassMissing", "no class derived"),
    "exit": (PLAIN + "raise SystemExit(0)\n", "compile", "SystemExit", ""),
    "undefined": (PLAIN.replace("x.sigmoid()", "sigmoid(x)"), "import", "UndefinedName", "line 6: undefined sigmoid"),
    "late import": (PLAIN + "def f():\n    import timm\n    return timm\n", "import", "SourceImport", "timm"),
    "star": ("from math import *\n" + PLAIN, "import", "UnboundImport", "star import math"),
    "build": (
        PLAIN.replace("    def f", "    def __init__(self):\n        raise ValueError('never')\n    def f"),
        "names",
        "ValueError",
        "never (line 6)",
    ),
    "forward": (
        PLAIN.replace("return x.sigmoid() * x", "raise ValueError('no')"),
        "build",
        "ValueError",
        "no (line 6)",
    ),
}


@pytest.mark.parametrize("case", STOPS)
def test_the_stage_that_stops_a_block_is_told(case: str, validator: BlockValidator) -> None:
    text, stage, error_class, words = STOPS[case]
    check = validator.check(block(text))
    assert (check.stage, check.error_class) == (stage, error_class), check
    assert words in (check.message or "")


def test_absent_packages_cannot_be_found(validator: BlockValidator) -> None:
    asked = (
        "import importlib.metadata, importlib.util, sys\n"
        "assert importlib.util.find_spec('torchvision') is None\n"
        "assert importlib.util.find_spec('transformers') is None\n"
        "assert importlib.util.find_spec('numpy') is not None\n"
        "assert not [name for name in sys.modules if name.startswith('torchvision')]\n"
        "assert importlib.metadata.version('numpy')\n"
        "try:\n    importlib.metadata.version('transformers')\n"
        "except importlib.metadata.PackageNotFoundError:\n    pass\nelse:\n    raise AssertionError('found')\n"
        "try:\n    import torchvision\nexcept ImportError:\n    torchvision = None\n"
        "assert torchvision is None\n"
    )
    check = validator.check(block(asked + PLAIN))
    # The import is caught, so that the file runs; that it is there at all is told by the next stage.
    assert (check.stage, check.error_class) == ("import", "SourceImport"), check


HOSTILE = {
    "exit": ("import os\nos._exit(0)\n", "compile", "Crash"),
    "loop": ("while True: pass\n", "compile", "CpuLimit"),
    "memory": ("x = bytearray(1 << 34)\n", "compile", "MemoryLimit"),
    "output": ("while True: print('x' * 4000)\n", "compile", "OutputLimit"),
    "network": ("import socket\nsocket.create_connection(('127.0.0.1', 80))\n", "compile", None),
    "files": ("open('/etc/netwright', 'w')\n", "compile", None),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_only_stopped(case: str, digits_sandbox: Sandbox) -> None:
    text, stage, error_class = HOSTILE[case]
    limits = LIMITS.model_copy(update={"cpu_s": 1})
    check = BlockValidator(digits_sandbox, limits).check(block(text + PLAIN))
    assert check.stage == stage, check
    assert check.error_class is not None
    assert error_class in (None, check.error_class), check


def test_a_slow_try_does_not_end_the_others(validator: BlockValidator) -> None:
    slow = HEAD + (
        "class Gate(nn.Module):\n"
        "    def __init__(self, dim, flag: bool):\n"
        "        super().__init__()\n"
        "        while not flag: pass\n"
        "        self.fc = nn.Linear(dim, dim)\n"
        "    def forward(self, x):\n        return self.fc(x)\n"
    )
    check = BlockValidator(validator._sandbox, LIMITS, search_s=4).check(block(slow))
    assert check.stage == "forward"
    assert check.arguments == {"dim": 64, "flag": True}


@pytest.mark.parametrize(
    "result",
    [
        None,
        [],
        {"stage": "names"},
        {"stage": 7},
        {"stage": "forward"},
        {"stage": "forward", "arguments": {}, "params": -1, "inputs": [], "outputs": []},
        {"stage": "forward", "arguments": {"x": "y" * 30_000}, "params": 1, "inputs": [], "outputs": []},
        {"stage": "build", "arguments": {}, "params": 1, "inputs": [[1, "2"]], "outputs": []},
        {"stage": "build", "arguments": {}, "params": 1, "inputs": [[1]] * 17, "outputs": []},
    ],
)
def test_forged_results_are_refused(result: object, validator: BlockValidator) -> None:
    check = validator._read(Outcome(status="ok", result=result, note="compile"))
    assert check.error_class == "ResultLimit"
    assert BLOCK_STAGES.index(check.stage) < BLOCK_STAGES.index("names")


def test_many_blocks_in_order_and_the_same_each_time(validator: BlockValidator) -> None:
    blocks = [block(HEAD + RUNS[case][0]) for case in ("convolution", "window", "rotary")] + [block(PLAIN)]
    told: list[tuple[str, str]] = []
    checks = validator.check_many(blocks, lambda each, check: told.append((each.id, check.stage)))
    assert told == [(each.id, "forward") for each in blocks]
    assert [json.loads(check.model_dump_json()) for check in checks] == [
        json.loads(check.model_dump_json()) for check in validator.check_many(blocks)
    ]
    assert validator.usage.blocks >= 8
    assert validator.usage.peak_mb > 100


def test_an_earlier_end(digits_sandbox: Sandbox) -> None:
    check = BlockValidator(digits_sandbox, LIMITS, until="names").check(block(HEAD + CONV))
    assert check == BlockCheck(stage="names")
    built = BlockValidator(digits_sandbox, LIMITS, until="build").check(block(HEAD + CONV))
    assert (built.stage, built.params, built.inputs) == ("build", 64 * 64 * 9 + 64, ())


def test_arguments_as_source() -> None:
    told = {
        "a": {"tuple": [1]},
        "b": [{"class": "Gate"}, "torch.nn.GELU", "gelu", None, True, 0.5],
        "c": {"class": "GateConfig", "fields": {"x": {"tuple": []}}},
    }
    written = as_source(told, {"Gate": "Gate_2", "GateConfig": "GateConfig"}.__getitem__)
    assert written == "a=(1,), b=[Gate_2, torch.nn.GELU, 'gelu', None, True, 0.5], c=GateConfig(x=())"
    assert eval(f"dict({as_source({'a': {'tuple': [2, 3]}, 'b': 'torch.nn.GELU'})})") == {
        "a": (2, 3),
        "b": torch.nn.GELU,
    }
    with pytest.raises(ValueError, match="set after"):
        as_source({"c": {"class": "A", "fields": {}, "set": {"x": 1}}})
    for wrong in ({"x": 1}, {}, Path("x")):
        with pytest.raises(ValueError, match="recorded argument"):
            as_source({"c": wrong})
