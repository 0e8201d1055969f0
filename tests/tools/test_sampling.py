"""Batched sampling: deterministic in the seed, independent of history, honest about why a text ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from netwright.tools.decoding import Choice, decode, uniform_draws
from netwright.tools.pretraining.model import NanoShape, build_model, parameter_count, save_model
from netwright.tools.pretraining.tokenizer import train_tokenizer
from netwright.tools.sampling import LanguageModel, load_language_model
from peft import LoraConfig, get_peft_model
from transformers import LlamaForCausalLM

SHAPE = NanoShape(hidden=32, intermediate=48, layers=2, heads=2)
PROMPTS = ["<bos># a\n", "<bos># a longer request\n", "<bos># b\n"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    tokenizer = train_tokenizer(["# a longer request\nimport torch\n    return x\n"] * 4, vocab_size=300)
    save_model(build_model(tokenizer, SHAPE, seed=3), tokenizer, path)
    return path


@pytest.fixture(scope="module")
def adapter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("adapter")
    base = LlamaForCausalLM.from_pretrained(folder)
    tuned = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    tuned.save_pretrained(path)
    return path


@pytest.fixture
def model(folder: Path) -> LanguageModel:
    return load_language_model(folder)


def texts(model: LanguageModel, seed: int = 1, **options: float) -> list[str]:
    done = model.complete(PROMPTS, seed=seed, max_new_tokens=12, **options)  # type: ignore[arg-type]
    return [completion.text for completion in done]


def test_folder_is_plain_hugging_face(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "generation_config.json"} <= names
    loaded = LlamaForCausalLM.from_pretrained(folder)
    assert loaded.config.tie_word_embeddings
    assert loaded.config.head_dim == 16
    vocabulary = loaded.config.vocab_size
    assert parameter_count(loaded) == vocabulary * 32 + 2 * (4 * 32 * 32 + 3 * 32 * 48 + 2 * 32) + 32


def test_seed_decides_the_samples_whatever_came_before(model: LanguageModel) -> None:
    first = texts(model)
    other = texts(model, seed=2)
    torch.manual_seed(99)
    torch.rand(5)
    assert texts(model) == first
    assert other != first


def test_sampling_leaves_the_callers_random_state(model: LanguageModel) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    texts(model)
    assert torch.equal(torch.rand(3), expected)


def test_padding_does_not_change_a_greedy_answer(model: LanguageModel) -> None:
    together = texts(model, temperature=0)
    alone = [model.complete([p], seed=1, temperature=0, max_new_tokens=12)[0].text for p in PROMPTS]
    assert together == alone
    assert texts(model, temperature=0.9, top_k=1) == together


def test_batches_change_neither_order_nor_samples(model: LanguageModel) -> None:
    together = model.complete(PROMPTS * 3, seed=1, temperature=1.5, max_new_tokens=40)
    parts = model.complete(PROMPTS * 3, seed=1, temperature=1.5, max_new_tokens=40, batch=2)
    assert [c.text for c in parts] == [c.text for c in together]
    assert len({c.text for c in together}) == len(together)


def test_greedy_answers_are_those_of_transformers(model: LanguageModel, folder: Path) -> None:
    reference = LlamaForCausalLM.from_pretrained(folder)
    for prompt, text in zip(PROMPTS, texts(model, temperature=0), strict=True):
        tokens = model.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        output = reference.generate(**tokens, do_sample=False, max_new_tokens=12)
        assert model.tokenizer.decode(output[0, tokens.input_ids.shape[1] :], skip_special_tokens=True) == text


def test_draws_follow_the_distribution(model: LanguageModel, folder: Path) -> None:
    tokens = model.tokenizer(PROMPTS[0], return_tensors="pt", add_special_tokens=False)
    with torch.no_grad():
        logits = LlamaForCausalLM.from_pretrained(folder)(**tokens).logits[0, -1]
    expected = torch.softmax(logits * 4, -1)
    done = decode(
        model._base, [tokens.input_ids[0].tolist()] * 2000, [1] * 2000, -1, Choice(0.25), uniform_draws(0, 0, 2000, 1)
    )
    found = torch.bincount(torch.tensor(done)[:, 0], minlength=len(expected)) / 2000
    assert float((found - expected).abs().max()) < 0.03
    assert float((found - expected).abs().sum()) < 0.5


def test_unfinished_rows_outlive_the_finished(model: LanguageModel) -> None:
    prompts = [model.tokenizer.encode(p) for p in PROMPTS * 4]
    limits = [1, 3, 150, 2, 150, 1, 1, 2, 140, 1, 1, 5]
    draws = uniform_draws(3, 0, 12, 150)
    together = decode(model._base, prompts, limits, -1, Choice(1.0), draws)
    assert [len(tokens) for tokens in together] == limits
    alone = decode(model._base, prompts[8:9], limits[8:9], -1, Choice(1.0), draws[8:9])
    assert alone[0] == together[8]


def test_finish_tells_why_a_text_ended(model: LanguageModel) -> None:
    cut = model.complete(PROMPTS[:1], seed=1, temperature=0, max_new_tokens=3)[0]
    assert (cut.finish, cut.tokens) == ("length", 3)
    assert cut.prompt_tokens == len(model.tokenizer.encode(PROMPTS[0]))
    many = model.complete(PROMPTS[:1] * 40, seed=5, temperature=5.0, max_new_tokens=60)
    stopped = [completion for completion in many if completion.finish == "stop"]
    assert stopped
    assert all(completion.tokens <= 60 and "<eos>" not in completion.text for completion in stopped)


def test_adapter_goes_on_and_off_without_touching_the_base(model: LanguageModel, adapter: Path) -> None:
    plain = texts(model)
    model.swap_adapter(adapter)
    tuned = texts(model)
    assert model.adapter == adapter
    assert tuned != plain
    model.swap_adapter(None)
    assert texts(model) == plain
    model.swap_adapter(adapter)
    assert texts(model) == tuned


def test_adapter_can_be_named_at_loading(folder: Path, adapter: Path, model: LanguageModel) -> None:
    model.swap_adapter(adapter)
    assert texts(load_language_model(folder, adapter)) == texts(model)


def test_threads_get_the_same_as_one_alone(model: LanguageModel) -> None:
    alone = [texts(model, seed=seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda seed: texts(model, seed=seed), range(4))) == alone


def test_mistakes_are_named(model: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        load_language_model(tmp_path)
    with pytest.raises(FileNotFoundError, match="adapter_config"):
        model.swap_adapter(tmp_path)
    with pytest.raises(ValueError, match="negative"):
        model.complete(PROMPTS, seed=0, temperature=-1)
    with pytest.raises(ValueError, match="no share"):
        model.complete(PROMPTS, seed=0, top_p=1.5)
    with pytest.raises(ValueError, match="leaves no token"):
        model.complete(PROMPTS, seed=0, top_k=0)
    with pytest.raises(ValueError, match="nothing to sample"):
        model.complete(PROMPTS, seed=0, max_new_tokens=0)
    with pytest.raises(ValueError, match="empty prompt"):
        model.complete([""], seed=0)
    with pytest.raises(ValueError, match="fills the context"):
        model.complete(["<bos>" * 1024], seed=0)
    assert model.complete([], seed=0) == []


def test_chat_is_rendered_with_the_models_template(model: LanguageModel) -> None:
    chat = [{"role": "user", "content": "# a"}]
    assert model.render(chat) == PROMPTS[0]
    begun = [*chat, {"role": "assistant", "content": "import torch\n"}]
    assert model.render(begun) == PROMPTS[0] + "import torch\n"
