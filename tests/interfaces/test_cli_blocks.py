"""``netwright blocks``: mine, list, show, export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from netwright.interfaces.cli.main import app
from netwright.memory.block_store import BlockStore
from typer.testing import CliRunner

FILES = {
    "few/__init__.py": "",
    "few/parts.py": "from torch import nn\n\n\ndef twice(x):\n    return 2 * x\n\n\nclass DropPath(nn.Module):\n"
    '    """Drops."""\n\n    def forward(self, x):\n        return twice(x)\n',
    "few/attention.py": "from torch import nn\nfrom .parts import DropPath\n\n\nclass Attention(nn.Module):\n"
    "    def __init__(self, dim):\n        super().__init__()\n        self.drop = DropPath()\n\n"
    "    def forward(self, x):\n        return self.drop(x)\n",
}


def run(*arguments: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, ["blocks", *arguments, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path / "few"


def test_mine_and_mine_again(package: Path, tmp_path: Path) -> None:
    answer = run("mine", str(package), "--out", str(tmp_path / "out"), "--workers", "1")
    assert (answer["parsed"], answer["reused"], answer["found"], answer["blocks"]) == (3, 0, 2, 2)
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert sorted(index) == ["few.attention.Attention.py", "few.parts.DropPath.py"]
    assert "class DropPath" in (tmp_path / "out" / "few.attention.Attention.py").read_text()
    again = run("mine", str(package))
    assert (again["parsed"], again["reused"]) == (0, 3)


def test_what_an_earlier_run_made_of_a_source_gives_way(package: Path) -> None:
    run("mine", str(package))
    (package / "parts.py").write_text(FILES["few/parts.py"].replace("2 * x", "3 * x"))
    (package / "attention.py").unlink()
    assert run("mine", str(package))["parsed"] == 1
    with BlockStore() as store:
        assert [(block.qualified, "3 * x" in block.text) for block in store.blocks()] == [("few.parts.DropPath", True)]


def test_names_keep_the_rest(package: Path, tmp_path: Path) -> None:
    run("mine", str(package))
    (tmp_path / "names.json").write_text('["DropPath", "Missing"]')
    answer = run("mine", str(package), "--names", str(tmp_path / "names.json"))
    assert (answer["blocks"], answer["missing"]) == (1, ["Missing"])
    assert [row["name"] for row in run("list")] == ["Attention", "DropPath"]


def test_list_show_and_export(package: Path, tmp_path: Path) -> None:
    run("mine", str(package))
    assert [row["name"] for row in run("list", "--category", "attention")] == ["Attention"]
    assert run("list", "--package", "other") == []
    (shown,) = run("show", "DropPath", "--source")
    assert shown["docstring"] == "Drops."
    assert "return twice(x)" in shown["text"]
    assert run("show", shown["id"])[0]["qualified"] == "few.parts.DropPath"
    assert run("export", str(tmp_path / "all"))["blocks"] == 2
    assert (tmp_path / "all" / "few.parts.DropPath.py").read_text() == shown["text"]


def test_text_is_for_people(package: Path) -> None:
    runner = CliRunner()
    mined = runner.invoke(app, ["blocks", "mine", str(package)])
    assert "2 of 2 blocks written; 3 files parsed, 0 known" in mined.output
    assert "few.parts.DropPath" in runner.invoke(app, ["blocks", "show", "DropPath"]).output
    assert "class DropPath(nn.Module):" in runner.invoke(app, ["blocks", "show", "DropPath", "--source"]).output
    assert "few" in runner.invoke(app, ["blocks", "list"]).output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("mine", "a-package-nobody-has"), "--download"),
        (("show", "Nothing"), "no block Nothing in the library"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], told: str) -> None:
    done = CliRunner().invoke(app, ["blocks", *arguments, "--json"])
    assert done.exit_code in (1, 2)
    assert told in json.loads(done.stdout)["error"]
