"""Blocks of a small library full of hard cases: each file stands alone and does what its class did."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from netwright.memory.block_types import Block
from netwright.memory.file_index import FileIndex
from netwright.tools.blocks.facts import FACTS_VERSION
from netwright.tools.blocks.mining import Miner, write_files
from netwright.tools.blocks.names import faults
from netwright.tools.blocks.sources import find_source

from .block_sources import write

# What each block gives, as an expression over its class and torch.
RESULTS = {
    "hard.layers.basic.Plain": ("list(Plain(4)(torch.ones(2, 4)).shape)", [2, 4]),
    "hard.users.Attributes": ("round(float((Attributes()(torch.zeros(4)) - 109).abs().min()), 3) >= 0", True),
    "hard.users.Child": ("Child().optional is None and list(Child()(torch.zeros(4)).shape)", [4]),
    "hard.clash_b.Clash": ("Clash()(2)", "30 shadowed"),
    "hard.clash_b.Builtins": ("Builtins()(2)", 4),
    "hard.registry.Resize": ("Resize()(4)", 5),
    "hard.registry.Counter": ("[Counter()(), Counter()()]", [1, 2]),
    "hard.cycle.Leaf": ("[len(Leaf()(0)), Leaf.kind]", [5, "leaf"]),
    "hard.cycle.Sequence": ("list(Sequence(3)(torch.ones(1, 3)).shape)", [1, 3]),
    "hard.rebound.Rebound": ("Rebound()(1)", [2, 2, [1, 2, 3], 2]),
    "hard.configured.Configured": ("list(Configured(WideConfig(width=8))(torch.ones(8)).shape)", [8]),
}
RUN = """
import json, sys, torch, types
results = {}
for name, (path, expression) in json.load(sys.stdin).items():
    module = sys.modules[name] = types.ModuleType(name)
    try:
        exec(compile(open(path).read(), path, "exec"), module.__dict__)
        results[name] = eval(expression, {**module.__dict__, "torch": torch})
    except Exception as error:
        results[name] = repr(error)
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hard")


@pytest.fixture(scope="module")
def blocks(folder: Path) -> dict[str, Block]:
    package = write(folder)
    with FileIndex(folder / "files.db", format=FACTS_VERSION) as index:
        mined, found = Miner(index).mine([find_source(str(package))])
        emitted = {block.qualified: block for block in write_files(found, folder / "out")}
    assert not mined.failed
    return emitted


@pytest.fixture(scope="module")
def results(blocks: dict[str, Block], folder: Path) -> dict[str, object]:
    """The files of these texts of ours, run in one new process that cannot see their package."""
    asked = {name: (str(folder / "out" / f"{name}.py"), expression) for name, (expression, _) in RESULTS.items()}
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUN], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_what_counts_as_a_block(blocks: dict[str, Block]) -> None:
    assert sorted(blocks) == sorted(RESULTS)


@pytest.mark.parametrize("name", RESULTS)
def test_the_file_does_what_the_class_did(name: str, results: dict[str, object]) -> None:
    assert results[name] == RESULTS[name][1]


@pytest.mark.parametrize("name", RESULTS)
def test_no_name_is_undefined_and_nothing_of_the_package_is_imported(name: str, blocks: dict[str, Block]) -> None:
    assert faults(blocks[name].text, ["hard"]) == []


@pytest.mark.parametrize("name", RESULTS)
def test_the_class_is_the_last_definition(name: str, blocks: dict[str, Block]) -> None:
    classes = [node.name for node in ast.parse(blocks[name].text).body if isinstance(node, ast.ClassDef)]
    assert blocks[name].name in classes
    if name != "hard.cycle.Leaf":  # ``Leaf.kind = ...`` completes it
        last = ast.parse(blocks[name].text).body[-1]
        assert isinstance(last, ast.ClassDef)
        assert last.name == blocks[name].name


def test_what_is_known_of_a_block(blocks: dict[str, Block]) -> None:
    block = blocks["hard.layers.basic.Plain"]
    assert block.docstring == "A plain block.\n\nWith more to say."
    assert block.signature == "(dim: int=4, *, bias=True)"
    assert (block.path, block.requires, block.definitions) == ("hard/layers/basic.py", ("torch",), 2)
    assert block.text.startswith("# hard.layers.basic.Plain\n# from hard unknown, hard/layers/basic.py, line ")
    assert block.file_hash in block.text


def test_comments_and_formatting_are_kept_and_registration_is_left_out(blocks: dict[str, Block]) -> None:
    text = blocks["hard.layers.basic.Plain"].text
    assert "# What this does is told above it.\ndef scaled(x: T, by=2):\n    return x * by  # and beside it\n" in text
    assert "register_notrace_module" not in text
    assert "from torch import Tensor as T" in text
    assert "import torch.nn as nn" in text


def test_names_that_clash_are_renamed_everywhere(blocks: dict[str, Block]) -> None:
    text = blocks["hard.clash_b.Clash"].text
    assert 'def helper(x):\n    """Not the other helper.' in text
    assert "def helper_clash_a(x):" in text
    assert "return helper_clash_a(x)" in text


def test_types_of_annotations_are_not_brought_along(blocks: dict[str, Block]) -> None:
    text = blocks["hard.users.Attributes"].text
    assert "Heavy" not in text
    assert "Optional[object]" in text
    assert "Undefined" not in blocks["hard.configured.Configured"].text


def test_optional_packages_are_imported_with_a_fallback(blocks: dict[str, Block]) -> None:
    assert "except ImportError:\n    optional = None" in blocks["hard.users.Attributes"].text


def test_a_block_by_name_may_inherit_its_forward(folder: Path, blocks: dict[str, Block]) -> None:
    with FileIndex(folder / "files.db", format=FACTS_VERSION) as index:
        mined, found = Miner(index).mine([find_source(str(folder / "hard"))], names=["Inherits"])
        assert [block.qualified for block in found] == ["hard.cycle.Inherits"]
    assert mined.counts.parsed == 0


def test_mining_again_gives_the_same_bytes_and_parses_what_changed(tmp_path: Path) -> None:
    package = write(tmp_path)

    def mine(index: str, workers: int = 1) -> tuple[dict[str, str], int]:
        with FileIndex(tmp_path / index, format=FACTS_VERSION) as files:
            mined, found = Miner(files, workers=workers).mine([find_source(str(package))])
            return {block.qualified: block.text for block in found}, mined.counts.parsed

    first, parsed = mine("one.db")
    second, again = mine("two.db", workers=2)
    assert first == second
    assert parsed == again == len(list(package.rglob("*.py")))
    assert mine("one.db") == (first, 0)
    changed = package / "clash_a.py"
    changed.write_text(changed.read_text() + "\n# more\n")
    third, parsed = mine("one.db")
    assert parsed == 1
    assert third == first
