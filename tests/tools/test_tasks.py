"""Known data sets and protocols."""

from __future__ import annotations

import pytest
from netwright.tools.protocols import default_protocol, known_protocols, protocol
from netwright.tools.tasks import UnknownDataset, known_datasets, task, task_info
from pydantic import ValidationError


def test_every_data_set_has_a_consistent_task() -> None:
    assert set(known_datasets()) == {"digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "svhn"}
    for name in known_datasets():
        info, made = task_info(name), task(name)
        assert made.in_shape == info.in_shape
        assert made.out_shape == (info.classes,)
        assert len(info.mean) == len(info.std) == info.in_shape[0]
        assert all(0 < value < 1 for value in (*info.mean, *info.std, info.threshold))


@pytest.mark.parametrize("spelling", ["CIFAR-10", "cifar_10", "Cifar 10", "cifar10"])
def test_spelling_does_not_matter(spelling: str) -> None:
    assert task(spelling).dataset == "cifar10"
    assert task(spelling).id == "img-classification_cifar10_accuracy"


def test_thresholds_of_the_paper() -> None:
    found = [task_info(name).threshold for name in ("cifar10", "cifar100", "svhn")]
    assert found == [0.40, 0.20, 0.70]


def test_unknown_data_set_lists_the_known_ones() -> None:
    with pytest.raises(UnknownDataset, match=r"'imaginary'.*digits.*cifar100"):
        task("imaginary")


def test_protocols_by_name_and_override() -> None:
    assert default_protocol("digits").name == "digits-1ep"
    assert default_protocol("SVHN").name == "lemur-1ep"
    plain, changed = protocol("lemur-1ep"), protocol("lemur-1ep", epochs=3)
    assert (plain.epochs, plain.batch, plain.lr, plain.momentum) == (1, 64, 0.01, 0.9)
    assert changed.epochs == 3
    assert changed.hash != plain.hash
    assert len({protocol(name).hash for name in known_protocols()}) == len(known_protocols())


def test_bad_protocols_are_refused() -> None:
    with pytest.raises(ValueError, match="known are: digits-1ep"):
        protocol("nothing")
    with pytest.raises(ValidationError):
        protocol("digits-1ep", epochs=0)
    with pytest.raises(ValidationError):
        protocol("digits-1ep", epoch=1)
    with pytest.raises(ValueError, match="unknown transform 'mirror'"):
        protocol("digits-1ep", transform="mirror")
