"""Tokens by agent and model: counted once, priced where there is a price."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from netwright.memory.database import open_engine
from netwright.memory.records import Records
from netwright.memory.rows import Account, Campaign, Generation, RepairAttempt
from netwright.memory.types import Protocol, Task
from netwright.tools.accounting import Price, costs_of

TASK = Task(kind="img-classification", dataset="digits", metric="acc", in_shape=(1, 8, 8), out_shape=(10,))
PROTOCOL = Protocol(name="p", epochs=1, batch=8, lr=0.1, momentum=0.9, seed=0, time_limit_s=1.0)


@pytest.fixture
def records():
    with Records() as opened:
        opened.add_task(TASK)
        opened.add_protocol(PROTOCOL)
        config = {"model": {"name": "one"}}
        opened.create_campaign(Campaign(id="c", task_id=TASK.id, protocol_hash=PROTOCOL.hash, config=config))
        yield opened


def written(slot: int, tokens_in: int = 10, tokens_out: int = 5) -> Generation:
    return Generation(campaign_id="c", cycle=1, slot=slot, tokens_in=tokens_in, tokens_out=tokens_out)


def test_each_agent_is_charged_once(records: Records) -> None:
    attempt = RepairAttempt(campaign_id="c", cycle=1, slot=0, try_no=1, error="e", tokens_in=7, tokens_out=3)
    for _ in range(2):
        records.put_generations([written(0), written(1)], model="one")
        records.put_repairs([attempt], model="other")
        records.spend("c", "1/grpo", agent="reinforcer", model="one", tokens_out=100)
    designer, reinforcer, repair = sorted(records.accounts("c"), key=lambda one: one.agent)
    assert designer == Account(agent="designer", model="one", calls=2, tokens_in=20, tokens_out=10, tokens=30)
    assert (repair.model, repair.tokens_in, repair.tokens_out) == ("other", 7, 3)
    assert reinforcer.tokens_out == reinforcer.tokens == 100
    assert records.get_campaign("c").tokens == 140


def test_nobody_is_charged_for_what_no_model_wrote(records: Records) -> None:
    records.put_generations([written(0, 0, 0)], model="one")
    assert records.accounts("c") == []
    assert records.get_campaign("c").candidates == 1


def test_a_negative_amount_is_refused(records: Records) -> None:
    with pytest.raises(ValueError, match="taken back"):
        records.spend("c", "x", tokens_in=-1)
    assert records.accounts("c") == []


def test_only_what_has_a_price_costs() -> None:
    accounts = [
        Account(agent="designer", model="dear", calls=1, tokens_in=2_000_000, tokens_out=500_000, tokens=2_500_000),
        Account(agent="repair", model="own", calls=1, tokens_in=5, tokens_out=5, tokens=10),
        Account(agent="chat", model="dear", calls=1, tokens_in=0, tokens_out=0, tokens=9),
    ]
    found = costs_of(accounts, {"dear": Price(prompt=1.5, completion=4.0)}, "EUR")
    assert found.cost == pytest.approx(5.0)
    assert [line.cost for line in found.lines] == [pytest.approx(5.0), None, None]
    assert found.unpriced == ("dear", "own")  # the third line's tokens are not known apart
    assert found.tokens == 2_500_019


def test_older_records_are_split_by_agent(tmp_path: Path) -> None:
    """The upgrade reads prompt and completion tokens off the answers that are on record."""
    path = tmp_path / "r.db"
    with Records(f"sqlite:///{path}") as records:
        records.add_task(TASK)
        records.add_protocol(PROTOCOL)
        config = {"model": {"name": "nano"}}
        records.create_campaign(Campaign(id="c", task_id=TASK.id, protocol_hash=PROTOCOL.hash, config=config))
        records.put_generations([written(0), written(1, 4, 2)])
        attempt = RepairAttempt(campaign_id="c", cycle=1, slot=0, try_no=2, error="e", tokens_in=7, tokens_out=3)
        records.put_repairs([attempt])
        records.spend("c", "2/grpo", tokens=50)
        records.spend("c", "wall/a/0", wall_s=2.0)
    with sqlite3.connect(path) as connection:
        for column in ("agent", "model", "tokens_in", "tokens_out"):
            connection.execute(f"ALTER TABLE spending DROP COLUMN {column}")
        connection.execute("UPDATE alembic_version SET version_num = '0006'")
    open_engine(f"sqlite:///{path}").dispose()
    with Records(f"sqlite:///{path}") as records:
        found = {(one.agent, one.model): (one.tokens_in, one.tokens_out, one.tokens) for one in records.accounts("c")}
        assert records.get_campaign("c").tokens == 81
    assert found == {
        ("designer", "nano"): (14, 7, 21),
        ("repair", "nano"): (7, 3, 10),
        ("reinforcer", "nano"): (0, 50, 50),
    }
