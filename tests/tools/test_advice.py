"""What the morning report advises: the rule that the numbers call for, and commands that the program takes."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
import yaml
from netwright.graphs.config import Config, load_config
from netwright.tools.protocols import default_protocol
from netwright.tools.report.advice import Night, advise
from netwright.tools.report.model import Accuracy, CampaignReport, CycleReport, Rate, Share, Spent, ValidRates
from netwright.tools.report.morning_model import Advice, FailureClass, FoundNetwork, Interruption, Morning
from netwright.tools.report.morning_write import morning_html, morning_markdown
from netwright.tools.statistics import wilson_interval
from netwright.tools.tasks import task_info

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def cycle(n: int, *, valid: int = 9, trained: int = 8, above: int = 3, mean: float = 0.6, **more: Any) -> CycleReport:
    rate = Rate(count=valid, rate=valid / 10, low=0, high=1)
    share, low, high = wilson_interval(above, trained)
    accuracy = Accuracy(n=trained, mean=mean, low=None, high=None, median=mean, best=0.9, std=None)
    fields = {"threshold": 0.7, "failed_trials": 0, "novel": 8, "duplicates": 1} | more
    return CycleReport(
        cycle=n,
        state="complete",
        adapter=None,
        generated=10,
        valid=ValidRates(generation=rate, cleanup=rate, repair=rate),
        trained=trained,
        accuracy=accuracy,
        above_threshold=Share(count=above, share=share, low=low, high=high),
        duplicates_by={},
        admitted=above,
        corpus=100,
        seconds={},
        tokens=0,
        values=(),
        **fields,
    )


def report(cycles: list[CycleReport], *, state: str = "complete", reason: str = "budget: 4 cycles") -> CampaignReport:
    return CampaignReport.model_construct(
        campaign="night",
        state=state,
        stop_reason=reason,
        config=load_config(overrides=["budget.cycles=4"]).model_dump(mode="json"),
        task=task_info("digits").task,
        protocol=default_protocol("digits"),
        spent=Spent(wall_s=1000, tokens=0, candidates=40),
        cycles=tuple(cycles),
    )


def advice(of: CampaignReport, **more: Any) -> list[Advice]:
    held: dict[str, Any] = {"failures": (), "interruptions": (), "found": ()} | more
    return list(advise(of, Night("/data/a b/config.yaml", folder="/data/a b", **held)))


def rising(**more: Any) -> list[CycleReport]:
    return [cycle(n, mean=0.5 + 0.05 * n, above=2 * n, **more) for n in range(1, 5)]


def failure(step: str, name: str) -> FailureClass:
    return FailureClass(step=step, error_class=name, count=7, example="why")


BEST = FoundNetwork(
    id="a" * 64, name="llm-a", cycle=1, metric=0.9, params=10, flops=20, front=True, file="networks/a.py", code="x = 1"
)
WAITED = Interruption(at=NOW, what="waited", reason="model: away", seconds=400)
KILLED = Interruption(at=NOW, what="killed", reason="out of memory")

CASES = {
    "more of the budget": (report(rising()), {}, "Give it more of the budget"),
    "no more": (report([cycle(n) for n in range(1, 5)]), {}, "More of the same budget may bring little"),
    "failed": (report(rising(), state="failed", reason="OSError: x"), {}, "Go on when the cause is removed"),
    "stopped": (report(rising(), state="stopped", reason="paused"), {}, "Go on"),
    "invalid": (
        report(rising(valid=2)),
        {"failures": (failure("writing", "build: TypeError"),)},
        "Let it repair more and sample cooler",
    ),
    "bar too high": (report([cycle(n, above=0) for n in range(1, 5)]), {}, "Lower the threshold"),
    "bar too low": (report([cycle(n, above=10, trained=10) for n in range(1, 5)]), {}, "Raise the threshold"),
    "flat": (report([cycle(n) for n in range(1, 6)]), {}, "Learn from more than what reaches the threshold"),
    "copies": (report(rising(novel=4, duplicates=6)), {}, "Ask for more variety"),
    "slow": (report(rising(failed_trials=4)), {"failures": (failure("training", "CpuLimit"),)}, "Give a training more"),
    "large": (
        report(rising(failed_trials=4)),
        {"failures": (failure("training", "MemoryLimit"),)},
        "Give a training more memory",
    ),
    "failing": (
        report(rising(failed_trials=4)),
        {"failures": (failure("training", "ValueError"),)},
        "Look at what fails",
    ),
    "waits": (report(rising()), {"interruptions": (WAITED,)}, "Remove what it waited for"),
    "kills": (report(rising()), {"interruptions": (KILLED,)}, "See why its process was killed"),
    "best": (report(rising()), {"found": (BEST,)}, "Train the best one longer"),
}


@pytest.mark.parametrize("name", CASES)
def test_numbers_call_for_a_rule(name):
    of, more, expected = CASES[name]
    assert any(one.what.startswith(expected) for one in advice(of, **more)), [one.what for one in advice(of, **more)]


def test_a_good_night_is_told_nothing_but_to_go_on():
    assert [one.what for one in advice(report(rising()), found=(BEST,))] == [
        "Give it more of the budget",
        "Train the best one longer",
    ]


def test_a_campaign_without_cycles_is_no_error():
    assert [one.what for one in advice(report([], state="failed", reason="x"))] == ["Go on when the cause is removed"]


def test_commands_are_taken_by_the_program(tmp_path):
    from netwright.interfaces.cli.main import app

    (tmp_path / "config.yaml").write_text(yaml.safe_dump(Config().model_dump(mode="json")))
    commands = {one.command for of, more, _ in CASES.values() for one in advice(of, **more) if one.command}
    checked = 0
    for command in commands:
        program, *words = shlex.split(command)
        if program != "netwright":
            continue
        group = typer.main.get_command(app)
        while words and words[0] in getattr(group, "commands", {}):
            group = group.commands[words.pop(0)]
        words = [word.replace("/data/a b/networks", str(tmp_path)) for word in words]
        parsed = group.make_context("x", words).params
        if parsed.get("overrides"):
            load_config(tmp_path / "config.yaml", parsed["overrides"])
        checked += 1
    assert checked >= 9


def test_hostile_text_stays_text():
    evil = "</td><script>alert(1)</script> | a `b` \n# title \u202e ![x](http://example.org/x.png)"
    morning = Morning(
        campaign="night",
        dataset="digits",
        metric="acc",
        state="failed",
        reason=evil,
        begun=NOW,
        ended=NOW,
        wall_s=1,
        waited_s=0,
        tokens=0,
        candidates=0,
        cycles=0,
        valid=None,
        trained=0,
        failed_trials=0,
        admitted=0,
        means=(),
        disk_mb=0,
        found=(),
        failures=(FailureClass(step="writing", error_class=evil, count=1, example=evil),),
        interruptions=(Interruption(at=NOW, what="failed", reason=evil),),
        advice=(Advice(what="Go on", why=evil),),
    )
    page, text = morning_html(morning), morning_markdown(morning)
    assert "<script" not in page
    assert "\u202e" not in page + text
    assert [line for line in text.splitlines() if line.startswith("#")][1:] == [
        "## Found",
        "## Failed, and why",
        "## Interruptions",
        "## Try next",
    ]
    assert "![" not in text, "no picture that a viewer would load"
    table = next(line for line in text.splitlines() if line.startswith("| writing"))
    assert table.replace("\\|", "").count("|") == 5
    assert "<script" not in table


def test_words_of_a_trouble_name_no_budget() -> None:
    reason = "budget: 3600 seconds of wall time, the last of them waiting: no room for tokens of the candidates' cycles"
    of = report(rising(), reason=reason)
    of.config["budget"]["wall_s"] = 3600
    assert advice(of)[0].command == "netwright campaign resume night --set budget.wall_s=7200"
