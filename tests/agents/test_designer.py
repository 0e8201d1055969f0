"""The designer: which style each slot of a batch asks for."""

from __future__ import annotations

import pytest
from netwright.agents.designer import Designer
from netwright.agents.models.factory import ChatModelHandle
from netwright.agents.models.scripted import ScriptedChatModel
from netwright.agents.prompting import header_of
from netwright.agents.retriever import Retriever
from netwright.memory.records import Records
from netwright.memory.rows import Campaign, Cycle
from netwright.memory.types import Request
from netwright.tools.generators.headers import STYLES, Header
from netwright.tools.protocols import protocol
from netwright.tools.tasks import task

TASK, PROTOCOL = task("digits"), protocol("digits-1ep")


@pytest.mark.parametrize(
    ("style", "asked"),
    [
        ("any", ["any"] * 12),
        ("mlp", ["mlp"] * 12),
        ("each", [*STYLES, *STYLES[:2]]),
        (("se", "mlp"), ["se", "mlp"] * 6),
    ],
)
def test_a_batch_asks_for_its_style_or_for_several_in_turn(style: str | tuple[str, ...], asked: list[str]) -> None:
    model = ScriptedChatModel.of(["x"] * 12, style="completion")
    with Records() as records:
        records.add_task(TASK)
        records.add_protocol(PROTOCOL)
        records.create_campaign(Campaign(id="c", task_id=TASK.id, protocol_hash=PROTOCOL.hash))
        records.put_cycle(Cycle(campaign_id="c", n=1))
        Designer(
            ChatModelHandle("scripted", model, "completion", tunable=False, supports_seed=True), records,
            Request(task=TASK), seed=0, size=12, style=style, retriever=Retriever(records, TASK, PROTOCOL.hash, 0),
        ).write_batch("c", 1, 0)  # fmt: skip
        headers = [Header.parse(header_of(one.prompt)) for one in records.generations("c", 1)]
    assert [one.style for one in headers] == asked
