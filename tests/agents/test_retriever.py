"""The retriever: exemplars that are good, varied and not of the test split; blocks that fit; budgets."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from netwright.agents.prompting import chat_prompt, shown_block, shown_exemplar
from netwright.agents.retriever import POOL, Budget, Retriever, budget_of, estimate_tokens, names_in
from netwright.memory.block_store import BlockStore
from netwright.memory.block_types import Block, BlockCheck, Category
from netwright.memory.records import Records
from netwright.memory.rows import Admission, Campaign, Cycle
from netwright.memory.types import Candidate, Protocol, Request, Trial
from netwright.tools.blocks.library import BlockLibrary
from netwright.tools.blocks.search import BlockSearch
from netwright.tools.network_search import NetworkSearch, network_text
from netwright.tools.tasks import task

TASK = task("digits")
PROTOCOL = Protocol(name="test")
LAYERS = ("Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Linear", "Dropout", "GELU", "LayerNorm")


class FlatVectors:
    """Every text in one place: then the keywords decide."""

    name = "flat"

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [[1.0, 0.0] for _ in texts]


def program(seed: int, lines: int = 40) -> str:
    rng = random.Random(seed)
    body = "".join(f"        self.l{n} = nn.{rng.choice(LAYERS)}({rng.randrange(999)})\n" for n in range(lines))
    return f"import torch.nn as nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n{body}"


def block(name: str, category: Category = "attention", package: str = "timm", **check: Any) -> Block:
    fields = {"stage": "forward", "arguments": {"dim": 8}, "inputs": ((2, 8, 6, 6),), "outputs": ((2, 8, 6, 6),)}
    return Block(
        qualified=f"{package}.{name.lower()}.{name}",
        package=package,
        version="1",
        path="x.py",
        line=1,
        file_hash="0",
        category=category,
        docstring=f"{category} of images, {name}",
        signature="(dim: int)",
        text=f"import torch\nfrom torch import nn\n\n\nclass {name}(nn.Module):\n    kind = '{name * 9}'\n",
        check=BlockCheck.model_validate({**fields, **check}),
    )


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with Records(f"sqlite:///{tmp_path / 'records.db'}") as opened:
        opened.add_task(TASK)
        opened.add_protocol(PROTOCOL)
        yield opened


def add(records: Records, source: str, metric: float, parents: tuple[str, ...] = ()) -> str:
    key = records.add_candidate(Candidate(source=source, parents=parents))
    records.start_trial(key, TASK.id, PROTOCOL.hash)
    records.finish_trial(
        Trial(candidate_id=key, task_id=TASK.id, protocol_hash=PROTOCOL.hash, state="complete", metric=metric)
    )
    return key


def retriever(records: Records, count: int = 3, **options: Any) -> Retriever:
    options.setdefault("held_out", lambda ids: ())
    return Retriever(records, TASK, PROTOCOL.hash, count, **options)


class TestExemplars:
    def test_good_and_different_ones_best_first(self, records: Records) -> None:
        keys = [add(records, program(n), n / 100) for n in range(40)]
        chosen = retriever(records).exemplars(random.Random(0))
        assert len(chosen) == 3
        assert [one.metric for one in chosen] == sorted((one.metric for one in chosen), reverse=True)
        assert {one.candidate_id for one in chosen} <= set(keys[-POOL:])

    def test_prompts_differ_and_one_seed_gives_one_choice(self, records: Records) -> None:
        for n in range(40):
            add(records, program(n), n / 100)
        choices = [
            tuple(e.candidate_id for e in retriever(records).exemplars(random.Random(seed))) for seed in (1, 1, 2, 3, 4)
        ]
        assert choices[0] == choices[1]
        assert len(set(choices)) > 2

    def test_a_campaign_is_shown_what_was_before_it_and_its_own(self, records: Records) -> None:
        """Two campaigns on the same records do not change each other's prompts."""
        before = add(records, program(1), 0.3)
        records.create_campaign(Campaign(id="c", task_id=TASK.id, protocol_hash=PROTOCOL.hash))
        records.put_cycle(Cycle(campaign_id="c", n=1))
        own, other, left = (add(records, program(n), metric) for n, metric in ((2, 0.4), (3, 0.9), (4, 0.95)))
        records.put_admission(
            Admission(campaign_id="c", cycle=1, candidate_id=left, admitted=False, reasons=("passed",))
        )
        records.put_admission(Admission(campaign_id="c", cycle=1, candidate_id=own, admitted=False, metric=0.4))
        shown = retriever(records, run="c").exemplars(random.Random(0))
        assert [one.candidate_id for one in shown] == [own, before]
        assert {other, left} < {one.candidate_id for one in retriever(records).exemplars(random.Random(0))}
        parents = {retriever(records, run="c").parent(random.Random(seed)) for seed in range(20)}
        assert {one.candidate_id for one in parents if one} == {own, before}

    def test_near_copies_are_shown_once(self, records: Records) -> None:
        long = program(1, 200)
        for n in range(6):
            add(records, long + f"        self.x{n} = 1\n", 0.9 - n / 1000)
        other = add(records, program(2), 0.1)
        chosen = retriever(records).exemplars(random.Random(0))
        assert len(chosen) == 2
        assert other in {one.candidate_id for one in chosen}

    def test_none_asked_for_and_none_there(self, records: Records) -> None:
        assert retriever(records).exemplars(random.Random(0)) == []
        add(records, program(1), 0.5)
        assert Retriever(records, TASK, PROTOCOL.hash, 0).exemplars(random.Random(0)) == []

    def test_the_test_split_and_its_descendants_are_never_shown(self, records: Records) -> None:
        best = add(records, program(1), 0.9)
        child = add(records, program(2), 0.8, parents=(best,))
        add(records, program(3), 0.7, parents=(child, "not on record"))
        free = add(records, program(4), 0.1)
        held = names_in([f"llm-{best[:12]}"])
        for seed in range(5):
            chosen = retriever(records, held_out=held).exemplars(random.Random(seed))
            assert [one.candidate_id for one in chosen] == [free]

    def test_by_default_a_tenth_of_the_families_is_held_out(self, records: Records) -> None:
        keys = [records.add_candidate(Candidate(source=program(n, 3))) for n in range(400)]
        children = [records.add_candidate(Candidate(source=f"x = {n}", parents=(k,))) for n, k in enumerate(keys)]
        plain = Retriever(records, TASK, PROTOCOL.hash, 3)
        held = plain.by_lineage(keys)
        assert 20 <= len(held) <= 65
        assert plain.by_lineage(children) == {c for c, k in zip(children, keys, strict=True) if k in held}

    def test_a_pool_of_held_out_networks_is_looked_behind(self, records: Records) -> None:
        held = {add(records, program(n), 0.5 + n / 1000) for n in range(60)}
        free = add(records, program(99), 0.1)
        chosen = retriever(records, held_out=lambda ids: held & set(ids)).exemplars(random.Random(0))
        assert [one.candidate_id for one in chosen] == [free]

    def test_with_an_index_of_networks_exemplars_fit_the_request(self, records: Records, tmp_path: Path) -> None:
        class Words(FlatVectors):
            def embed(self, texts: Sequence[str]) -> list[list[float]]:
                return [[1.0, 5.0 * ("recurrent" in text)] for text in texts]

        for n in range(6):
            add(records, program(n), 0.8)
        fitting = add(
            records, program(7).replace("class Net", "class Recurrent(nn.Module):\n    x = 1\n\n\nclass Net"), 0.8
        )
        with NetworkSearch(tmp_path / "chroma", Words()) as networks:
            assert networks.update(records, TASK.id, PROTOCOL.hash) == 7
            assert networks.update(records, TASK.id, PROTOCOL.hash) == 0
            maker = retriever(records, 1, networks=networks)
            request = Request(task=TASK, text="something recurrent")
            drawn = [maker.shown(request, random.Random(seed)).exemplars[0].candidate_id for seed in range(8)]
            assert drawn.count(fitting) >= 2
            assert not networks.similarities("recurrent", "another task", PROTOCOL.hash)

    def test_what_a_network_is_made_of_is_embedded(self) -> None:
        text = network_text(
            "class ResBlock(nn.Module):\n  a = nn.Conv2d(1)\n  b = nn.Conv2d(2)\nclass Net:\n  c = ResBlock()"
        )
        assert text == "network with res block residual. made of Conv2d, ResBlock"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[BlockLibrary]:
    store = BlockStore(tmp_path / "blocks.db")
    store.put_blocks(
        [
            block("ChannelGate"),
            block("SpatialGate"),
            block("ConvGate", "convolution"),
            block("ConvGate", "convolution", package="torchvision"),
            block("Tokens", "transformer", inputs=((2, 9, 8),), outputs=((2, 9, 8),)),
            block("Halving", "pooling", outputs=((2, 8, 3, 3),)),
            block("Widening", "convolution", outputs=((2, 16, 6, 6),), params=9_000),
            block("Broken", stage="compile", arguments=None, inputs=(), outputs=()),
            block("Loss", "loss", inputs=((2, 8), (2, 8)), outputs=((),)),
        ]
    )
    with BlockLibrary(store, BlockSearch.open(store, embedder=FlatVectors())) as opened:
        yield opened


class TestBlocks:
    def wish(self, text: str = "") -> Request:
        return Request(task=TASK, text=text)

    def test_blocks_fit_the_request(self, records: Records, library: BlockLibrary) -> None:
        found = retriever(records, library=library, blocks=2).blocks(self.wish("a spatial gate"), random.Random(0))
        assert found[0].name == "SpatialGate"
        assert len(found) == 2
        assert "Broken" not in [one.name for one in found]

    def test_without_a_text_the_kind_of_task_decides(self, records: Records, library: BlockLibrary) -> None:
        maker = retriever(records, library=library, blocks=1)
        found = {maker.blocks(self.wish(), random.Random(seed))[0].name for seed in range(12)}
        assert len(found) > 1

    def test_none_without_a_library_or_a_wish_for_any(self, records: Records, library: BlockLibrary) -> None:
        assert retriever(records, blocks=3).blocks(self.wish("gate"), random.Random(0)) == []
        assert retriever(records, library=library).blocks(self.wish("gate"), random.Random(0)) == []
        assert retriever(records).graftable(random.Random(0)) == []

    def test_graftable_ones_take_and_give_images(self, records: Records, library: BlockLibrary) -> None:
        maker = retriever(records, library=library)

        def graftable(seed: int = 0, **options: Any) -> set[str]:
            return {one.name for one in maker.graftable(random.Random(seed), **options)}

        assert graftable() == {"ChannelGate", "SpatialGate", "ConvGate", "Widening"}
        assert graftable(same_size=False, tokens=True) - graftable() == {"Halving", "Tokens"}
        assert graftable(categories=["convolution"], max_params=5_000) == {"ConvGate"}
        assert graftable(packages=["torchvision"]) == {"ConvGate"}

    def test_graftable_ones_are_varied_and_drawn(self, records: Records, library: BlockLibrary) -> None:
        maker = retriever(records, library=library)
        lists = [[one.id for one in maker.graftable(random.Random(seed))] for seed in (1, 1, 2, 3, 4, 5)]
        assert lists[0] == lists[1]
        assert len({tuple(one) for one in lists}) > 1
        for seed in range(8):
            first = maker.graftable(random.Random(seed), 2)
            assert len({(one.category, one.package) for one in first}) == 2


class TestBudget:
    def test_what_does_not_fit_is_left_out_in_turn(self, records: Records, library: BlockLibrary) -> None:
        for n in range(4):
            add(records, program(n), n / 10)
        request, sizes = Request(task=TASK, text="gate"), lambda text: 10 if "class Net" in text else 3
        for tokens, exemplars, blocks in ((0, 0, 0), (5, 0, 1), (13, 1, 1), (16, 1, 2), (26, 2, 2), (None, 3, 2)):
            maker = retriever(records, library=library, blocks=2, budget=Budget(tokens, sizes))
            shown = maker.shown(request, random.Random(0))
            assert (len(shown.exemplars), len(shown.blocks)) == (exemplars, blocks), tokens

    def test_each_alone_keeps_to_it_too(self, records: Records, library: BlockLibrary) -> None:
        for n in range(4):
            add(records, program(n), n / 10)
        maker = retriever(records, library=library, blocks=2, budget=Budget(20, lambda text: 10))
        assert len(maker.exemplars(random.Random(0))) == 2
        assert len(maker.blocks(Request(task=TASK, text="gate"), random.Random(0))) == 2

    def test_an_estimate_counts_rather_too_many(self) -> None:
        code = program(1)
        assert len(code) / 3 < estimate_tokens(code) < len(code)

    def test_a_local_model_tells_its_own(self) -> None:
        from netwright.agents.models.config import NANO, ModelConfig
        from netwright.agents.models.factory import open_chat_model

        budget = budget_of(open_chat_model(ModelConfig(name=NANO)))
        assert budget.tokens is not None
        assert 100 < budget.tokens < 100_000
        assert budget.count("import torch") > 0


class TestPrompt:
    def test_blocks_and_exemplars_are_shown(self, records: Records, library: BlockLibrary) -> None:
        add(records, program(1), 0.5)
        maker = retriever(records, library=library, blocks=1)
        request = Request(task=TASK, text="a spatial gate")
        shown = maker.shown(request, random.Random(0))
        user = chat_prompt(request, shown.exemplars, shown.blocks).messages[1].text
        assert "class SpatialGate(nn.Module)" in user
        assert "it maps (2, 8, 6, 6) to (2, 8, 6, 6)" in user
        assert "0.500" in user
        assert shown_exemplar("accuracy", shown.exemplars[0]).strip() in user

    def test_braces_in_a_block_stay_as_they_are(self) -> None:
        odd = block("Odd").model_copy(update={"text": "class Odd:\n    x = {'a': {}}\n", "check": None})
        assert "x = {'a': {}}" in shown_block(odd)
