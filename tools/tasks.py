"""The data sets that netwright knows, and what a network has to do on each."""

from __future__ import annotations

from dataclasses import dataclass

from ..memory.types import Task


class UnknownDataset(ValueError):
    """The named data set is not in the registry; the message lists those that are."""


@dataclass(frozen=True)
class TaskInfo:
    """One known data set.

    Attributes:
        dataset: canonical name.
        title: name for people and for prompts.
        in_shape: (channels, height, width) of one image as it is stored.
        classes: number of classes.
        mean, std: per channel, of the training split scaled to [0, 1].
        threshold: accuracy that a network must pass to be admitted to the corpus.
        train_size, test_size: number of images.
        photos: image files of any size, which are cut to ``in_shape`` once, when they are prepared.
        per_class: training images of each class that are kept, where not all of them are.
    """

    dataset: str
    title: str
    in_shape: tuple[int, int, int]
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    threshold: float
    train_size: int
    test_size: int
    photos: bool = False
    per_class: int | None = None

    @property
    def task(self) -> Task:
        """The classification task on this data set."""
        return Task(dataset=self.dataset, in_shape=self.in_shape, out_shape=(self.classes,))


_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

# Thresholds of CIFAR-10, CIFAR-100 and SVHN: "From Memorization to Creativity", section 3.1. The others are
# this project's own: high enough that most first-cycle networks fail, low enough that some pass. That of the
# digits is the 85 % quantile of the embedded model's corpus (docs/reports/corpus-digits.json), in two digits.
# Means and standard deviations are those of the training split, computed over all pixels of a channel; those of the
# photographs are ImageNet's, as is the custom for photographs (torchvision's own networks): nearly centred and of
# nearly unit spread is all that a network needs.
#
# Photographs are stored in one size, from which a transform resizes further. Imagenette in 128 pixels, since its
# classes need detail and its 13,394 images stay below 0.7 GB in the memory of a worker; the faces of CelebA, which are
# aligned, and Places365 in 64, where 182,732 and 109,500 images take 2.2 and 1.3 GB. Of Places365's 1,803,460 training
# images 200 of each class are kept: all of them would take 22 GB, and days for one epoch without a GPU.
_KNOWN = (
    TaskInfo(
        "digits", "handwritten digits", (1, 8, 8), 10, (0.3054,), (0.3760,), threshold=0.91,
        train_size=1437, test_size=360,
    ),
    TaskInfo(
        "mnist", "MNIST", (1, 28, 28), 10, (0.1307,), (0.3081,), threshold=0.97,
        train_size=60_000, test_size=10_000,
    ),
    TaskInfo(
        "fashion-mnist", "Fashion-MNIST", (1, 28, 28), 10, (0.2860,), (0.3530,), threshold=0.85,
        train_size=60_000, test_size=10_000,
    ),
    TaskInfo(
        "cifar10", "CIFAR-10", (3, 32, 32), 10, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616),
        threshold=0.40, train_size=50_000, test_size=10_000,
    ),
    TaskInfo(
        "cifar100", "CIFAR-100", (3, 32, 32), 100, (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762),
        threshold=0.20, train_size=50_000, test_size=10_000,
    ),
    TaskInfo(
        "svhn", "SVHN", (3, 32, 32), 10, (0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970),
        threshold=0.70, train_size=73_257, test_size=26_032,
    ),
    TaskInfo(
        "imagenette", "Imagenette", (3, 128, 128), 10, _IMAGENET_MEAN, _IMAGENET_STD,
        threshold=0.35, train_size=9_469, test_size=3_925, photos=True,
    ),
    TaskInfo(
        "celeba-gender", "CelebA-gender (attribute Male)", (3, 64, 64), 2, _IMAGENET_MEAN, _IMAGENET_STD,
        threshold=0.85, train_size=162_770, test_size=19_962, photos=True,
    ),
    TaskInfo(
        "places365", "Places365", (3, 64, 64), 365, _IMAGENET_MEAN, _IMAGENET_STD,
        threshold=0.03, train_size=73_000, test_size=36_500, photos=True, per_class=200,
    ),
)  # fmt: skip


def _key(name: str) -> str:
    """Spelling taken out: ``CIFAR-10``, ``cifar_10`` and ``Cifar 10`` are one name."""
    return "".join(ch for ch in name.casefold() if ch.isalnum())


_BY_KEY = {_key(info.dataset): info for info in _KNOWN}


def known_datasets() -> tuple[str, ...]:
    """Canonical names of all known data sets."""
    return tuple(info.dataset for info in _KNOWN)


def task_info(dataset: str) -> TaskInfo:
    """Everything known about a data set; case, hyphens and blanks in its name do not matter.

    Raises:
        UnknownDataset: with the list of known names.
    """
    info = _BY_KEY.get(_key(dataset))
    if info is None:
        shown = dataset if len(dataset) <= 60 else dataset[:60] + "…"
        raise UnknownDataset(f"unknown data set {shown!r}; known are: {', '.join(known_datasets())}")
    return info


def task(dataset: str) -> Task:
    """The task on a known data set.

    Raises:
        UnknownDataset: with the list of known names.
    """
    return task_info(dataset).task
