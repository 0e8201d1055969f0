"""Does GRPO on masked skeletons teach the embedded model to keep a request? Held-out skeletons before and after.

    python benchmarks/grpo.py [--resume]

Digits, a request for small networks, a short training for the reward, two cores. The header line that the embedded
model reads leaves the size open; a network that is too large is invalid. The same skeletons of small networks, held
out of the training, are filled in by the model before and after it, one answer each. Beside it plain sampling: the
untrained model goes on answering the same skeletons for as long as the training took. Writes
``docs/reports/grpo.json`` and the table of ``docs/grpo.md``; fails if the intervals overlap. ``build/bench-grpo``
keeps what was scored: ``--resume`` goes on there, with times that no longer count.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from netwright.agents.models.factory import NANO_FOLDER
from netwright.agents.seeds import derive_seed
from netwright.memory.records import Records
from netwright.memory.types import RequestLimits
from netwright.sandbox import open_sandbox
from netwright.tools.execution import Validator
from netwright.tools.generators.headers import ANY
from netwright.tools.grpo import GrpoConfig, GrpoReport, GrpoStep, GrpoTask, answer, train_grpo
from netwright.tools.pretraining.pipeline import packaged_corpus
from netwright.tools.pretraining.report import machine, versions
from netwright.tools.protocols import changed, protocol
from netwright.tools.rewards import Reward, Rewarder, summarise
from netwright.tools.sampling import LanguageModel, load_language_model
from netwright.tools.skeletons import Skeleton, mask_all, split
from netwright.tools.statistics import t_interval, wilson_interval
from netwright.tools.tasks import task_info
from netwright.tools.training import Evaluator, evaluation_image
from publish import between

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "bench-grpo"
OUT = ROOT / "docs" / "reports" / "grpo.json"
PAGE = ROOT / "docs" / "grpo.md"

TRAIN, HELD_OUT = 64, 160
LIMITS = RequestLimits(max_params=10_000)
# Ten steps of 32 images: the quick protocol of the digits, cut to what separates networks in a quarter of a second.
PROTOCOL = changed(protocol("digits-1ep"), name="digits-mini", train_limit=320, time_limit_s=5.0)


def skeletons(seed: int) -> tuple[list[Skeleton], list[Skeleton]]:
    """Skeletons to train on and held-out ones, of the corpus' programs for digits that keep the limits."""
    info, most = task_info("digits"), LIMITS.max_params or 0
    programs = [p for p in packaged_corpus() if p.header.in_shape == info.in_shape and p.header.classes == info.classes]
    programs = [p for p in programs if p.params <= most]
    random.Random(seed).shuffle(programs)
    pairs = ((replace(p.header, bucket=ANY).render(), p.source) for p in programs)
    return split(mask_all(pairs, most=2 * (TRAIN + HELD_OUT)), TRAIN, HELD_OUT, seed)


@contextmanager
def opened(config: GrpoConfig) -> Iterator[Rewarder]:
    """The reward on the digits, with records of its own."""
    WORK.mkdir(parents=True, exist_ok=True)
    with (
        open_sandbox("bubblewrap", evaluation_image(["digits"])) as sandbox,
        Records(f"sqlite:///{WORK / 'records.db'}") as records,
    ):
        yield Rewarder(
            Validator(sandbox),
            Evaluator(sandbox),
            records,
            task_info("digits").task,
            PROTOCOL,
            workers=sandbox.workers,
            config=config.reward,
            limits=LIMITS,
        )


def asked(
    model: LanguageModel, tasks: Sequence[GrpoTask], rewarder: Rewarder, config: GrpoConfig, seed: int
) -> list[Reward]:
    """Rewards of one answer to each task."""
    networks = answer(model, tasks, config=config, seed=seed)
    return rewarder.score([(task.skeleton, network) for task, network in zip(tasks, networks, strict=True)])


def train(tasks: list[GrpoTask], rewarder: Rewarder, config: GrpoConfig, seed: int) -> tuple[Path, GrpoReport]:
    """The adapter and its report; the finished one where there is one of this configuration."""
    folder, part, drawn = WORK / "adapter", WORK / "adapter.part", derive_seed(seed, "grpo", 1)
    if (folder / "grpo.json").is_file():
        known = GrpoReport.model_validate_json((folder / "grpo.json").read_bytes())
        if (known.config, known.seed, known.protocol) == (config, drawn, PROTOCOL.hash):
            return folder, known
    for old in (folder, part):
        shutil.rmtree(old, ignore_errors=True)

    def show(step: GrpoStep) -> None:
        r = step.rewards
        say(
            f"step {step.step}/{config.steps}: reward {r.reward:+.3f}, valid {r.valid:.2f}, "
            f"accuracy {r.accuracy or 0:.3f}, equal groups {step.equal_groups:.2f}, entropy {step.entropy:.2f}, "
            f"{step.seconds:.0f} s"
        )

    report = train_grpo(
        NANO_FOLDER,
        tasks,
        part,
        score=rewarder.score,
        protocol_hash=PROTOCOL.hash,
        config=config,
        seed=drawn,
        progress=show,
    )
    part.rename(folder)
    return folder, report


def figures(rewards: Sequence[Reward]) -> dict[str, Any]:
    """What is published of one side: means with 95 % intervals, and the parts."""
    totals = [one.total for one in rewards]
    accuracies = [one.accuracy for one in rewards if one.accuracy is not None]
    return {
        "reward": t_interval(totals)._asdict(),
        "valid": wilson_interval(sum(one.valid for one in rewards), len(rewards))._asdict(),
        "accuracy": t_interval(accuracies)._asdict(),
        "parts": summarise(rewards).model_dump(),
    }


def plain_sampling(
    model: LanguageModel, tasks: Sequence[GrpoTask], rewarder: Rewarder, config: GrpoConfig, seed: int, seconds: float
) -> dict[str, Any]:
    """The untrained model answers the held-out skeletons again and again, for as long as the training took."""
    started, rounds = time.perf_counter(), list[list[Reward]]()
    while not rounds or time.perf_counter() - started < seconds:
        rounds.append(asked(model, tasks, rewarder, config, derive_seed(seed, "plain", len(rounds))))
        say(f"plain sampling: {len(rounds)} answers to each skeleton")
    every = [one for rewards in rounds for one in rewards]
    best = [max(one.total for one in column) for column in zip(*rounds, strict=True)]
    return {
        **figures(every),
        "answers_each": len(rounds),
        "networks": len(every),
        "seconds": time.perf_counter() - started,
        "best_of_each": t_interval(best)._asdict(),
        "best_accuracy": max((one.accuracy for one in every if one.accuracy is not None), default=None),
    }


def table(document: dict[str, Any]) -> str:
    """The published table."""

    def cell(interval: dict[str, float]) -> str:
        return f"{interval['estimate']:.3f} ({interval['low']:.3f} … {interval['high']:.3f})"

    rows = [
        ("before", document["before"], HELD_OUT),
        ("after", document["after"], HELD_OUT),
        ("plain sampling, same time", document["plain"], document["plain"]["networks"]),
    ]
    lines = [
        "| held-out skeletons | answers | mean reward | valid rate | mean accuracy of trained |",
        "|---|---|---|---|---|",
    ]
    for name, side, count in rows:
        lines.append(
            f"| {name} | {count:,} | {cell(side['reward'])} | {cell(side['valid'])} | {cell(side['accuracy'])} |"
        )
    training, plain, config = document["training"], document["plain"], document["config"]
    lines += [
        "",
        f"Temperature {config['temperature']:g}, {config['steps']} steps of {config['skeletons']} × "
        f"{config['generations']} answers, learning rate {config['lr']:g}, seed {document['seed']}; protocol "
        f"`{document['protocol']['name']}` ({document['protocol']['train_limit']} images); valid is what keeps the "
        f"contract with at most {document['limits']['max_params']:,} parameters. The training took "
        f"{training['seconds'] / 60:.1f} minutes and scored {training['networks']:,} networks "
        f"({training['seconds_rewards'] / 60:.1f} minutes of it); the whole benchmark {document['seconds'] / 60:.1f}. "
        f"In the time of the training the untrained model wrote {plain['answers_each']} answers to each skeleton: the "
        f"best of each has a mean reward of {cell(plain['best_of_each'])}."
        + (" It was interrupted and gone on with: the times do not count." if document["resumed"] else ""),
    ]
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure, write the report and the table, say whether it gained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], help="a field of the preset, as name=value")
    parser.add_argument("--resume", action="store_true", help="go on with what build/bench-grpo holds")
    given = parser.parse_args()
    if not given.resume:
        shutil.rmtree(WORK, ignore_errors=True)
    started, seed = time.perf_counter(), given.seed
    changes = dict(item.split("=", 1) for item in given.set)
    config = GrpoConfig.embedded(**{name: yaml.safe_load(value) for name, value in changes.items()})
    train_on, held_out = skeletons(seed)
    tasks = [GrpoTask.completion(one) for one in held_out]
    with opened(config) as rewarder:
        base = load_language_model(NANO_FOLDER)
        before = asked(base, tasks, rewarder, config, derive_seed(seed, "held out"))
        say(f"before: {summarise(before)}")
        adapter, training = train([GrpoTask.completion(one) for one in train_on], rewarder, config, seed)
        tuned = load_language_model(NANO_FOLDER, adapter)
        after = asked(tuned, tasks, rewarder, config, derive_seed(seed, "held out"))
        say(f"after: {summarise(after)}")
        plain = plain_sampling(base, tasks, rewarder, config, seed, training.seconds)
    difference = t_interval([b.total - a.total for a, b in zip(before, after, strict=True)])
    document = {
        "seed": seed,
        "config": config.model_dump(mode="json"),
        "protocol": {**PROTOCOL.model_dump(), "hash": PROTOCOL.hash},
        "limits": LIMITS.model_dump(),
        "skeletons": {"train": TRAIN, "held_out": HELD_OUT},
        "before": figures(before),
        "after": figures(after),
        "difference": difference._asdict(),
        "plain": plain,
        "training": training.model_dump(mode="json", exclude={"config"}),
        "resumed": given.resume,
        "seconds": time.perf_counter() - started,
        "machine": machine() | {"versions": versions()},
    }
    OUT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    between(PAGE, "grpo", table(document))
    print(table(document))
    apart = all(document["before"][name]["high"] < document["after"][name]["low"] for name in ("reward", "valid"))
    print("gained: the intervals of reward and valid rate do not overlap" if apart else "NOT gained: intervals overlap")
    raise SystemExit(0 if apart else 1)


if __name__ == "__main__":
    main()
