"""Answers that change a network: applied strictly, and refused with the hunk's name."""

from __future__ import annotations

import contextlib
import difflib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netwright.tools.deltas import MAX_ANSWER_CHARS, MAX_HUNKS, DeltaError, apply, changed, parse

PARENT = """import torch

class Net:
    def __init__(self):
        self.a = 1
        self.b = 2

    def forward(self, x):
        return x
"""


def block(old: str, new: str) -> str:
    return f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"


def refused(answer: str, error_class: str, *words: str) -> None:
    with pytest.raises(DeltaError) as caught:
        changed(PARENT, answer)
    assert caught.value.error_class == error_class, caught.value
    for word in words:
        assert word in str(caught.value)


def test_blocks_are_applied_wherever_they_stand_in_the_answer() -> None:
    answer = (
        "<think>maybe\n" + block("        return x", "        return 0") + "</think>\nHere:\n```python\n"
        + block("        return x", "        return 2 * x")
        + "```\nand\n" + block("        self.a = 1", "        self.a = 7")
    )  # fmt: skip
    assert changed(PARENT, answer) == PARENT.replace("return x", "return 2 * x").replace("a = 1", "a = 7")


def test_lines_can_be_deleted_and_added() -> None:
    assert changed(PARENT, "<<<<<<< SEARCH\n        self.b = 2\n=======\n>>>>>>> REPLACE") == PARENT.replace(
        "        self.b = 2\n", ""
    )
    longer = changed(PARENT, block("        self.b = 2", "        self.b = 2\n        self.c = 3"))
    assert longer == PARENT.replace("b = 2\n", "b = 2\n        self.c = 3\n")


def test_a_unified_diff_is_applied_by_its_lines_and_not_by_its_numbers() -> None:
    new = PARENT.replace("self.b = 2", "self.b = 3").replace("return x", "return x + 1")
    lines = difflib.unified_diff(PARENT.splitlines(), new.splitlines(), "a/net.py", "b/net.py", lineterm="", n=1)
    answer = "```diff\n" + "\n".join(lines) + "\n```"
    assert changed(PARENT, answer) == new
    assert changed(PARENT, answer.replace("@@ -5,", "@@ -77,")) == new


def test_what_does_not_stand_there_exactly_once_is_refused_with_the_hunk_named() -> None:
    good = block("        self.a = 1", "        self.a = 2")
    refused(good + block("    return x", "    return 1"), "DeltaMismatch", "hunk 2", "'return x'", "not in the file")
    refused(block("self.a = 1", "self.a = 2"), "DeltaMismatch", "hunk 1")  # no fuzz: white space counts
    twice = PARENT + "        return x\n"
    with pytest.raises(DeltaError, match="stand 2 times in the file") as caught:
        changed(twice, block("        return x", "        return 1"))
    assert caught.value.error_class == "DeltaMismatch"


def test_a_long_file_of_equal_lines_is_searched_in_linear_time() -> None:
    parent = "a\n" * 100_000 + "b\nc\n"
    begun = time.process_time()
    assert changed(parent, block("a\n" * 390 + "b\nc", "d")).endswith("a\nd\n")
    with pytest.raises(DeltaError, match="stand many times in the file"):
        changed(parent, block("a\n" * 390 + "a", "d"))
    with pytest.raises(DeltaError, match="'x', is not in the file"):
        changed(parent, "".join(block("a\n" * 390 + "x", "d") for _ in range(MAX_HUNKS)))
    assert time.process_time() - begun < 2


def test_an_error_names_the_first_line_that_is_not_there() -> None:
    refused(block("        self.a = 1\n        self.z = 2", "x"), "DeltaMismatch", "line 2 of it, 'self.z = 2'")


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        ("I would rather not.", "NoDelta"),
        (f"```python\n{PARENT}```", "NoDelta"),
        ("<<<<<<< SEARCH\n        return x\n=======\n        return 1\n", "BadDelta"),
        ("<<<<<<< SEARCH\n        return x\n>>>>>>> REPLACE\n", "BadDelta"),
        (block("        return x\n=======\n        return 1", "        return 2"), "BadDelta"),
        (block("", "        return 1"), "BadDelta"),
        ("@@ -1 +1 @@\n import torch\nwords\n", "BadDelta"),
        ("@@ -1 +1 @@\n+import math\n", "BadDelta"),
        (block("        return x", "        return x"), "DeltaEmpty"),
        (block("        self.a = 1\n        self.b = 2", "") + block("        self.b = 2", ""), "DeltaConflict"),
        ("x" * (MAX_ANSWER_CHARS + 1), "DeltaTooLarge"),
        (block("        return x", "        return 1") * (MAX_HUNKS + 1), "DeltaTooLarge"),
        (block("        return x", "y\n" * 500), "DeltaTooLarge"),
    ],
)
def test_every_refusal_has_a_class_of_its_own(answer: str, error_class: str) -> None:
    refused(answer, error_class)


GOOD = block("        self.a = 1", "        self.a = 7")


@pytest.mark.parametrize(
    "opener",
    [
        "<<<<<<< SEARCH net.py", "<<<<<<< SEARCH:", "<<<<<<< search", " <<<<<<< SEARCH", "<<<<<<<  SEARCH",
        "<<<< SEARCH", "<<<<<<< ORIGINAL", "**<<<<<<< SEARCH**", "\u200b<<<<<<< SEARCH",
    ],
)  # fmt: skip
def test_an_answer_is_not_applied_in_part(opener: str) -> None:
    second = block("        self.b = 2", "        self.b = 8").replace("<<<<<<< SEARCH", opener)
    refused(GOOD + second, "BadDelta", "hunk 2")
    refused(second + GOOD, "BadDelta", "hunk 1")


@pytest.mark.parametrize("edge", [">>>>>>> REPLACE:", " >>>>>>> REPLACE", "<<<<<<< FIND", "<<<<<<< SEARCH x"])
def test_an_edge_does_not_get_into_the_file(edge: str) -> None:
    refused(block("        return x", f"        return 2\n{edge}\n        more"), "BadDelta", "edge of a block")


def test_blocks_and_diffs_do_not_mix() -> None:
    diff = "@@ -6 +6 @@\n-        self.b = 2\n+        self.b = 8\n"
    refused(f"{GOOD}```diff\n{diff}```\n", "BadDelta", "do not mix")
    refused(f"```diff\n{diff}```\n{GOOD.replace('<<<<<<< SEARCH', '<<<<<<< OLD')}", "BadDelta")


def test_a_header_of_a_diff_may_lack_its_blanks() -> None:
    first = "@@-5,1 +5,1@@\n-        self.a = 1\n+        self.a = 7\n"
    second = "@@ -9 +9 @@\n-        return x\n+        return 2\n"
    assert changed(PARENT, first + second) == PARENT.replace("a = 1", "a = 7").replace("return x", "return 2")


FENCED = """class Net:
    \"\"\"A network.

    ```python
    Net()(x)
    ```
    \"\"\"
    w = 8
"""


def test_a_fence_in_a_docstring_is_context_and_ends_no_hunk() -> None:
    new = FENCED.replace("A network", "One").replace("Net()(x)", "Net()(y)").replace("w = 8", "w = 9")
    diff = "\n".join(difflib.unified_diff(FENCED.splitlines(), new.splitlines(), lineterm="", n=3))
    assert changed(FENCED, f"```diff\n{diff}\n```") == new


@pytest.mark.parametrize("before", ["one = 1\n", ""])
def test_lines_that_look_like_file_names_are_lines_of_a_hunk(before: str) -> None:
    parent = f"{before}-- widths\nx = 2\nw = 8\n"
    new = parent.replace("-- widths", "++ widths").replace("w = 8", "w = 16").replace("one", "two")
    diff = "\n".join(difflib.unified_diff(parent.splitlines(), new.splitlines(), "a", "b", lineterm="", n=3))
    assert changed(parent, diff) == new


def test_two_files_in_one_diff_are_two_hunks() -> None:
    first = "--- a/net.py\n+++ b/net.py\n@@ -5 +5 @@\n-        self.a = 1\n+        self.a = 7\n\n"
    second = "--- a/net.py\n+++ b/net.py\n@@ -9 +9 @@\n-        return x\n+        return 2\n"
    assert changed(PARENT, first + second) == PARENT.replace("a = 1", "a = 7").replace("return x", "return 2")


def test_a_fence_does_not_get_into_the_file() -> None:
    refused(block("        return x", "        return 2\n```"), "BadDelta", "code fence")
    refused(block("        return x", "```python\n        return 2\n```"), "BadDelta", "code fence")
    inside = FENCED.replace("    ```", "```")
    assert changed(inside, block('```\n    """', '```\n    More.\n    """')) == inside.replace(
        '```\n    """', '```\n    More.\n    """'
    )


def test_empty_lines_at_the_end_of_a_hunk_are_trimmed_and_marked_ones_count() -> None:
    parent = "def f():\n    return 1\n\ndef g():\n    return 1\nx = 2\n"
    assert changed(parent, "```diff\n@@ @@\n-    return 1\n+    return 2\n \n\n```") == parent.replace("1", "2", 1)
    with pytest.raises(DeltaError, match="not in the file"):
        changed("a\nb\n", "@@ @@\n a\n+c\n \n ")


def test_many_empty_lines_take_linear_time() -> None:
    started = time.process_time()
    assert changed("x\n", "@@ @@\n-x\n+y\n" + "\n" * 60_000) == "y\n"
    assert time.process_time() - started < 2  # a second of CPU is thirty times what it takes


def test_what_stands_in_unfinished_reasoning_is_no_answer() -> None:
    refused(f"<think>Maybe\n{GOOD}no, that is bad. Let me", "NoDelta")
    assert changed(PARENT, f"{GOOD}<think>was that right? {GOOD}") == PARENT.replace("a = 1", "a = 7")
    assert changed(PARENT, f"Not in <think> tags:\n{GOOD}") == PARENT.replace("a = 1", "a = 7")


def test_line_ends_of_the_answer_do_not_matter() -> None:
    assert changed(PARENT, block("        return x", "        return 1").replace("\n", "\r\n")) == PARENT.replace(
        "return x", "return 1"
    )


@given(st.text(max_size=300))
def test_any_text_is_applied_or_refused(text: str) -> None:
    for answer in (text, f"<<<<<<< SEARCH\n{text}\n=======\n{text}\n>>>>>>> REPLACE", f"@@ @@\n{text}"):
        with contextlib.suppress(DeltaError):
            assert changed(PARENT, answer) != PARENT


LINES = st.lists(st.sampled_from(["a = 1", "b = 2", "    c", "", "d", "e = [", "]"]), min_size=3, max_size=12)


@given(LINES, LINES)
def test_the_diff_between_two_texts_leads_from_one_to_the_other_where_it_is_unambiguous(old: list, new: list) -> None:
    before = "\n".join(["first", *old, "last"])
    after = "\n".join(["first", *new, "last"])
    answer = "\n".join(difflib.unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=99))
    if answer:
        assert apply(before, parse(answer)) == after
