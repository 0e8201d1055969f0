"""The nano model's tokenizer: byte-level BPE whose merges may cross words but not line starts or digits.

Programs repeat whole lines and half lines, so merges that cross words make a program three times shorter
than a word-level BPE would, while single digits keep numbers spelled out and every line start stays visible.
What a header can say is the exception: each known shape, size and style is one token, because a small model reads
a wish from one place far sooner than from six digits that it must first put together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from ..generators.headers import ANY, BUCKETS, INPUTS, STYLES

VOCAB_SIZE = 1024
CONTEXT = 1024
PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
SPLIT = r"\d|\n *"
"""What stands alone before merging: every digit, and every line break with the indentation after it."""

WISHES: tuple[str, ...] = (
    *(f"in={c}x{h}x{w} out={classes}" for (c, h, w), classes in INPUTS),
    *(f"params={bucket}" for bucket in (*BUCKETS, ANY)),
    *(f"style={style}" for style in (*STYLES, ANY)),
)
"""The parts of a header that are tokens of their own; other shapes are spelled out digit by digit."""

CHAT_TEMPLATE = """\
{%- set ns = namespace(request='', answer=none) -%}
{%- for message in messages -%}
{%- if message['role'] == 'user' -%}
{%- set ns.request = message['content'] -%}
{%- set ns.answer = none -%}
{%- elif message['role'] == 'assistant' -%}
{%- set ns.answer = message['content'] -%}
{%- endif -%}
{%- endfor -%}
{{- bos_token + ns.request + '\\n' -}}
{%- if ns.answer is not none -%}
{{- ns.answer + eos_token -}}
{%- endif -%}"""
"""Last user message, a line break, the answer to it, end of sequence. System messages are dropped."""


def train_tokenizer(texts: Iterable[str], vocab_size: int = VOCAB_SIZE) -> PreTrainedTokenizerFast:
    """Train the tokenizer on ``texts`` and wrap it for transformers, TRL and vLLM.

    Args:
        texts: whole documents (header line, line break, program).
        vocab_size: entries including the three special tokens, the 256 bytes and :data:`WISHES`.

    Returns:
        A fast tokenizer with the chat template; plain encoding adds no special tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(WISHES),
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((_WISH.sub("\n", text) for text in texts), trainer)
    tokenizer.add_tokens([AddedToken(wish, normalized=False) for wish in WISHES])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        padding_side="left",
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


_WISH = re.compile("|".join(re.escape(wish) for wish in sorted(WISHES, key=len, reverse=True)))


def conversation(header: str, source: str | None = None) -> list[dict[str, str]]:
    """One request and, when given, its program as chat messages."""
    messages = [{"role": "user", "content": header}]
    if source is not None:
        messages.append({"role": "assistant", "content": source})
    return messages


def render(tokenizer: PreTrainedTokenizerFast, header: str, source: str | None = None) -> str:
    """The text the model sees: ``<bos>header\\n`` and, when given, ``source<eos>``."""
    text = tokenizer.apply_chat_template(
        conversation(header, source), tokenize=False, add_generation_prompt=source is None
    )
    return str(text)
