"""The tokenizer's round trip and the chat template's exact text."""

from __future__ import annotations

from pathlib import Path

import pytest
from netwright.tools.pretraining.tokenizer import WISHES, conversation, render, train_tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

HEADER = "# task=img-classification in=1x8x8 out=10 params=10k-30k style=plain"
SOURCE = "import torch\n\n\nclass Net:\n    def forward(self, x):\n        return x * 128\n"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer([f"{HEADER}\n{SOURCE}"] * 4, vocab_size=400).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


@pytest.mark.parametrize("text", [SOURCE, "tab\there", "ünï—code 漢字 🙂", "  \n\n    x = 1\r\n", "<b> 3.14e-2"])
def test_any_text_comes_back_to_the_byte(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_digits_and_line_starts_stand_alone(tokenizer: PreTrainedTokenizerFast) -> None:
    pieces = [tokenizer.decode([token]) for token in tokenizer.encode(SOURCE, add_special_tokens=False)]
    assert [p for p in pieces if any(c.isdigit() for c in p)] == ["1", "2", "8"]
    assert all(p.strip(" ") == "\n" for p in pieces if "\n" in p)
    assert max(len(p) for p in pieces) > len("import torch") - 1


@pytest.mark.parametrize("wish", WISHES)
def test_every_wish_of_a_header_is_one_token(tokenizer: PreTrainedTokenizerFast, wish: str) -> None:
    assert len(tokenizer.encode(wish, add_special_tokens=False)) == 1
    assert tokenizer.decode(tokenizer.encode(f"x {wish} y")) == f"x {wish} y"


def test_unknown_wishes_are_spelled_out(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "in=5x9x9 out=12 params=1M style=new"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode(text)) > 8


def test_special_tokens_are_only_those_of_the_template(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.convert_ids_to_tokens([0, 1, 2]) == ["<pad>", "<bos>", "<eos>"]
    assert tokenizer.encode(HEADER) == tokenizer.encode(HEADER, add_special_tokens=False)
    ids = tokenizer.apply_chat_template(conversation(HEADER, SOURCE), return_dict=False)
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id
    assert ids[1:-1] == tokenizer.encode(f"{HEADER}\n{SOURCE}", add_special_tokens=False)


def test_template_renders_header_newline_program(tokenizer: PreTrainedTokenizerFast) -> None:
    assert render(tokenizer, HEADER) == f"<bos>{HEADER}\n"
    assert render(tokenizer, HEADER, SOURCE) == f"<bos>{HEADER}\n{SOURCE}<eos>"


def test_template_takes_the_last_request_and_drops_the_rest(tokenizer: PreTrainedTokenizerFast) -> None:
    chat = [
        {"role": "system", "content": "You write networks."},
        *conversation("# first", "x = 1\n"),
        {"role": "user", "content": HEADER},
    ]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == f"<bos>{HEADER}\n"


@pytest.mark.parametrize("start", ["import torch\n", "import torch\n\n\nclass Net:\n    ", "import"])
def test_template_continues_a_begun_program(tokenizer: PreTrainedTokenizerFast, start: str) -> None:
    chat = conversation(HEADER, start)
    text = tokenizer.apply_chat_template(chat, tokenize=False, continue_final_message=True)
    assert text == f"<bos>{HEADER}\n{start}"


def test_tokenizer_is_the_same_every_time(tmp_path: Path) -> None:
    texts = [f"{HEADER}\n{SOURCE}"] * 4
    first, second = (train_tokenizer(texts, vocab_size=400) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()
