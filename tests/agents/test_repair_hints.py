"""Repair with hints: applied for a completion model, in words for an instruct model; answers that change a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from netwright.agents.designer import Designer
from netwright.agents.models.handle import ChatModelHandle
from netwright.agents.models.scripted import ScriptedChatModel
from netwright.agents.repair import RepairAgent
from netwright.agents.retriever import Retriever
from netwright.graphs.agents import designer_and_repairer
from netwright.graphs.config import Config, ConfigError
from netwright.memory.records import Records
from netwright.memory.rows import Campaign, Cycle, Generation
from netwright.memory.types import Candidate, Request, Trial, Verdict
from netwright.tools.hints import Fault, Hints, Step
from netwright.tools.protocols import protocol
from netwright.tools.tasks import task

DIGITS = task("digits")
CHOSEN = protocol("digits-1ep")
INVALID = Verdict(ok=False, stage="forward", error_class="RuntimeError", message="sizes differ", line=2)
PARENT = "import torch\n\nclass Net:\n    width = 8\n    good = True\n"
STEP = Step(rule="width", line=2, what="Linear in_features", was="64", now="8")
FAULT = Fault(
    stage="forward", error_class="RuntimeError", message="", path="head", kind="Linear", built=2,
    argument="in_features", expected=64, found=8,
)  # fmt: skip


def block(old: str, new: str) -> str:
    return f"<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE"


class Judge:
    """Finds every text invalid but those that hold ``good``."""

    def validate(self, source: str, *rest: object) -> Verdict:
        return Verdict(ok=True, stage="backward", params=1) if "good" in source else INVALID


class Knows:
    """Mends texts that hold ``mendable``, and knows the failing layer of all."""

    workers = 2

    def mend(self, source: str, *rest: object) -> tuple[Hints, Verdict | None]:
        if "mendable" not in source:
            return Hints(fault=FAULT), None
        text = source.replace("mendable", "good")
        return Hints(fault=FAULT, steps=(STEP,), mended=text), Verdict(ok=True, stage="backward", params=1)


@pytest.fixture
def records() -> Iterator[Records]:
    with Records() as opened:
        opened.add_task(DIGITS)
        opened.add_protocol(CHOSEN)
        opened.create_campaign(Campaign(id="c", task_id=DIGITS.id, protocol_hash=CHOSEN.hash))
        opened.put_cycle(Cycle(campaign_id="c", n=1))
        yield opened


def handle(answers: Sequence[str], style: str = "chat") -> ChatModelHandle:
    model = ScriptedChatModel.of(answers, style=style)  # type: ignore[arg-type]
    return ChatModelHandle("scripted", model, model.style, tunable=False, supports_seed=True)


def agent(records: Records, model: ChatModelHandle, *, hints: bool = True, delta: bool = False) -> RepairAgent:
    return RepairAgent(
        model, records, Judge(), Request(task=DIGITS), seed=5, limits_hash="", max_tries=2,  # type: ignore[arg-type]
        hinter=Knows() if hints else None, delta=delta,  # type: ignore[arg-type]
    )  # fmt: skip


def finish(repairer: RepairAgent, slots: range) -> None:
    while True:
        for slot in repairer.open_slots("c", 1):
            repairer.judge("c", 1, slot)
        due = repairer.next_round("c", 1, slots)
        if due is None:
            return
        repairer.rewrite("c", 1, slots, due)


def put(records: Records, *answers: str) -> None:
    records.put_generations(
        Generation(campaign_id="c", cycle=1, slot=n, answer=answer, prompt="# task=img-classification")
        for n, answer in enumerate(answers)
    )


def program(word: str) -> str:
    return f"import torch\nclass Net:\n    x = '{word}'\n"


def test_a_completion_model_is_asked_only_for_what_no_edit_mends(records: Records) -> None:
    put(records, program("mendable"), program("hopeless"), program("good as it is"))
    model = handle(["\nclass Net:\n    x = 'good too'\n"], style="completion")
    finish(agent(records, model), range(3))
    assert [g.valid_by for g in records.generations("c")] == ["repair", "repair", "generation"]
    attempts = records.repairs("c")
    assert [(a.slot, a.by, a.tokens_in + a.tokens_out > 0) for a in attempts] == [
        (0, "hint", False),
        (1, "model", True),
    ]
    assert attempts[0].answer == program("good")
    assert len(model.model.calls) == 1  # type: ignore[attr-defined]
    first = records.get_generation("c", 1, 0)
    assert first is not None
    mended = records.get_candidate(first.candidate_id or "")
    assert mended is not None
    assert mended.parents == (first.raw_candidate_id,)


def test_an_instruct_model_reads_the_hints_and_writes_itself(records: Records) -> None:
    put(records, program("mendable"))
    model = handle([f"```python\n{program('good')}```"])
    finish(agent(records, model), range(1))
    (attempt,) = records.repairs("c")
    assert attempt.by == "model"
    asked = model.model.calls[0].messages[-1].text  # type: ignore[attr-defined]
    assert "`head` (Linear), built at line 2, with in_features = 64, but its input has 8" in asked
    assert "- line 2: Linear in_features `64` → `8`" in asked


def test_without_hints_the_prompt_says_nothing_of_them(records: Records) -> None:
    put(records, program("mendable"))
    model = handle([f"```python\n{program('good')}```"])
    finish(agent(records, model, hints=False), range(1))
    asked = model.model.calls[0].messages[-1].text  # type: ignore[attr-defined]
    assert "layer that fails" not in asked
    assert "sizes differ (line 2)\n\n```python" in asked


def with_parent(records: Records) -> Candidate:
    """A trained network outside the test split."""
    for n in range(50):
        parent = Candidate(source=f"{PARENT}    n = {n}\n", origin="hand-")
        if not Retriever(records, DIGITS, CHOSEN.hash, 0).by_lineage([parent.id]):
            break
    records.add_candidate(parent)
    records.start_trial(parent.id, DIGITS.id, CHOSEN.hash)
    records.finish_trial(
        Trial(candidate_id=parent.id, task_id=DIGITS.id, protocol_hash=CHOSEN.hash, state="complete", metric=0.7)
    )
    return parent


def designer(records: Records, model: ChatModelHandle, size: int = 1) -> Designer:
    return Designer(
        model, records, Request(task=DIGITS), seed=1, size=size, delta=True,
        retriever=Retriever(records, DIGITS, CHOSEN.hash, 0),
    )  # fmt: skip


def test_an_answer_changes_the_parent_that_the_prompt_showed(records: Records) -> None:
    parent = with_parent(records)
    model = handle([block("    width = 8", "    width = 16")])
    designer(records, model).write_batch("c", 1, 0)
    finish(agent(records, model, delta=True), range(1))
    shown = model.model.calls[0].messages[-1].text  # type: ignore[attr-defined]
    assert parent.source.strip() in shown
    assert "accuracy = 0.700" in shown
    slot = records.get_generation("c", 1, 0)
    assert slot is not None
    assert (slot.parent, slot.valid_by) == (parent.id, "generation")
    made = records.get_candidate(slot.candidate_id or "")
    assert made is not None
    assert (made.source, made.origin) == (parent.source.replace("width = 8", "width = 16"), "llm-")
    assert made.parents == (parent.id,)


def test_with_nothing_on_record_a_whole_file_is_asked_for(records: Records) -> None:
    model = handle([f"```python\n{program('good')}```"])
    designer(records, model).write_batch("c", 1, 0)
    finish(agent(records, model, delta=True), range(1))
    slot = records.get_generation("c", 1, 0)
    assert slot is not None
    assert (slot.parent, slot.valid_by) == (None, "generation")
    assert "SEARCH" not in slot.prompt


def test_what_does_not_apply_is_told_with_its_reason_and_asked_for_again(records: Records) -> None:
    parent = with_parent(records)
    model = handle([block("    widht = 8", "    width = 16"), block("    width = 8", "    width = 16")])
    designer(records, model).write_batch("c", 1, 0)
    repairer = agent(records, model, delta=True)
    verdict = repairer.judge("c", 1, 0)
    assert (verdict.stage, verdict.error_class) == ("extract", "DeltaMismatch")
    assert "hunk 1 ('widht = 8')" in (verdict.message or "")
    finish(repairer, range(1))
    asked = model.model.calls[1].messages[-1].text  # type: ignore[attr-defined]
    assert "hunk 1 ('widht = 8')" in asked
    assert parent.source.strip() in asked
    (attempt,) = records.repairs("c")
    assert attempt.parent == parent.id
    slot = records.get_generation("c", 1, 0)
    assert slot is not None
    assert slot.valid_by == "repair"
    made = records.get_candidate(slot.candidate_id or "")
    assert made is not None
    assert made.source == parent.source.replace("width = 8", "width = 16")
    assert made.parents == (parent.id,)


def test_a_whole_file_in_the_place_of_blocks_keeps_no_verdict_as_a_file(records: Records) -> None:
    with_parent(records)
    model = handle([f"```python\n{program('good')}```"])
    designer(records, model).write_batch("c", 1, 0)
    repairer = agent(records, model, delta=True)
    assert repairer.judge("c", 1, 0).error_class == "NoDelta"
    slot = records.get_generation("c", 1, 0)
    assert slot is not None
    refused = records.get_candidate(slot.raw_candidate_id or "")
    assert refused is not None
    assert refused.source.startswith("# does not apply to ")
    whole = Candidate(source=slot.answer or "", origin="llm-")
    assert records.get_verdict(whole.id, repairer.request.task.id, repairer.limits_hash) is None


def test_a_changed_network_that_fails_is_repaired_by_blocks_against_itself(records: Records) -> None:
    parent = with_parent(records)
    bad = block("    good = True", "    bad = True")
    model = handle([bad, block("    bad = True", "    good = 2")])
    designer(records, model).write_batch("c", 1, 0)
    repairer = agent(records, model, delta=True)
    assert repairer.judge("c", 1, 0).stage == "forward"
    failing = records.get_generation("c", 1, 0)
    assert failing is not None
    repairer.rewrite("c", 1, range(1), 1)
    assert repairer.judge("c", 1, 0).ok
    # A crash between the two records of a judgement: judging again comes to the same.
    (attempt,) = records.repairs("c")
    records.judge_repair(attempt.model_copy(update={"verdict": None, "candidate_id": None}))
    assert repairer.judge("c", 1, 0).ok
    (attempt,) = records.repairs("c")
    assert attempt.parent == failing.candidate_id
    made = records.get_candidate(attempt.candidate_id or "")
    assert made is not None
    assert made.source == parent.source.replace("good = True", "good = 2")
    assert made.parents == (failing.candidate_id,)


def test_blocks_that_do_not_apply_come_back_with_the_network_that_they_were_meant_for(records: Records) -> None:
    """A whole file fails; its repair by blocks does not apply: the second try shows that file, and not the blocks."""
    put(records, f"```python\n{program('bad')}```")
    model = handle([block("    y = 1", "    x = 'good'"), block("    x = 'bad'", "    x = 'good'")])
    repairer = agent(records, model, delta=True)
    finish(repairer, range(1))
    again = model.model.calls[1].messages[-1].text  # type: ignore[attr-defined]
    assert "hunk 1 ('y = 1')" in again
    assert program("bad").strip() in again
    slot = records.get_generation("c", 1, 0)
    assert slot is not None
    assert (slot.valid_by, slot.repair_tries) == ("repair", 2)
    assert [a.parent for a in records.repairs("c")] == [slot.raw_candidate_id] * 2
    made = records.get_candidate(slot.candidate_id or "")
    assert made is not None
    assert made.source.strip() == program("good").strip()


def test_a_completion_model_cannot_answer_with_changes(records: Records) -> None:
    config = Config.model_validate({"campaign": {"answers": "delta"}})
    model = handle(["x"], style="completion")
    with pytest.raises(ConfigError, match=r"campaign\.answers=delta needs a model that reads instructions"):
        designer_and_repairer(config, "c", model, records, Judge(), Request(task=DIGITS), CHOSEN)  # type: ignore[arg-type]
