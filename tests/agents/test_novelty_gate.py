"""The evaluator agent's gate: what the verdicts tell of computation graphs decides what is new, and a resume alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from netwright.agents.evaluator import EvaluatorAgent
from netwright.memory.corpus import Corpus
from netwright.memory.novelty import NoveltyIndex, NoveltyMode
from netwright.memory.records import Records
from netwright.memory.rows import Campaign, Generation
from netwright.memory.types import Candidate, candidate_id
from netwright.sandbox import Sandbox
from netwright.tools.dedup.graphs import GraphStore, Tracer
from netwright.tools.execution import Validator
from netwright.tools.protocols import protocol
from netwright.tools.tasks import task
from netwright.tools.training import Evaluator

from ..tools.frames import SOURCES

TASK = task("digits")
PROTOCOL = protocol("digits-1ep")
LENET = SOURCES["lenet"]
# One graph with LeNet's, written with other names and a literal form of the same numbers.
RENAMED = LENET.replace("self.conv", "self.stage").replace("self.fc", "self.dense").replace("in_shape", "shape_in")
ADAM = RENAMED.replace("torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'])",
                       "torch.optim.Adam(self.parameters(), lr=prm['lr'])")  # fmt: skip
WIDER = LENET.replace("120", "121")
SLOTS = [LENET, RENAMED, ADAM, SOURCES["mlp"], WIDER]


@pytest.fixture
def records() -> Iterator[Records]:
    with Records() as made:
        yield made


def gate(records: Records, sandbox: Sandbox, mode: NoveltyMode, corpus_text: str | None = None) -> EvaluatorAgent:
    pairs = [("prompt", corpus_text)] if corpus_text else []
    corpus = Corpus(records, pairs)
    index = NoveltyIndex()
    index.add_many((pair.candidate_id, pair.code) for pair in corpus.initial)
    tracer = Tracer(sandbox, TASK, GraphStore(None))
    options = {"novelty": mode, "limits_hash": "limits", "tracer": tracer}
    return EvaluatorAgent(records, Evaluator(sandbox), TASK, PROTOCOL, corpus, index, 0.5, 1, **options)


def write(records: Records, sandbox: Sandbox, sources: list[str]) -> None:
    records.add_task(TASK)
    records.add_protocol(PROTOCOL)
    records.create_campaign(Campaign(id="c", task_id=TASK.id, protocol_hash=PROTOCOL.hash))
    for slot, source in enumerate(sources):
        key = records.add_candidate(Candidate(source=source))
        verdict = Validator(sandbox).validate(source, TASK)
        assert verdict.ok, verdict.reason
        records.put_verdict(key, TASK.id, verdict, "limits")
        records.put_generation(Generation(campaign_id="c", cycle=1, slot=slot, candidate_id=key, valid_by="generation"))


def decisions(records: Records) -> list[tuple[bool | None, str | None]]:
    return [(g.novel, g.nearest_kind) for g in records.generations("c", 1)]


def test_renamed_code_is_no_news_but_other_training_is(records: Records, digits_sandbox: Sandbox) -> None:
    write(records, digits_sandbox, SLOTS)
    gate(records, digits_sandbox, "structural").judge_novelty("c", 1)
    assert decisions(records)[:4] == [(True, None), (False, "graph"), (True, "cycle"), (True, "cycle")]
    second = records.generations("c", 1)[1]
    assert second.nearest == candidate_id(LENET)
    assert second.jaccard is not None
    assert second.jaccard < 0.9


def test_a_resume_decides_alike(records: Records, digits_sandbox: Sandbox) -> None:
    write(records, digits_sandbox, SLOTS)
    gate(records, digits_sandbox, "structural").judge_novelty("c", 1)
    whole = decisions(records)
    for slot in (1, 2, 3, 4):
        records.update_generation("c", 1, slot, novel=None, jaccard=None, nearest=None, nearest_kind=None)
    gate(records, digits_sandbox, "structural").judge_novelty("c", 1)
    assert decisions(records) == whole


@pytest.mark.parametrize(("mode", "second"), [("lexical", (True, "cycle")), ("none", (True, "cycle"))])
def test_without_structure_text_decides(
    records: Records, digits_sandbox: Sandbox, mode: NoveltyMode, second: tuple[bool, str]
) -> None:
    write(records, digits_sandbox, [LENET, RENAMED, LENET + "\n\n# a copy\n"])
    gate(records, digits_sandbox, mode).judge_novelty("c", 1)
    found = decisions(records)
    assert found[:2] == [(True, None), second]
    assert found[2][0] is (mode == "none")


def test_the_initial_corpus_is_traced_where_it_is_near(records: Records, digits_sandbox: Sandbox) -> None:
    partly = LENET.replace("self.conv", "self.stage")
    write(records, digits_sandbox, [partly])
    gate(records, digits_sandbox, "structural", LENET).judge_novelty("c", 1)
    found = records.generations("c", 1)[0]
    assert (found.novel, found.nearest, found.nearest_kind) == (False, candidate_id(LENET), "graph")
