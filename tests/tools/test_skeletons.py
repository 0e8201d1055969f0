"""Masked skeletons: what is masked, that all else stays to the byte, and how an answer is put back."""

from __future__ import annotations

import pytest
from netwright.memory.types import candidate_id
from netwright.tools.pretraining.pipeline import packaged_corpus
from netwright.tools.skeletons import MASK, Skeleton, SkeletonError, complete, fill, mask, mask_all, split

PAPER = """\
import torch
import torch.nn as nn


def supported_hyperparameters():
    return {'lr', 'momentum'}


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.body = nn.Conv2d(c, c, 3, padding=1)

    def forward(self, x):
        return self.body(x)


class Deep(Block):
    pass


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device  # größe
        c = 8
        self.conv1 = nn.Conv2d(in_shape[1], c, 3)  # first
        self.conv2 = torch.nn.Conv2d(c, c, 3)

        for i in range(2):
            self.add_module(f'deep{i}', Deep(c))
        n = c * 4
        # the head
        self.fc = nn.Linear(n, out_shape[0])
        self.loss = nn.CrossEntropyLoss()
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.fc(self.conv2(self.conv1(x)).flatten(1))
"""


def restored(skeleton: Skeleton) -> str:
    """The original, from the masked text and the layers."""
    first, *rest = skeleton.masked.split(MASK)
    return first + "".join(layers + after for layers, after in zip(skeleton.layers, rest, strict=True))


def test_masks_layers_of_net_and_nothing_else() -> None:
    skeleton = mask(PAPER)
    assert skeleton.masked.count(MASK) == 2
    assert skeleton.layers[0].startswith("self.conv1 = nn.Conv2d(in_shape[1], c, 3)  # first")
    assert skeleton.layers[0].endswith("self.add_module(f'deep{i}', Deep(c))")
    assert skeleton.layers[1] == "self.fc = nn.Linear(n, out_shape[0])"
    for kept in ("self.body = nn.Conv2d", "self.loss = nn.CrossEntropyLoss()", "nn.init.zeros_", "# the head", "größe"):
        assert kept in skeleton.masked
    assert restored(skeleton) == PAPER


def test_kept_text_ends_before_the_first_mask() -> None:
    skeleton = mask(PAPER, "# header")
    assert skeleton.kept.endswith("\n        c = 8")
    assert PAPER.startswith(skeleton.kept)
    assert complete(skeleton, PAPER[len(skeleton.kept) :]) == PAPER
    assert (skeleton.prompt, skeleton.id) == ("# header", candidate_id(PAPER))


def test_programs_of_the_corpus_come_back_to_the_byte() -> None:
    programs = packaged_corpus()[:30]
    skeletons = mask_all((p.header.render(), p.source) for p in programs)
    assert len(skeletons) == len(programs)
    for skeleton, program in zip(skeletons, programs, strict=True):
        assert restored(skeleton) == program.source
        assert "nn.Linear(" not in skeleton.masked.partition("class Net")[2].partition("def forward")[0]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("class Net(:\n", "parsed"),
        ("x = 1\n", "no class Net"),
        ("class Net:\n    def forward(self): pass\n", "no class Net"),
        ("class Net:\n    def __init__(self): pass\n", "one line"),
        ("class Net:\n    def __init__(self):\n        self.x = 1\n", "no layer"),
    ],
)
def test_refuses_what_has_no_layers(source: str, why: str) -> None:
    with pytest.raises(SkeletonError, match=why):
        mask(source)
    assert mask_all([("", source)]) == []


@pytest.mark.parametrize(
    ("imports", "layer"),
    [
        ("from torch.nn import Linear", "Linear(1, 2)"),
        ("from torch.nn import Linear as L", "L(1, 2)"),
        ("import torch.nn as N", "N.Linear(1, 2)"),
        ("from torch import nn as layers", "layers.Linear(1, 2)"),
        ("import torch as T", "T.nn.Linear(1, 2)"),
        ("import torch.nn", "torch.nn.Linear(1, 2)"),
        ("import torch.nn as N\n\n\nclass Mine(N.Module):\n    pass", "Mine()"),
    ],
)
def test_layers_are_masked_by_whatever_name_the_file_has_for_them(imports: str, layer: str) -> None:
    source = f"{imports}\n\n\nclass Net:\n    def __init__(self):\n        self.n = 1\n        self.a = {layer}\n"
    skeleton = mask(source)
    assert skeleton.layers == (f"self.a = {layer}",)
    assert restored(skeleton) == source


def test_losses_and_functions_of_torch_are_no_layers() -> None:
    head = "from torch.nn import CrossEntropyLoss, Linear, Parameter\n\n\nclass Net:\n    def __init__(self):\n"
    lines = "        self.a = Linear(1, 2)\n        self.loss = CrossEntropyLoss()\n        self.p = Parameter(w)\n"
    assert mask(head + lines).layers == ("self.a = Linear(1, 2)",)


def test_a_decorator_is_masked_with_its_function() -> None:
    source = (
        "import torch.nn as nn\n\n\nclass Net:\n    def __init__(self):\n        x = 1\n        @cache\n"
        "        def conv(i):\n            return nn.Conv2d(i, 1, 3)\n        y = 2\n"
    )
    skeleton = mask(source)
    assert skeleton.masked.endswith(f"        x = 1\n        {MASK}\n        y = 2\n")
    assert restored(skeleton) == source


@pytest.mark.parametrize("deep", ["y = " + " + ".join(["x"] * 900), "y = x" + ".m()" * 700])
def test_what_is_nested_too_deep_is_refused_and_left_out(deep: str) -> None:
    source = PAPER.replace("        c = 8\n", f"        c = 8\n        {deep}\n")
    with pytest.raises(SkeletonError, match="cannot be parsed"):
        mask(source)
    assert mask_all([("", source), ("", PAPER)]) == [mask(PAPER)]


def test_fill_finds_the_mask_and_the_network_where_they_are() -> None:
    talking = '"""Like # [MASKED LAYER]."""\n' + PAPER
    filled = fill(mask(talking), "```python\nself.conv1 = nn.Identity()\n```")
    assert filled.startswith('"""Like # [MASKED LAYER]."""\n')
    assert "        c = 8\n        self.conv1 = nn.Identity()\n" in filled
    listed = "1. Here:\n\n   ```python\n" + "".join(f"   {line}" for line in PAPER.splitlines(True)) + "   ```\n"
    assert fill(mask(PAPER), listed).split() == PAPER.split()


def test_repeats_are_masked_once_and_only_as_many_as_wanted() -> None:
    pairs = [("", PAPER), ("", PAPER + "\n"), ("", PAPER.replace("c = 8", "c = 9")), ("", "never read (")]
    assert [one.original for one in mask_all(pairs, most=2)] == [pairs[0][1], pairs[2][1]]


def test_fill_takes_a_whole_network_or_its_layers() -> None:
    skeleton = mask(PAPER)
    whole = f"Here it is:\n```python\n{PAPER}```\n"
    assert fill(skeleton, whole) == PAPER
    layers = "```python\nself.conv1 = nn.Conv2d(1, 8, 3)\nself.conv2 = nn.Identity()\n```"
    filled = fill(skeleton, layers)
    assert "        c = 8\n        self.conv1 = nn.Conv2d(1, 8, 3)\n        self.conv2 = nn.Identity()\n" in filled
    assert filled.count(MASK) == 1
    assert fill(skeleton, "I cannot do that.") == "I cannot do that."


def test_held_out_skeletons_are_no_training_tasks() -> None:
    skeletons = mask_all((p.header.render(), p.source) for p in packaged_corpus()[:40])
    train, held_out = split(skeletons, 20, 10, seed=3)
    assert split(skeletons, 20, 10, seed=3) == (train, held_out)
    assert not {(s.prompt, s.kept) for s in train} & {(s.prompt, s.kept) for s in held_out}
    with pytest.raises(ValueError, match="are there"):
        split(skeletons, 30, 20, seed=3)
