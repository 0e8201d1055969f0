"""Known data sets."""

from __future__ import annotations

import pytest
from netwright.tools.tasks import UnknownDataset, known_datasets, task, task_info


def test_every_data_set_has_a_consistent_task() -> None:
    small = {"digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "svhn"}
    photos = {"imagenette", "celeba-gender", "places365"}
    assert set(known_datasets()) == small | photos
    assert {name for name in known_datasets() if task_info(name).photos} == photos
    for name in known_datasets():
        info, made = task_info(name), task(name)
        assert made.in_shape == info.in_shape
        assert made.out_shape == (info.classes,)
        assert len(info.mean) == len(info.std) == info.in_shape[0]
        assert all(0 < value < 1 for value in (*info.mean, *info.std, info.threshold))
        assert info.per_class is None or info.train_size == info.per_class * info.classes
        # What a worker holds in memory, and what is on disk twice at most while it is made.
        assert (info.train_size + info.test_size) * info.in_shape[0] * info.in_shape[1] * info.in_shape[2] < 2.5e9


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
