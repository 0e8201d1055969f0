"""Code out of answers."""

from __future__ import annotations

import ast
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netwright.tools.extraction import MAX_ANSWER_CHARS, clean, extract

PROGRAM = '''# a small network
"""Docstring with a line of prose
that is at column 0."""
import torch
import torch.nn as nn

WIDTH = 8


def supported_hyperparameters():
    return {"lr", "momentum"}


class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_shape[1], out_shape[0]),
        )

    def forward(self, x):
        return self.layers(x)
'''
OTHER = "import torch\nprint(torch.zeros(3))\n"


def test_best_block_byte_for_byte() -> None:
    answer = f"First\n```python\n{OTHER * 50}```\nthen\n~~~\n{PROGRAM}~~~\nand\n```\nplain words\n```\n"
    assert extract(answer) == PROGRAM
    crlf = PROGRAM.replace("\n", "\r\n")
    assert extract(f"x\r\n```python\r\n{crlf}```\r\n") == crlf


def test_longest_block_when_none_defines_net() -> None:
    assert extract(f"```\n{OTHER}```\n```\n{OTHER}x = 1\n```") == OTHER + "x = 1\n"


def test_answer_after_the_reasoning_comes_first() -> None:
    draft = PROGRAM + "# a longer draft\n" * 5
    assert extract(f"<think>\n```python\n{draft}```\n</think>\n```python\n{PROGRAM}```") == PROGRAM
    assert extract(f"<think>\n```python\n{draft}```\n</think>\nThat is all.") == draft


def test_a_fence_in_a_docstring_does_not_end_the_block() -> None:
    documented = PROGRAM + '\n\nclass Doc:\n    """Use:\n\n    ```python\n    Net()(x)\n    ```\n    """\n'
    assert extract(f"```python\n{documented}```\n") == documented
    assert clean(f"```python\n{documented}```\n").source.strip() == documented.strip()
    assert extract(f"1. Here:\n\n   ```python\n{PROGRAM}   ```\n") == PROGRAM


@pytest.mark.parametrize(
    "answer",
    [
        f"    ```python\n{PROGRAM}    ```\n", f"\t```python\n{PROGRAM}\t```\n", f"    ```python\n{PROGRAM}```\n",
        f"```python\n{PROGRAM}      ```\n", f"```\nx = 1\n```\n\n    ```python\n{PROGRAM}    ```\n",
    ],
)  # fmt: skip
def test_outer_fences_may_be_indented(answer: str) -> None:
    assert extract(answer) == PROGRAM
    assert clean(answer).source.strip() == PROGRAM.strip()


def test_bare_program_and_no_program() -> None:
    assert extract(PROGRAM) == PROGRAM
    assert extract("") is None
    assert extract("I cannot help with that.") is None
    assert extract(f"```python\n{PROGRAM}") == f"```python\n{PROGRAM}"


def test_clean_leaves_a_clean_program_alone() -> None:
    cleaned = clean(PROGRAM)
    assert cleaned.source == PROGRAM
    assert cleaned.steps == ()


CASES = {
    "think": (f"<think>so, first\nimport this\n</think>\n{PROGRAM}", {"think"}),
    "lone closing tag": (f"well, hm\n</think>\n\n{PROGRAM}", {"think"}),
    "unclosed think": (f"<think>\nI want this\n```python\n{PROGRAM}```", {"think", "fences"}),
    "fences": (f"```python\n{PROGRAM}```\nGood luck!", {"fences"}),
    "unclosed fence": (f"Here it is:\n```python\n{PROGRAM}", {"fences"}),
    "closing fence alone": (f"{PROGRAM}```\nIt has few parameters.\n", {"fences"}),
    "code on the fence": (f"```python {PROGRAM[PROGRAM.index('import'):]}```", {"fences"}),
    "prose before": (f"Sure! Here's my design:\n\n{PROGRAM}", {"leading prose"}),
    "prose after": (f"{PROGRAM}\nThis network is small.\n- It's fast.\n", {"trailing prose"}),
    "tabs": (PROGRAM.replace("    ", "\t"), {"tabs"}),
    "newlines": (PROGRAM.replace("\n", "\r\n"), {"newlines"}),
    "zero width": (PROGRAM.replace("def ", "def\u200b "), {"characters"}),
    "smart quotes": (PROGRAM.replace('"lr"', "\u201clr\u201d"), {"characters"}),
    "null bytes": (PROGRAM.replace("class", "class\0"), {"characters"}),
    "indented": ("".join(f"    {line}" for line in PROGRAM.splitlines(keepends=True)), {"dedent"}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_clean_restores_the_program(case: str) -> None:
    answer, wanted = CASES[case]
    cleaned = clean(answer)
    assert set(cleaned.steps) == wanted
    assert ast.dump(ast.parse(cleaned.source)).count("supported_hyperparameters") == 1
    if case != "code on the fence":
        assert cleaned.source.replace("\n\n\n", "\n\n").strip() == PROGRAM.replace("\n\n\n", "\n\n").strip()
    assert clean(cleaned.source).source == cleaned.source


def test_missing_imports_are_added_once() -> None:
    source = (
        '"""Doc: math.pi is only named here."""\nfrom __future__ import annotations\n'
        "from typing import (\n    List,\n    Optional,\n)\n\n\n"
        "class Net(nn.Module):\n    def forward(self, x: Tensor) -> List[Tensor]:\n"
        "        b, c, h, F = x.shape\n        return F + torch.relu(x)  # np.array\n"
    )
    cleaned = clean(source)
    assert cleaned.steps == ("imports",)
    added = [line for line in cleaned.source.split("\n") if line not in source.split("\n")]
    assert added == ["import torch", "import torch.nn as nn", "from torch import Tensor"]
    assert cleaned.source.index("__future__") < cleaned.source.index("import torch\n")
    assert clean(cleaned.source).steps == ()
    assert compile(cleaned.source, "<cleaned>", "exec")


def test_all_used_names_are_found() -> None:
    cleaned = clean("class Net(nn.Module):\n    def forward(self, x):\n        return F.relu(x) * math.pi + np.e\n")
    head = cleaned.source.split("class")[0]
    assert head.split("\n")[:4] == [
        "import torch.nn as nn", "import torch.nn.functional as F", "import math", "import numpy as np",
    ]  # fmt: skip


HOSTILE = [
    "```" + " " * MAX_ANSWER_CHARS + "`", '"' * MAX_ANSWER_CHARS, '"""\\' * (MAX_ANSWER_CHARS // 4),
    "return " + "a" * MAX_ANSWER_CHARS + " b", "from a import (\n" * (MAX_ANSWER_CHARS // 16),
    "x\n" + "\n" * MAX_ANSWER_CHARS + "import torch\nfoo.", "<think>" * (MAX_ANSWER_CHARS // 7),
    "```python\nclass Net:\n```\n" * (MAX_ANSWER_CHARS // 24), "(" * MAX_ANSWER_CHARS, "a," * MAX_ANSWER_CHARS,
    "```\n" * (MAX_ANSWER_CHARS // 4), "import torch\n" + "word word\n" * (MAX_ANSWER_CHARS // 10),
    "\t" * MAX_ANSWER_CHARS, "`" * (3 * MAX_ANSWER_CHARS),
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_takes_linear_time(text: str) -> None:
    started = time.process_time()
    extract(text)
    once = clean(text)
    assert time.process_time() - started < 5
    assert len(once.source) <= MAX_ANSWER_CHARS + 1000


_PIECES = st.sampled_from(
    [
        "```", "```python\n", "~~~\n", "\n", "\r", "\t", " ", "\\", '"""', "'", "<think>", "</think>",
        "import torch\n", "class Net(nn.Module):\n", "    pass\n", "def f(x):\n", "x = 1\n", "F.relu\n",
        "from math import (pi,\n", ")\n", "# note\n", "Some words here.\n", "- item\n", "\u200b", "\u2019",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=25).map("".join) | st.text(max_size=200))
def test_clean_twice_is_clean_once(text: str) -> None:
    once = clean(text)
    again = clean(once.source)
    assert again.source == once.source
    assert again.steps == ()
    block = extract(text)
    assert block is None or block in text
