"""Grafting: a block in place of a stage, with its channels or between convolutions, apart where names clash."""

from __future__ import annotations

import random
from pathlib import Path

import libcst as cst
import pytest
from netwright.memory.block_types import Block, BlockCheck
from netwright.memory.types import RequestLimits
from netwright.sandbox import Sandbox
from netwright.tools.execution import Validator
from netwright.tools.grafting.fitting import fits, layout_of
from netwright.tools.grafting.graft import Grafted, GraftFailed, Grafting, grafted_source
from netwright.tools.grafting.joining import CannotJoin, apart, join, names_bound
from netwright.tools.grafting.places import NoPlaces, Place, find_places
from netwright.tools.tasks import task

NETWORKS = Path(__file__).parents[1] / "data" / "networks"
DIGITS = task("digits")

NETWORK = """import torch
import torch.nn as nn


def supported_hyperparameters():
    return {'lr', 'momentum'}


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.body = nn.Conv2d(c, c, 3, padding=1)

    def forward(self, x):
        return x + self.body(x)


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        self.stem = nn.Conv2d(in_shape[1], 12, 3, padding=1)
        self.stage = nn.Sequential(Block(12), nn.ReLU())
        self.down = nn.Sequential(nn.Conv2d(12, 20, 3, stride=2, padding=1), nn.ReLU())
        self.head = nn.Linear(20, out_shape[0])

    def forward(self, x):
        return self.head(self.down(self.stage(self.stem(x))).mean((2, 3)))

    def train_setup(self, prm):
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'])

    def learn(self, train_data):
        for inputs, labels in train_data:
            self.optimizer.zero_grad()
            self.criterion(self(inputs), labels).backward()
            self.optimizer.step()
"""

GATE = '''# made.Block, a gate of the channels
from __future__ import annotations

import torch
from torch import nn

WIDTH = 4


def squeezed(x):
    return x.mean((2, 3), keepdim=True)


class Block(nn.Module):
    """Channel attention whose class has the name of one of the network's."""

    def __init__(self, dim: int, rd: int = WIDTH):
        super().__init__()
        self.gate = nn.Sequential(nn.Conv2d(dim, dim // rd, 1), nn.ReLU(), nn.Conv2d(dim // rd, dim, 1))

    def forward(self, x):
        return x * torch.sigmoid(self.gate(squeezed(x)))
'''
WIDE = """import torch.nn as nn


class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(64, 96, 3, padding=1)

    def forward(self, x):
        return self.conv(x)
"""
TOKENS = """import torch.nn as nn


class Mixer(nn.Module):
    def __init__(self, dim, tokens):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.mix = nn.Linear(tokens, tokens)

    def forward(self, x):
        return x + self.mix(self.norm(x).transpose(1, 2)).transpose(1, 2)
"""
LAST = """import torch.nn as nn


class Last(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.fc = nn.Linear(dim, dim)

    def forward(self, x):
        return x + self.fc(x)
"""


def block(name: str, text: str, arguments: dict[str, object], before: tuple[int, ...], after: tuple[int, ...]) -> Block:
    check = BlockCheck(stage="forward", arguments=arguments, inputs=(before,), outputs=(after,), params=100)
    fields = {"package": "made", "version": "1", "path": "made.py", "line": 1, "file_hash": "0" * 40}
    return Block(qualified=f"made.{name}", category="attention", text=text, check=check, **fields)


MAP = (2, 64, 14, 14)
BLOCKS = {
    "gate": block("Block", GATE, {"dim": 64}, MAP, MAP),
    "wide": block("Wide", WIDE, {}, MAP, (2, 96, 14, 14)),
    "tokens": block("Mixer", TOKENS, {"dim": 64, "tokens": 16}, (2, 16, 64), (2, 16, 64)),
    "last": block("Last", LAST, {"dim": 64}, (2, 14, 14, 64), (2, 14, 14, 64)),
}
STAGE = Place(path="stage", kind="Sequential", before=(12, 8, 8), after=(12, 8, 8))
DOWN = Place(path="down", kind="Sequential", before=(12, 8, 8), after=(20, 4, 4))


@pytest.fixture(scope="module")
def grafting(digits_sandbox: Sandbox) -> Grafting:
    return Grafting(digits_sandbox, Validator(digits_sandbox), DIGITS)


def test_the_stages_of_a_network_are_found_with_their_shapes(digits_sandbox: Sandbox) -> None:
    found = {place.path: place for place in find_places(digits_sandbox, NETWORK, DIGITS)}
    assert found["stage"].before == (12, 8, 8)
    assert found["stage.0"].kind == "Block"
    assert (found["down"].before, found["down"].after) == ((12, 8, 8), (20, 4, 4))
    assert "head" not in found
    assert "stage.1" not in found, "an activation is no stage"


@pytest.mark.parametrize("text", ["class Net:\n    pass\n", "", "while True: pass\n", "import os\nos._exit(3)\n"])
def test_a_network_without_stages_says_why(text: str, digits_sandbox: Sandbox) -> None:
    with pytest.raises(NoPlaces, match=r"\S"):
        find_places(digits_sandbox, text, DIGITS)


def test_layouts_by_shape() -> None:
    assert layout_of((2, 64, 14, 14)) == "maps"
    assert layout_of((2, 14, 14, 64)) == "channels_last"
    assert layout_of((2, 16, 64)) == "tokens"
    assert layout_of((2, 64)) is None


def test_a_block_gets_the_channels_of_its_place() -> None:
    ways = list(fits(BLOCKS["gate"], STAGE))
    assert [way.resized for way in ways] == [True, False]
    assert ways[0].build(str) == "Block(dim=12)"
    assert ways[1].build(str) == "nn.Sequential(nn.Conv2d(12, 64, 1), Block(dim=64), nn.Conv2d(64, 12, 1))"
    down = next(fits(BLOCKS["gate"], DOWN)).build(str)
    assert down == "nn.Sequential(Block(dim=12), nn.Conv2d(12, 20, 1), nn.AdaptiveAvgPool2d((4, 4)))"
    assert "tokens=64" in next(fits(BLOCKS["tokens"], STAGE)).build(str), "the number of tokens is that of the place"


def test_a_block_that_was_never_run_fits_nowhere() -> None:
    assert list(fits(BLOCKS["gate"].model_copy(update={"check": None}), STAGE)) == []


@pytest.mark.parametrize("name", list(BLOCKS))
@pytest.mark.parametrize("place", [STAGE, DOWN, STAGE.model_copy(update={"path": "stage.0"})], ids=lambda p: p.path)
def test_each_layout_stands_in_each_place(name: str, place: Place, digits_sandbox: Sandbox) -> None:
    validator, verdicts = Validator(digits_sandbox), []
    for way in fits(BLOCKS[name], place):
        verdicts.append(validator.validate(grafted_source(NETWORK, BLOCKS[name], place, way), DIGITS))
    assert verdicts
    assert all(verdict.ok for verdict in verdicts), [verdict.reason for verdict in verdicts]


def test_names_that_clash_are_kept_apart() -> None:
    text = grafted_source(NETWORK, BLOCKS["gate"], STAGE, next(fits(BLOCKS["gate"], STAGE)))
    assert "class Block_2(nn.Module)" in text
    assert "self.stage = Block_2(dim=12)" in text
    assert text.startswith("from __future__ import annotations")
    assert "# made.Block, a gate of the channels" in text, "the block's origin stays with it"
    assert "self.body = nn.Conv2d(c, c, 3, padding=1)" in text, "the network's own Block is as it was"


def test_renaming_follows_scopes() -> None:
    text = "import os as f\nVALUE = 1\n\ndef g(VALUE):\n    return VALUE + f.sep\n\ndef h():\n    return VALUE, f.sep\n"
    renamed, names = apart(text, {"VALUE": "", "f": "torch.nn.functional"})
    assert names == {"VALUE": "VALUE_2", "f": "f_2"}
    assert renamed == (
        "import os as f_2\nVALUE_2 = 1\n\ndef g(VALUE):\n    return VALUE + f_2.sep\n\n"
        "def h():\n    return VALUE_2, f_2.sep\n"
    )


def test_the_same_import_is_no_clash() -> None:
    assert apart("import torch.nn as nn\n", names_bound(cst.parse_module("from torch import nn\n")))[1] == {}


def test_what_cannot_be_joined_says_why() -> None:
    with pytest.raises(CannotJoin, match="no class Net"):
        join("x = 1\n", GATE, "stage", {"expression": "Block()"})
    with pytest.raises(CannotJoin, match="does not parse"):
        join(NETWORK, "class (", "stage", {"expression": "Block()"})
    with pytest.raises(CannotJoin, match="no __init__"):
        join("class Net:\n    pass\n", GATE, "stage", {"expression": "Block()"})


@pytest.mark.parametrize("path", sorted(NETWORKS.glob("*.py"))[::4], ids=lambda p: p.stem)
def test_networks_of_many_styles_take_a_block_or_say_why(path: Path, grafting: Grafting) -> None:
    source = path.read_text()

    def outcome() -> tuple[str, str]:
        try:
            made = grafting.graft(source, BLOCKS["gate"], random.Random(3))
        except GraftFailed as error:
            return "failed", str(error)
        assert isinstance(made, Grafted)
        assert made.verdict.ok
        assert "made.Block" in made.source
        return made.path, made.source

    first = outcome()
    assert first[1]
    assert outcome() == first, "one seed, one graft"


def test_a_graft_keeps_the_limits_of_the_request(digits_sandbox: Sandbox) -> None:
    tight = Grafting(digits_sandbox, Validator(digits_sandbox), DIGITS, RequestLimits(max_params=500), tries=2)
    with pytest.raises(GraftFailed, match="OverBudget"):
        tight.graft(NETWORK, BLOCKS["wide"], random.Random(0))
