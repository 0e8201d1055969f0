"""Data sets of image files of any size: read from torchvision's layout or from folders of classes, cut to one size.

Every image is cut to the largest centred rectangle of the stored shape and resized to it, bilinear with
anti-aliasing, as torchvision's ``Resize`` and ``CenterCrop`` do one after the other. There is nothing random in it,
so that every copy of the same files is the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from .dataset_sources import Array, DatasetCorrupt, Part
from .tasks import TaskInfo

Sample = tuple[str, int]
"""Path and label of an image."""
_TEST_FOLDERS = ("val", "test")
# Images that are decoded at a time: some tens of megabytes at the sizes that are stored.
_PIECE = 1024
_SUBSET_SEED = 0
# Torchvision's archives of Imagenette by their shorter side. The smallest is what a download fetches, since no more
# than 128 pixels are stored; the others are read where they are on disk already.
_IMAGENETTE = {"160px": "imagenette2-160", "320px": "imagenette2-320", "full": "imagenette2"}


def is_class_folder(root: Path) -> bool:
    """Is there ``train/`` and ``val/`` or ``test/``, each with folders in it?"""
    test = _test_folder(root)
    return test is not None and all(any(p.is_dir() for p in where.iterdir()) for where in (root / "train", test))


def from_class_folder(info: TaskInfo, root: Path) -> tuple[Part, Part]:
    """Splits of a folder with one subfolder per class, labelled by the sorted names of these.

    Raises:
        DatasetCorrupt: another number of classes, or classes that differ between the splits.
    """
    from torchvision.datasets import ImageFolder

    test = _test_folder(root)
    assert test is not None  # see is_class_folder
    try:
        found = [ImageFolder(str(where)) for where in (root / "train", test)]
    except OSError as error:
        raise DatasetCorrupt(f"{info.dataset}: {error}") from error
    for where in found:
        if len(where.classes) != info.classes:
            raise DatasetCorrupt(f"{where.root} has {len(where.classes)} classes, {info.title} has {info.classes}")
    if found[0].classes != found[1].classes:
        raise DatasetCorrupt(f"the classes in {found[0].root} and {found[1].root} have different names")
    return _parts(info, found[0].samples, found[1].samples)


def from_torchvision(info: TaskInfo, root: Path, download: bool) -> tuple[Part, Part]:
    """Splits by torchvision's loader.

    Raises:
        RuntimeError, OSError, ImportError: the files are not there, as torchvision says it.
    """
    if info.dataset == "imagenette":
        return _imagenette(info, root, download)
    read = _celeba if info.dataset == "celeba-gender" else _places
    return _parts(info, read(root, True, download), read(root, False, download))


def _imagenette(info: TaskInfo, root: Path, download: bool) -> tuple[Part, Part]:
    from torchvision.datasets import Imagenette

    found = next((name for name in _IMAGENETTE.values() if is_class_folder(root / name)), None)
    if found is None:
        # With the download, or with torchvision's word that nothing is there.
        for split in ("train", "val"):
            Imagenette(root, split=split, size="160px", download=download)
        found = _IMAGENETTE["160px"]
    return from_class_folder(info, root / found)


def _celeba(root: Path, train: bool, download: bool) -> list[Sample]:
    """CelebA's official training and test split, labelled by the attribute ``Male``; its validation split is unused."""
    from torchvision.datasets import CelebA

    loaded = CelebA(root, split="train" if train else "test", target_type="attr", download=download)
    folder = root / CelebA.base_folder / "img_align_celeba"
    labels = loaded.attr[:, loaded.attr_names.index("Male")].tolist()
    return [(str(folder / name), int(label)) for name, label in zip(loaded.filename, labels, strict=True)]


def _places(root: Path, train: bool, download: bool) -> list[Sample]:
    """Places365-Standard; its validation split is the test split here, since the labels of its own are secret."""
    from torchvision.datasets import Places365

    split = "train-standard" if train else "val"
    large = root / ("data_large_standard" if train else "val_large")
    # The images of 256 pixels are ample for what is stored, and what a download fetches.
    small = download or not large.is_dir()
    loaded = Places365(root, split=split, small=small, download=download)
    if not os.path.isdir(loaded.images_dir):
        raise FileNotFoundError(f"{loaded.images_dir} does not exist")
    return [(path, int(label)) for path, label in loaded.imgs if label is not None]


def _parts(info: TaskInfo, train: Sequence[Sample], test: Sequence[Sample]) -> tuple[Part, Part]:
    return _part(info, _subset(info, train)), _part(info, test)


def _subset(info: TaskInfo, samples: Sequence[Sample]) -> list[Sample]:
    """As many samples of each class as the registry says, drawn from the sorted ones by a fixed seed."""
    if info.per_class is None:
        return list(samples)
    rng = np.random.default_rng(_SUBSET_SEED)
    by_class: list[list[Sample]] = [[] for _ in range(info.classes)]
    for sample in sorted(samples):
        if not 0 <= sample[1] < info.classes:
            raise DatasetCorrupt(f"{info.dataset}: label {sample[1]} of {sample[0]}, expected 0…{info.classes - 1}")
        by_class[sample[1]].append(sample)
    chosen: list[Sample] = []
    for label, those in enumerate(by_class):
        if len(those) < info.per_class:
            raise DatasetCorrupt(
                f"{info.dataset}: class {label} has {len(those)} training images, expected at least {info.per_class}"
            )
        chosen += [those[at] for at in sorted(rng.choice(len(those), info.per_class, replace=False))]
    return chosen


def _part(info: TaskInfo, samples: Sequence[Sample]) -> Part:
    labels = np.array([label for _, label in samples], dtype=np.int64)
    return Part(len(samples), labels, lambda: _pieces(info, [path for path, _ in samples]))


def _pieces(info: TaskInfo, paths: Sequence[str]) -> Iterator[Array]:
    """Decoded images, a piece at a time, on all cores: Pillow decodes without Python's lock."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for at in range(0, len(paths), _PIECE):
            yield np.stack(list(pool.map(partial(_decode, info), paths[at : at + _PIECE])))


def _decode(info: TaskInfo, path: str) -> Array:
    """One image as uint8 (C, H, W)."""
    from PIL import Image, ImageOps

    channels, height, width = info.in_shape
    try:
        with Image.open(path) as opened:
            cut = ImageOps.fit(
                opened.convert("L" if channels == 1 else "RGB"), (width, height), Image.Resampling.BILINEAR
            )
    # What Pillow raises for damaged files is no one class.
    except Exception as error:
        raise DatasetCorrupt(f"{info.dataset}: cannot read {path}: {error}") from error
    pixels = np.asarray(cut, dtype=np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _test_folder(root: Path) -> Path | None:
    if not (root / "train").is_dir():
        return None
    return next((root / name for name in _TEST_FOLDERS if (root / name).is_dir()), None)
