"""Repair rounds are read off the records: one that a crash cut in two is finished as it was begun."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from netwright.agents.models.factory import ChatModelHandle
from netwright.agents.models.scripted import ScriptedChatModel
from netwright.agents.repair import RepairAgent
from netwright.memory.records import Records
from netwright.memory.rows import Campaign, Cycle, Generation
from netwright.memory.types import Request, Verdict
from netwright.tools.protocols import protocol
from netwright.tools.tasks import task

SLOTS = 70
INVALID = Verdict(ok=False, stage="parse", error_class="SyntaxError", message="invalid syntax")


class Judge:
    """Finds every text invalid but those that hold ``good``."""

    def validate(self, source: str, *rest: object) -> Verdict:
        return Verdict(ok=True, stage="backward", params=1) if "good" in source else INVALID


def register(records: Records) -> None:
    """A campaign with an open first cycle."""
    digits, chosen = task("digits"), protocol("digits-1ep")
    records.add_task(digits)
    records.add_protocol(chosen)
    records.create_campaign(Campaign(id="c", task_id=digits.id, protocol_hash=chosen.hash))
    records.put_cycle(Cycle(campaign_id="c", n=1))


@pytest.fixture
def records() -> Iterator[Records]:
    with Records() as opened:
        register(opened)
        opened.put_generations(
            Generation(campaign_id="c", cycle=1, slot=n, answer=f"```python\nx = {n}\n```", prompt="p", tokens_out=2)
            for n in range(SLOTS)
        )
        yield opened


def agent(records: Records) -> RepairAgent:
    answers = [f"```python\nclass Net: n = {n}{' # good' if n % 3 == 0 else ''}\n```" for n in range(9)]
    model = ScriptedChatModel.of(answers, order="seed")
    handle = ChatModelHandle("scripted", model, model.style, tunable=False, supports_seed=True)
    return RepairAgent(handle, records, Judge(), Request(task=task("digits")), seed=5, limits_hash="", max_tries=2)


def judge_all(repairer: RepairAgent) -> None:
    for slot in repairer.open_slots("c", 1):
        repairer.judge("c", 1, slot)


def finish(repairer: RepairAgent) -> list[tuple]:
    slots = range(SLOTS)
    judge_all(repairer)
    while (due := repairer.next_round("c", 1, slots)) is not None:
        repairer.rewrite("c", 1, slots, due)
        judge_all(repairer)
    return [(a.slot, a.try_no, a.answer) for a in repairer.records.repairs("c", 1)]


def test_a_round_cut_in_two_goes_on_as_it_was_begun(records, monkeypatch, tmp_path):
    whole = finish(agent(records))
    assert {try_no for _, try_no, _ in whole} == {1, 2}

    with Records(f"sqlite:///{tmp_path / 'again.db'}") as again:
        register(again)
        again.put_generations(
            g.model_copy(update={"raw_candidate_id": None, "cleaned_candidate_id": None, "candidate_id": None,
                                 "valid_by": "none", "repair_tries": 0})
            for g in records.generations("c")
        )  # fmt: skip
        repairer = agent(again)
        judge_all(repairer)
        written = again.put_repairs
        chunks = 0

        def one_chunk_only(rows: list, model: str | None) -> None:
            nonlocal chunks
            chunks += 1
            if chunks == 2:
                raise KeyboardInterrupt
            written(rows, model=model)

        monkeypatch.setattr(again, "put_repairs", one_chunk_only)
        with pytest.raises(KeyboardInterrupt):
            repairer.rewrite("c", 1, range(SLOTS), 1)
        monkeypatch.undo()
        assert 0 < len(again.repairs("c", 1)) < SLOTS
        assert finish(agent(again)) == whole
        assert again.get_campaign("c").tokens == records.get_campaign("c").tokens


def test_a_round_that_was_written_and_not_judged_does_not_hide_the_next(records):
    repairer = agent(records)
    judge_all(repairer)
    assert repairer.next_round("c", 1, range(SLOTS)) == 1
    repairer.rewrite("c", 1, range(SLOTS), 1)
    judge_all(repairer)
    assert repairer.next_round("c", 1, range(SLOTS)) == 2


def test_what_is_written_counts_once(records):
    rows = records.generations("c")
    records.put_generations(rows)
    campaign = records.get_campaign("c")
    assert (campaign.candidates, campaign.tokens) == (SLOTS, 2 * SLOTS)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_parent_of_a_text_that_two_slots_came_to_does_not_hang_on_which_was_judged_first(records, order):
    repairer = agent(records)
    same = ScriptedChatModel.of(["```python\nclass Net: n = 0  # good\n```"] * SLOTS)
    repairer.model = replace(repairer.model, model=same)
    judge_all(repairer)
    parent = records.get_generation("c", 1, 0).candidate_id
    repairer.rewrite("c", 1, range(2), 1)
    for slot in order:
        assert repairer.judge("c", 1, slot).ok
    ids = {g.candidate_id for g in records.generations("c", 1)[:2]}
    assert len(ids) == 1
    assert records.get_candidate(*ids).parents == (parent,)
