"""Training protocols by name."""

from __future__ import annotations

import pytest
from netwright.memory.types import Protocol
from netwright.tools.protocols import changed, check_fits, default_protocol, known_protocols, protocol, source_of
from netwright.tools.tasks import task_info
from pydantic import ValidationError


def test_published_protocols_keep_their_hashes() -> None:
    """Results on record are found by these."""
    pinned = {"digits-1ep": "be39b65dd2b4", "lemur-1ep": "7e920648a086", "lemur-quick": "639d25086c80"}
    assert {name: protocol(name).hash for name in pinned} == pinned


def test_every_protocol_has_a_hash_of_its_own_and_a_source() -> None:
    made = [protocol(name) for name in known_protocols()]
    assert [p.name for p in made] == list(known_protocols())
    assert len({p.hash for p in made}) == len(made)
    assert all(source_of(p.name) for p in made)
    assert {"lemur-1ep", "fsap", "fractal-5ep", "transform-1ep", "rl-mini-epoch", "ga-1ep"} <= set(known_protocols())


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("lemur-1ep", {"epochs": 1, "batch": 64, "lr": 0.01, "momentum": 0.9, "precision": "fp32"}),
        ("fsap", {"epochs": 1, "batch": 64, "lr": 0.01, "momentum": 0.9}),
        ("fractal-5ep", {"epochs": 5, "batch": 16, "lr": 0.01, "momentum": 0.9, "transform": "norm_flip"}),
        ("fractal-5ep", {"prm": {"dropout": 0.2}, "precision": "auto"}),
        ("transform-1ep", {"epochs": 1, "batch": 64, "lr": 0.01, "momentum": 0.9, "prm": {"dropout": 0.2}}),
        ("moe-50ep", {"epochs": 50, "batch": 128, "lr": 0.01, "momentum": 0.9}),
        ("lemur-rungs", {"rungs": (5_000, 20_000), "train_limit": None}),
    ],
)
def test_constants_of_the_papers(name: str, constants: dict[str, object]) -> None:
    made = protocol(name).model_dump()
    assert {key: made[key] for key in constants} == constants


def test_default_protocols() -> None:
    assert default_protocol("digits").name == "digits-1ep"
    assert default_protocol("SVHN").name == "lemur-1ep"


@pytest.mark.parametrize(
    "override",
    [
        {"epochs": 3},
        {"transform": "norm_64_flip"},
        {"transform": "RandomCrop(32, padding=4) RandomHorizontalFlip()"},
        {"prm": {"dropout": 0.3}},
        {"precision": "auto"},
        {"rungs": (1_000, 2_000)},
        {"rungs": [1_000, 2_000]},
    ],
)
def test_each_override_changes_the_hash_and_nothing_else(override: dict[str, object]) -> None:
    plain, made = protocol("lemur-1ep"), protocol("lemur-1ep", **override)
    assert made.hash != plain.hash
    differ = {key for key, value in made.model_dump().items() if value != plain.model_dump()[key]}
    assert differ == set(override)
    assert Protocol.model_validate_json(made.model_dump_json()).hash == made.hash
    assert changed(plain, **override) == made


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ({"transform": "mirror"}, "unknown transform 'mirror'"),
        ({"prm": {"lr": 0.1}}, "set the protocol's own field"),
        ({"prm": {"batch": 16}}, "set the protocol's own field"),
        ({"prm": {"dropout": float("nan")}}, "finite numbers: dropout"),
        ({"rungs": (5_000, 2_000)}, "that grow"),
        ({"rungs": (5_000, 5_000)}, "that grow"),
        ({"rungs": (0, 5_000)}, "that grow"),
        ({"rungs": (5_000,), "train_limit": 5_000}, "rungs must be smaller"),
    ],
)
def test_bad_overrides_say_why(override: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        protocol("lemur-1ep", **override)


def test_bad_protocols_are_refused() -> None:
    for ask in (protocol, source_of):
        with pytest.raises(ValueError, match="known are: digits-1ep"):
            ask("nothing")
    for wrong in ({"epochs": 0}, {"epoch": 1}, {"precision": "fp8"}):
        with pytest.raises(ValidationError):
            protocol("digits-1ep", **wrong)


def test_rungs_must_fit_the_data_set() -> None:
    check_fits(protocol("lemur-rungs"), task_info("cifar10"))
    check_fits(protocol("lemur-1ep"), task_info("digits"))
    with pytest.raises(ValueError, match="rung of 20,000 samples, but the whole training has 1,437"):
        check_fits(protocol("lemur-rungs"), task_info("digits"))
