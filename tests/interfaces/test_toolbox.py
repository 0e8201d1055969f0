"""The tools, called as a server calls them, on real records and a real sandbox."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from netwright.interfaces.jobs.board import JobBoard
from netwright.interfaces.jobs.tools import job_tools
from netwright.interfaces.toolbox import registry
from netwright.interfaces.toolbox.calls import CallPool, TooBusy, run_tool
from netwright.interfaces.toolbox.langchain import as_langchain_tools
from netwright.sandbox import Sandbox
from netwright.tools.registry import Arguments, Context, Registry, Result, Tool, ToolError

from .toolbox_parts import BROKEN, NETWORK, SharedWith

EXPECTED = {
    "validate", "evaluate", "repair", "design", "generate", "mine_blocks", "search_blocks", "get_block",
    "check_novelty", "deduplicate", "query_records", "get_candidate", "tune", "predict", "list_datasets",
    "start_campaign", "watch_campaign", "stop_campaign", "list_campaigns",
}  # fmt: skip


@pytest.fixture(scope="module")
def module_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("toolbox-home")


@pytest.fixture(autouse=True)
def netwright_home(module_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NETWRIGHT_HOME", str(module_home))
    return module_home


@pytest.fixture(scope="module")
def pool(module_home: Path, digits_sandbox: Sandbox) -> Iterator[CallPool]:
    with CallPool(registry(), SharedWith(digits_sandbox)) as made:
        yield made


def everything(home: Path) -> list[Tool[Any, Any]]:
    with JobBoard(home, dispatch=False) as board:
        return [*registry(), *job_tools(registry(), board)]


def test_the_tools_are_all_there() -> None:
    assert {tool.name for tool in registry()} == EXPECTED
    assert {tool.name for tool in registry() if tool.kind == "job"} == {
        "evaluate", "repair", "design", "deduplicate", "mine_blocks", "tune"
    }  # fmt: skip


def test_every_tool_explains_itself_and_all_of_its_arguments(netwright_home: Path) -> None:
    for tool in everything(netwright_home):
        schema = tool.arguments.model_json_schema()
        Draft202012Validator.check_schema(schema)
        Draft202012Validator.check_schema(tool.result.model_json_schema(mode="serialization"))
        silent = [name for name, field in tool.arguments.model_fields.items() if not field.description]
        assert not silent, f"{tool.name}: {silent}"
        assert schema["additionalProperties"] is False, tool.name
        assert len(tool.description) > 60, tool.name
        assert tool.title


def test_no_tool_takes_a_path(netwright_home: Path) -> None:
    for tool in everything(netwright_home):
        words = {"path", "file", "folder", "directory", "url"}
        assert not words & set(tool.arguments.model_fields), tool.name
        for name, field in tool.arguments.model_fields.items():
            assert "Path" not in str(field.annotation), f"{tool.name}.{name}"


def test_validate(pool: CallPool) -> None:
    good = pool.call("validate", {"source": NETWORK, "max_params": 20_000})
    assert (good["valid"], good["stage"], good["reason"]) == (True, "backward", "ok")
    assert 0 < good["params"] < 20_000
    bad = pool.call("validate", {"source": BROKEN})
    assert (bad["valid"], bad["stage"], bad["error_class"]) == (False, "forward", "RuntimeError")
    hostile = pool.call("validate", {"source": "open('/etc/shadow').read()\nimport os\nos.kill(1, 9)"})
    assert not hostile["valid"]
    small = pool.call("validate", {"source": NETWORK, "max_params": 10})
    assert "parameters" in small["reason"]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("validate", {}, "either source or candidate_id"),
        ("validate", {"source": "x", "candidate_id": "0" * 64}, "either source or candidate_id"),
        ("validate", {"source": "x" * 300_000}, "source: String should have at most 262144"),
        ("validate", {"source": NETWORK, "dataset": "nowhere"}, "nowhere"),
        ("validate", {"source": NETWORK, "max_params": 1, "min_params": 2}, "nothing can meet both"),
        ("validate", {"source": NETWORK, "datset": "digits"}, "datset: Extra inputs"),
        ("validate", {"candidate_id": "../../etc/passwd"}, "candidate_id: String should match"),
        ("validate", {"candidate_id": "0" * 64}, "no network on record"),
        ("get_candidate", {"candidate_id": "%2e%2e%2f%2e"}, "candidate_id: String should match"),
        ("generate", {"style": "rococo"}, "style: String should match"),
        ("generate", {"max_params": 10}, "parameters"),
        ("query_records", {"limit": 101}, "limit"),
        ("query_records", {"min_metric": 0.9, "max_metric": 0.1}, "min_metric is above max_metric"),
        ("search_blocks", {"query": "attention"}, "mine some first"),
        ("get_block", {"block": "Nothing"}, "no block Nothing"),
        ("watch_campaign", {"id": "nobody"}, "no campaign nobody"),
        ("stop_campaign", {"id": "../../etc"}, "id: String should match"),
        ("mine_blocks", {"package": "../../etc"}, "package: String should match"),
        ("mine_blocks", {"package": "no-such-package"}, "no package no-such-package"),
        ("deduplicate", {"sources": ["x"]}, "at least two networks"),
        ("design", {"request": "a network for nothing at all"}, "data set"),
        ("nothing", {}, "no tool is called 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_said(pool: CallPool, name: str, arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ToolError) as refused:
        pool.call(name, arguments)
    assert told in str(refused.value)
    assert len(str(refused.value)) < 1000


def test_generate_is_seeded_and_keeps_to_its_limit(pool: CallPool) -> None:
    asked = {"count": 2, "max_params": 20_000, "seed": 7}
    one, again = pool.call("generate", asked), pool.call("generate", asked)
    assert one == again
    assert all(network["params"] <= 20_000 for network in one["networks"])
    assert pool.call("validate", {"source": one["networks"][0]["source"]})["valid"]


def test_data_sets_are_listed(pool: CallPool) -> None:
    listed = pool.call("list_datasets", {})
    assert {"name": "digits", "in_shape": [1, 8, 8], "classes": 10}.items() <= listed["datasets"][0].items()
    assert "digits-1ep" in {one["name"] for one in listed["protocols"]}


def test_from_a_training_to_the_records(pool: CallPool) -> None:
    first = pool.call("evaluate", {"source": NETWORK})
    assert first["state"] == "complete"
    assert first["metric"] > 0.2
    assert not first["cached"]
    key = first["verdict"]["candidate_id"]
    again = pool.call("evaluate", {"candidate_id": key[:12]})
    assert (again["cached"], again["metric"]) == (True, first["metric"])
    invalid = pool.call("evaluate", {"source": BROKEN})
    assert (invalid["state"], invalid["metric"]) == ("invalid", None)

    found = pool.call("query_records", {"dataset": "digits", "min_metric": 0.1, "max_params": 100_000})
    assert found["total"] == 1
    assert found["networks"][0]["candidate_id"] == key
    assert found["networks"][0]["params"] == first["verdict"]["params"]
    assert pool.call("query_records", {"dataset": "cifar10"})["total"] == 0
    assert pool.call("query_records", {"min_metric": 0.999})["total"] == 0
    assert pool.call("query_records", {"max_params": 10})["total"] == 0
    assert pool.call("query_records", {"origin": "llm-", "trained": True})["total"] == 0
    assert pool.call("query_records", {"offset": 1})["networks"] == []

    one = pool.call("get_candidate", {"candidate_id": f"hand-{key[:12]}"})
    assert one["source"] == NETWORK
    assert one["trials"][0]["metric"] == first["metric"]
    assert one["verdicts"][0]["valid"]


def test_novelty(pool: CallPool) -> None:
    pool.call("evaluate", {"source": NETWORK})
    key = pool.call("validate", {"source": NETWORK})["candidate_id"]
    same = pool.call("check_novelty", {"source": NETWORK.replace("self.head", "self.classifier")})
    assert (same["novel"], same["nearest"]) == (False, key)
    other = pool.call("generate", {"style": "mixer", "seed": 1})["networks"][0]["source"]
    new = pool.call("check_novelty", {"source": other})
    assert new["novel"]
    assert new["known"] >= 1
    alone = pool.call("check_novelty", {"candidate_id": key, "structural": False})
    assert alone["nearest"] != key
    with pytest.raises(ToolError, match="network"):
        pool.call("predict", {"source": NETWORK})


def test_duplicates_are_found(pool: CallPool) -> None:
    other = pool.call("generate", {"style": "mixer", "seed": 1})["networks"][0]["source"]
    found = pool.call("deduplicate", {"sources": [NETWORK, other, NETWORK + "\n\n"], "dataset": "digits"})
    assert (found["networks"], found["kept"]) == (3, 2)
    assert found["duplicates"][0]["key"] == "source-002"
    assert found["duplicates"][0]["duplicate_of"] == "source-000"


BLOCKS = '''
from torch import nn


class Gate(nn.Module):
    """Channel gate: weighs channels by a squeeze and an excitation."""

    def __init__(self, channels: int):
        super().__init__()
        self.weigh = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x * self.weigh(x.mean((2, 3), keepdim=True)).sigmoid()
'''


def test_blocks_are_mined_and_found(pool: CallPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "gatelib"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "gates.py").write_text(BLOCKS)
    monkeypatch.syspath_prepend(str(tmp_path))
    mined = pool.call("mine_blocks", {"package": "gatelib", "validate_blocks": False})
    assert (mined["blocks"], mined["failed"]) == (1, 0)
    hit = pool.call("search_blocks", {"query": "squeeze excitation channel gate"})["blocks"][0]
    assert hit["qualified"] == "gatelib.gates.Gate"
    assert "class Gate(nn.Module)" in pool.call("get_block", {"block": hit["id"]})["source"]


def test_no_campaign_yet(pool: CallPool) -> None:
    assert pool.call("list_campaigns", {}) == {"campaigns": []}


class Word(Arguments):
    """One word."""

    word: str


class Said(Result):
    """One word."""

    word: str


def test_calls_are_bounded_and_can_be_taken_back() -> None:
    tools, go = Registry(), threading.Event()

    @tools.tool(title="Say")
    def say(arguments: Word, context: Context) -> Said:
        """Say a word when it is time."""
        assert go.wait(60)
        return Said(word=arguments.word)

    @tools.tool(title="Break")
    def fault(arguments: Word, context: Context) -> Said:
        """Break."""
        raise KeyError("a secret")

    with CallPool(tools, SharedWith.__new__(SharedWith), at_once=1, most_waiting=2) as calls:
        calls.shared.close = lambda: None  # type: ignore[method-assign]
        taken_back = threading.Event()
        open_ones = [calls.submit("say", {"word": "a"}, threading.Event()) for _ in range(2)]
        late = calls.submit("say", {"word": "b"}, taken_back)
        with pytest.raises(TooBusy, match="3 calls are open"):
            calls.submit("say", {"word": "c"}, threading.Event())
        taken_back.set()
        go.set()
        assert [one.result(60) for one in open_ones] == [{"word": "a"}] * 2
        with pytest.raises(ToolError, match="cancelled"):
            late.result(60)
        with pytest.raises(ToolError, match="KeyError"):
            calls.call("fault", {"word": "d"})


def test_a_registry_refuses_names_that_are_taken() -> None:
    one = Registry()
    one.include(registry())
    with pytest.raises(ValueError, match="is in both registries"):
        one.include(registry())


def test_langchain_tools(netwright_home: Path, pool: CallPool) -> None:
    with JobBoard(netwright_home, dispatch=False) as board:
        tools = {tool.name: tool for tool in as_langchain_tools(registry(), board, pool.shared)}
        assert set(tools) == EXPECTED | {"submit_job", "job_status", "job_result", "cancel_job", "list_jobs"}
        made = tools["generate"].invoke({"count": 1, "max_params": 20_000})
        assert made["networks"][0]["params"] <= 20_000
        assert "either source or candidate_id" in tools["validate"].invoke({"dataset": "digits"})
        job = tools["submit_job"].invoke({"tool": "evaluate", "arguments": {"source": NETWORK}})
        assert tools["cancel_job"].invoke({"id": job["id"]})["state"] == "cancelled"
        assert "answers at once" in tools["submit_job"].invoke({"tool": "validate", "arguments": {}})
        assert "datset" in tools["evaluate"].invoke({"source": NETWORK, "datset": "digits"})


@pytest.mark.slow
def test_repair_and_design_with_a_scripted_model(module_home: Path, digits_sandbox: Sandbox) -> None:
    script = module_home / "answers.yaml"
    script.write_text(json.dumps({"order": "seed", "answers": [f"```python\n{NETWORK}```"]}))
    settings = ["model.name=scripted", f"model.path={script}", "campaign.hints=false", "sandbox.workers=1"]
    told: list[str] = []
    with SharedWith(digits_sandbox, settings) as shared:
        context = Context(shared, lambda done, total, message: told.append(message))
        mended = run_tool(registry()["repair"], {"source": BROKEN}, context)
        assert (mended["valid"], mended["by"], mended["tries"]) == (True, "repair", 1)
        assert mended["before"]["stage"] == "forward"
        assert mended["source"] == NETWORK
        assert mended["errors"][0].startswith("forward: RuntimeError")
        assert "round 1: mending" in told
        again = run_tool(registry()["repair"], {"source": BROKEN}, context)
        assert again == mended
        fine = run_tool(registry()["repair"], {"source": NETWORK}, context)
        assert (fine["by"], fine["tries"]) == ("generation", 0)

        asked = {"request": "a network for digits below 50k parameters", "candidates": 2}
        designed = run_tool(registry()["design"], asked, context)
        assert designed["found"]
        assert designed["source"] == NETWORK
        wrote = run_tool(registry()["query_records"], {"campaign": designed["run"]}, context)
        assert wrote["total"] == 1
        impossible = run_tool(registry()["repair"], {"source": NETWORK, "max_params": 10}, context)
        assert (impossible["valid"], impossible["by"]) == (False, "none")


@pytest.mark.slow
def test_a_campaign_from_start_to_stop(module_home: Path, digits_sandbox: Sandbox) -> None:
    script = module_home / "programs.yaml"
    script.write_text(json.dumps({"order": "seed", "answers": [f"```python\n{NETWORK}```"]}))
    with SharedWith(digits_sandbox, ["model.name=scripted", f"model.path={script}"]) as shared:
        context = Context(shared)
        asked = {"id": "tools-1", "cycles": 50, "candidates": 2, "tune": False, "train_limit": 64}
        started = run_tool(registry()["start_campaign"], asked, context)
        assert (started["id"], started["alive"]) == ("tools-1", True)
        with pytest.raises(ToolError, match="tools-1 exists"):
            run_tool(registry()["start_campaign"], asked, context)
        cycles = 0
        while not cycles:
            watched = run_tool(registry()["watch_campaign"], {"id": "tools-1", "wait_s": 30}, context)
            assert watched["standing"]["state"] in {"starting", "running"}, watched
            cycles = watched["standing"]["cycles"]
        assert watched["cycles"][0]["generated"] == 2
        run_tool(registry()["stop_campaign"], {"id": "tools-1", "reason": "seen enough"}, context)
        while watched["standing"]["alive"]:
            watched = run_tool(registry()["watch_campaign"], {"id": "tools-1", "wait_s": 30}, context)
        assert (watched["standing"]["state"], watched["standing"]["reason"]) == ("stopped", "seen enough")
        listed = run_tool(registry()["list_campaigns"], {}, context)["campaigns"]
        assert [one["id"] for one in listed] == ["tools-1"]


@pytest.mark.slow
def test_the_model_is_tuned(module_home: Path, digits_sandbox: Sandbox) -> None:
    told: list[str] = []
    with SharedWith(digits_sandbox) as shared:
        context = Context(shared, lambda done, total, message: told.append(message))
        asked = {"name": "short", "steps": 2, "skeletons": 8, "train_limit": 64}
        tuned = run_tool(registry()["tune"], asked, context)
        assert (tuned["adapter"], tuned["steps"]) == ("tuned/short", 2)
        assert (module_home / "tuned" / "short" / "adapter_config.json").is_file()
        assert any(one.startswith("step 2: reward") for one in told)
        with pytest.raises(ToolError, match="choose another name"):
            run_tool(registry()["tune"], asked, context)
