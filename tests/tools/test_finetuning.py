"""Tuning: which pairs come when, what is learned, and that the same inputs give the same weights."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from netwright.tools.finetuning import (
    LoraSettings,
    Message,
    TuneConfig,
    TuneProgress,
    TuneReport,
    TuningPair,
    check_tunable_here,
    plan_batches,
    rank_weights,
    tune,
)
from netwright.tools.pretraining.model import NanoShape, build_model, save_model
from netwright.tools.pretraining.tokenizer import train_tokenizer
from netwright.tools.pretraining.trainer import native_bf16
from netwright.tools.sampling import load_language_model
from netwright.tools.stopping import Stopped

PAIRS = [
    TuningPair.of(f"plain {i}", f"class Net:\n    def forward(self, x):\n        return x * {i % 3}\n", i / 20)
    for i in range(20)
]
OLD = [TuningPair.of(f"old {i}", f"class Net:\n    width = {i}\n") for i in range(8)]
SHORT = TuneConfig.embedded(steps=6, lora=LoraSettings(rank=4, alpha=8, dropout=0.1), lr=1e-2, warmup_steps=1)

RUN = """
import socket
import sys
from pathlib import Path

def watched(*args, **kwargs):
    Path(sys.argv[2] + ".network").write_text(str(args))
    raise OSError("no network here")

socket.socket.connect = socket.getaddrinfo = watched
from netwright.tools.finetuning import TuneConfig, TuningPair, tune
folder, out, config, pairs, old = sys.argv[1:]
import json
read = lambda text: [TuningPair.model_validate(item) for item in json.loads(text)]
tune(Path(folder), read(pairs), read(old), Path(out), config=TuneConfig.model_validate_json(config), seed=11)
"""

KILLED = """
import json
import os
import signal
import sys
from pathlib import Path

from netwright.tools import finetuning_checkpoints
from netwright.tools.finetuning import TuneConfig, TuningPair, tune

def kill(progress):
    if progress.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)

finetuning_checkpoints._EVERY_S = 0.0
folder, out, config, pairs, old = sys.argv[1:]
read = lambda text: [TuningPair.model_validate(item) for item in json.loads(text)]
tune(Path(folder), read(pairs), read(old), Path(out), config=TuneConfig.model_validate_json(config), seed=11,
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model of the nano model's kind, small enough for tests."""
    folder = tmp_path_factory.mktemp("base") / "tiny"
    texts = [f"{pair.prompt[0].content}\n{pair.completion}" for pair in PAIRS + OLD]
    tokenizer = train_tokenizer(texts, vocab_size=320)
    shape = NanoShape(hidden=32, intermediate=64, layers=2, heads=1)
    save_model(build_model(tokenizer, shape, 0), tokenizer, folder)
    return folder


@pytest.fixture(scope="module")
def tuned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TuneReport, list[TuneProgress]]:
    """An adapter, its report, and the progress that was told."""
    told: list[TuneProgress] = []
    out = tmp_path_factory.mktemp("adapters") / "first"
    report = tune(base, PAIRS, OLD, out, config=SHORT, seed=11, progress=told.append)
    return out, report, told


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()


def dumped(pairs: list[TuningPair]) -> str:
    return json.dumps([pair.model_dump() for pair in pairs])


class TestPlan:
    def test_every_batch_is_composed_as_asked(self) -> None:
        order = plan_batches(PAIRS, OLD, steps=10, batch=16, replay=4, weight="uniform", seed=0)
        assert len(order) == 160
        for start in range(0, 160, 16):
            step = order[start : start + 16]
            assert sum(pair in OLD for pair in step) == 4
            lengths = [len(pair.completion) for pair in step]
            assert lengths == sorted(lengths, reverse=True)

    def test_uniform_shows_every_pair_equally_often(self) -> None:
        order = plan_batches(PAIRS, [], steps=10, batch=8, replay=0, weight="uniform", seed=0)
        assert set(Counter(pair.prompt[0].content for pair in order).values()) == {4}

    def test_few_pairs_are_repeated(self) -> None:
        order = plan_batches(PAIRS[:2], OLD[:1], steps=2, batch=16, replay=4, weight="uniform", seed=0)
        assert Counter(pair.prompt[0].content for pair in order) == {"plain 0": 12, "plain 1": 12, "old 0": 8}

    def test_without_replay_pairs_the_batch_is_all_new(self) -> None:
        order = plan_batches(PAIRS, [], steps=2, batch=16, replay=4, weight="uniform", seed=0)
        assert all(pair in PAIRS for pair in order)

    def test_the_seed_decides(self) -> None:
        plan = {"steps": 3, "batch": 8, "replay": 2, "weight": "uniform"}
        first = plan_batches(PAIRS, OLD, seed=1, **plan)  # type: ignore[arg-type]
        assert plan_batches(PAIRS, OLD, seed=1, **plan) == first  # type: ignore[arg-type]
        assert plan_batches(PAIRS, OLD, seed=2, **plan) != first  # type: ignore[arg-type]

    def test_rank_shows_better_networks_more_often(self) -> None:
        order = plan_batches(PAIRS, [], steps=100, batch=8, replay=0, weight="rank", seed=0)
        count = Counter(pair.score for pair in order)
        better = sum(count[pair.score] for pair in PAIRS[10:])
        assert better > 1.8 * (800 - better)

    def test_rank_weights_follow_rank_and_ties_share(self) -> None:
        scored = [TuningPair.of("h", "c", score) for score in (0.9, 0.1, 0.5, 0.5)]
        best, worst, tied, also = rank_weights(scored)
        assert best > tied > worst > 0
        assert tied == also
        assert best / worst == pytest.approx(9.0)
        assert rank_weights(scored[:1]).tolist() == [1.0]

    def test_what_cannot_be_planned_is_refused(self) -> None:
        with pytest.raises(ValueError, match="nothing to tune on"):
            plan_batches([], OLD, steps=1, batch=8, replay=2, weight="uniform", seed=0)
        with pytest.raises(ValueError, match="no room"):
            plan_batches(PAIRS, OLD, steps=1, batch=4, replay=4, weight="uniform", seed=0)
        with pytest.raises(ValueError, match="needs a score"):
            plan_batches(OLD, [], steps=1, batch=4, replay=0, weight="rank", seed=0)


class TestConfig:
    def test_the_paper_setting(self) -> None:
        config = TuneConfig.paper_7b()
        assert (config.lora.rank, config.lora.dropout, len(config.lora.modules)) == (32, 0.05, 7)
        assert (config.epochs, config.batch, config.accumulation, config.warmup_steps) == (5, 1, 4, 20)
        assert config.planned_steps(1698) == 2123

    def test_a_tune_has_a_length(self) -> None:
        with pytest.raises(ValueError, match="set steps or epochs"):
            TuneConfig()

    @pytest.mark.parametrize(("pairs", "steps"), [(1, 2), (4, 6), (40, 40), (4000, 40)])
    def test_of_two_lengths_the_shorter_counts(self, pairs: int, steps: int) -> None:
        assert TuneConfig.embedded(epochs=20).planned_steps(pairs) == steps

    def test_presets_can_be_changed(self) -> None:
        assert TuneConfig.embedded(steps=7, lr=1e-3).planned_steps(500) == 7
        assert TuneConfig.smollm2(weight="rank").weight == "rank"
        with pytest.raises(ValueError, match="leaves no room"):
            TuneConfig.embedded(replay=16)

    @pytest.mark.skipif(native_bf16(), reason="this processor has bfloat16 instructions")
    def test_emulated_bfloat16_is_refused(self, base: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"tuning\.precision=fp32"):
            check_tunable_here(TuneConfig.embedded(precision="bf16"))
        with pytest.raises(ValueError, match=r"tuning\.precision=fp32"):
            tune(base, PAIRS, OLD, tmp_path / "out", config=TuneConfig.embedded(precision="bf16"), seed=0)

    def test_a_missing_optimizer_package_is_named(
        self, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("netwright.tools.finetuning.find_spec", lambda name: None)
        config = TuneConfig.embedded(optimizer="paged_adamw_8bit")
        with pytest.raises(ImportError, match=r"pip install 'netwright\[gpu\]'.*tuning\.optimizer"):
            check_tunable_here(config)
        with pytest.raises(ImportError, match="netwright"):
            tune(base, PAIRS, OLD, tmp_path / "out", config=config, seed=0)

    def test_what_the_cpu_can_do_is_let_through(self) -> None:
        for config in (TuneConfig.embedded(), TuneConfig.smollm2()):
            assert check_tunable_here(config) is None


class TestTune:
    def test_reports_what_it_did(self, tuned: tuple[Path, TuneReport, list[TuneProgress]]) -> None:
        out, report, told = tuned
        assert [each.step for each in told] == [1, 2, 3, 4, 5, 6]
        assert [each.loss for each in told] == report.losses
        assert (report.steps, report.pairs, report.replay_pairs) == (6, 20, 8)
        assert report.tokens > 6 * 16 * 10
        assert report.trainable > 0
        assert {path.name for path in out.iterdir()} == {
            "adapter_config.json",
            "adapter_model.safetensors",
            "tune.json",
        }
        assert TuneReport.model_validate_json((out / "tune.json").read_text()) == report

    def test_the_loss_falls(self, tuned: tuple[Path, TuneReport, list[TuneProgress]]) -> None:
        _, report, _ = tuned
        assert report.loss_last < report.loss_first - 0.1

    def test_the_adapter_holds_no_path(self, tuned: tuple[Path, TuneReport, list[TuneProgress]]) -> None:
        assert json.loads((tuned[0] / "adapter_config.json").read_text())["base_model_name_or_path"] == "tiny"

    def test_the_adapter_changes_samples(self, base: Path, tuned: tuple[Path, TuneReport, list[TuneProgress]]) -> None:
        model = load_language_model(base)
        prompts = [model.render([{"role": "user", "content": f"plain {i}"}]) for i in range(4)]
        before = model.complete(prompts, seed=1, max_new_tokens=16)
        model.swap_adapter(tuned[0])
        after = model.complete(prompts, seed=1, max_new_tokens=16)
        model.swap_adapter(None)
        assert after != before
        assert model.complete(prompts, seed=1, max_new_tokens=16) == before

    def test_a_used_process_and_a_fresh_one_give_the_same_weights(
        self, base: Path, tuned: tuple[Path, TuneReport, list[TuneProgress]], tmp_path: Path
    ) -> None:
        # This process has tuned before; sampling and drawing numbers come on top.
        load_language_model(base, tuned[0]).complete(["<bos>plain 1\n"], seed=3, max_new_tokens=8)
        torch.rand(3)
        random.random()
        np.random.rand()
        tune(base, PAIRS, OLD, tmp_path / "again", config=SHORT, seed=11)
        command = [sys.executable, "-c", RUN, str(base), str(tmp_path / "fresh")]
        # The hub may be reached as far as the environment goes, and still nothing asks for it.
        environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
        subprocess.run(
            [*command, SHORT.model_dump_json(), dumped(PAIRS), dumped(OLD)], check=True, timeout=280, env=environment
        )
        assert not (tmp_path / "fresh.network").exists()
        assert weights(tmp_path / "again") == weights(tmp_path / "fresh") == weights(tuned[0])

    def test_goes_on_from_an_adapter_and_leaves_the_process_as_it_was(
        self, base: Path, tuned: tuple[Path, TuneReport, list[TuneProgress]], tmp_path: Path
    ) -> None:
        threads = torch.get_num_threads()
        torch.manual_seed(5)
        state = torch.get_rng_state()
        kept = tmp_path / "kept"
        goes_on = {"config": SHORT, "seed": 12, "start_adapter": tuned[0], "checkpoints": kept}
        with warnings.catch_warnings(record=True) as warned, pytest.raises(Stopped):
            tune(base, PAIRS, OLD, tmp_path / "next", stopping=lambda: True, **goes_on)  # type: ignore[arg-type]
        assert not [one for one in warned if "config file" in str(one.message) or "remote" in str(one.message)]
        report = tune(base, PAIRS, OLD, tmp_path / "next", **goes_on)  # type: ignore[arg-type]
        assert torch.get_num_threads() == threads
        assert torch.equal(torch.get_rng_state(), state)
        assert report.loss_first < tuned[1].loss_first - 0.1
        assert weights(tmp_path / "next") != weights(tuned[0])

    def test_a_stopping_callback_ends_the_tune(self, base: Path, tmp_path: Path) -> None:
        threads = torch.get_num_threads()
        mapped: list[bool] = []

        def stop(progress: TuneProgress) -> None:
            mapped.append(str(base) in Path("/proc/self/maps").read_text())
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            tune(base, PAIRS, OLD, tmp_path / "out", config=SHORT, seed=0, progress=stop)
        assert torch.get_num_threads() == threads
        assert not (tmp_path / "out" / "adapter_config.json").exists()
        assert mapped == [False], "a folder that is written anew must not change a tune under way"

    def test_a_stopped_tune_goes_on_to_the_same_weights(
        self, base: Path, tuned: tuple[Path, TuneReport, list[TuneProgress]], tmp_path: Path
    ) -> None:
        kept, told = tmp_path / "kept", []
        for upto in (2, 4):  # stopped twice, at other steps
            with pytest.raises(Stopped, match=f"after {upto} of 6 steps"):
                tune(base, PAIRS, OLD, tmp_path / "out", config=SHORT, seed=11, checkpoints=kept,
                     progress=told.append, stopping=lambda upto=upto: len(told) >= upto - 1)  # fmt: skip
            assert not any((tmp_path / "out").iterdir())
        report = tune(base, PAIRS, OLD, tmp_path / "out", config=SHORT, seed=11, checkpoints=kept, progress=told.append)
        assert [each.step for each in told] == [1, 2, 3, 4, 5, 6]
        assert weights(tmp_path / "out") == weights(tuned[0])
        assert report.losses == tuned[1].losses
        assert report.seconds > report.seconds_training > 0

    def test_a_killed_tune_goes_on_to_the_same_weights(
        self, base: Path, tuned: tuple[Path, TuneReport, list[TuneProgress]], tmp_path: Path
    ) -> None:
        kept = tmp_path / "kept"
        killed = KILLED + f"progress=kill, checkpoints=Path({str(kept)!r}))"
        command = [sys.executable, "-c", killed, str(base), str(tmp_path / "out"), SHORT.model_dump_json()]
        done = subprocess.run([*command, dumped(PAIRS), dumped(OLD)], timeout=280)
        assert done.returncode == -signal.SIGKILL
        assert [path.name for path in kept.glob("checkpoint-*")] == ["checkpoint-4"]
        shutil.copytree(kept, tmp_path / "damaged")
        told: list[TuneProgress] = []
        tune(base, PAIRS, OLD, tmp_path / "out", config=SHORT, seed=11, checkpoints=kept, progress=told.append)
        assert [each.step for each in told] == [5, 6]
        assert weights(tmp_path / "out") == weights(tuned[0])
        (tmp_path / "damaged" / "checkpoint-4" / "optimizer.pt").unlink()
        with pytest.raises(Stopped):
            tune(base, PAIRS, OLD, tmp_path / "anew", config=SHORT, seed=11, checkpoints=tmp_path / "damaged",
                 progress=told.append, stopping=lambda: True)  # fmt: skip
        assert told[-1].step == 1, "what is not whole does not count"

    def test_a_full_disk_is_told_as_such_and_leaves_no_half(
        self, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*args: object) -> None:
            raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

        monkeypatch.setattr("transformers.Trainer._save_optimizer_and_scheduler", full)
        kept = tmp_path / "kept"
        with pytest.raises(OSError, match="no room for a checkpoint") as caught:
            tune(base, PAIRS, OLD, tmp_path / "out", config=SHORT, seed=11, checkpoints=kept, stopping=lambda: True)
        assert caught.value.errno == errno.ENOSPC
        assert not list(kept.glob("checkpoint-*"))

    def test_without_a_folder_nothing_is_kept(self, base: Path, tmp_path: Path) -> None:
        with pytest.raises(Stopped, match="after 1 of 6"):
            tune(base, PAIRS, OLD, tmp_path / "out", config=SHORT, seed=11, stopping=lambda: True)
        assert not any((tmp_path / "out").iterdir())

    def test_checkpoints_of_other_inputs_do_not_count(
        self, base: Path, tuned: tuple[Path, TuneReport, list[TuneProgress]], tmp_path: Path
    ) -> None:
        kept = tmp_path / "kept"
        with pytest.raises(Stopped):
            tune(base, PAIRS, OLD, tmp_path / "other", config=SHORT, seed=12, checkpoints=kept, stopping=lambda: True)
        told: list[TuneProgress] = []
        tune(base, PAIRS, OLD, tmp_path / "out", config=SHORT, seed=11, checkpoints=kept, progress=told.append)
        assert [each.step for each in told] == [1, 2, 3, 4, 5, 6]
        assert weights(tmp_path / "out") == weights(tuned[0])

    def test_what_cannot_be_tuned_is_refused(
        self, base: Path, tuned: tuple[Path, TuneReport, list[TuneProgress]], tmp_path: Path
    ) -> None:
        with pytest.raises(FileNotFoundError, match=r"config\.json is missing"):
            tune(tmp_path, PAIRS, OLD, tmp_path / "out", config=SHORT, seed=0)
        with pytest.raises(FileNotFoundError, match="no adapter"):
            tune(base, PAIRS, OLD, tmp_path / "out", config=SHORT, seed=0, start_adapter=base)
        with pytest.raises(ValueError, match="not empty"):
            tune(base, PAIRS, OLD, tuned[0], config=SHORT, seed=0)
        with pytest.raises(ValueError, match="nothing to tune on"):
            tune(base, [], OLD, tmp_path / "out", config=SHORT, seed=0)


def test_a_pair_is_a_conversation() -> None:
    pair = TuningPair(prompt=(Message(role="system", content="s"), Message(role="user", content="u")), completion="c")
    assert pair.row() == {
        "prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        "completion": [{"role": "assistant", "content": "c"}],
    }
    with pytest.raises(ValueError, match="at least 1"):
        TuningPair.of("header", "")
