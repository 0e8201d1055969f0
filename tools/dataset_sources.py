"""Where the images of a data set come from: a package's copy, torchvision's loaders, or a folder of classes."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..memory.home import home_folder
from .tasks import TaskInfo

Array = npt.NDArray[Any]
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts its files."""
_SPLIT_SEED = 0


class DatasetMissing(RuntimeError):
    """The data are not on disk and may not be downloaded; the message says how to get them."""


class DatasetCorrupt(RuntimeError):
    """The data on disk are not what they should be."""


@dataclass(frozen=True)
class Part:
    """One split of a data set.

    Attributes:
        count: number of images.
        labels: integers (count,).
        pieces: gives the images in order, as uint8 arrays (n, C, H, W).
    """

    count: int
    labels: Array
    pieces: Callable[[], Iterator[Array]]


def load(info: TaskInfo, download: bool, source: Path | None) -> tuple[Part, Part]:
    """Training and test split.

    Raises:
        DatasetMissing, DatasetCorrupt: see ``datasets.prepare``.
    """
    from . import dataset_photos

    if info.dataset == "digits":
        return _digits()
    if info.dataset == "fashion-mnist" and source is None and DEBIAN_FASHION_MNIST.is_dir():
        return _idx_folder(DEBIAN_FASHION_MNIST)
    root = source if source is not None else home_folder("downloads") / info.dataset
    if dataset_photos.is_class_folder(root):
        return dataset_photos.from_class_folder(info, root)
    if download:
        root.mkdir(parents=True, exist_ok=True)
    read = dataset_photos.from_torchvision if info.photos else _torchvision
    try:
        return read(info, root, download)
    # gdown, which one download needs, may be absent.
    except (RuntimeError, OSError, ImportError) as error:
        if isinstance(error, DatasetCorrupt):
            raise
        raise DatasetMissing(_missing(info, root, download, error)) from error


def ways_to_get(info: TaskInfo, root: Path) -> list[str]:
    """What a person can do to have a data set."""
    if info.dataset == "digits":
        return ["nothing to do: it is inside scikit-learn"]
    ways = [
        "allow the download (--download on the command line, prepare(…, download=True) in Python)",
        f"put the files of torchvision's loader, or folders train/<class>/ and val/<class>/, in {root}",
    ]
    if info.dataset == "fashion-mnist":
        ways.insert(0, "install the Debian package: apt-get install dataset-fashion-mnist")
    if info.dataset == "celeba-gender":
        ways[0] += ", which needs 'pip install gdown'"
    return ways


def whole(images: Array, labels: Array) -> Part:
    """A split that is in memory already."""
    return Part(len(images), labels, lambda: iter((images,)))


def _digits() -> tuple[Part, Part]:
    """Scikit-learn's 1,797 digits; values 0…16 become 0…255; one stratified split for ever."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    scaled = np.rint(images.reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    train_x, test_x, train_y, test_y = train_test_split(
        scaled, labels, test_size=360, stratify=labels, random_state=_SPLIT_SEED
    )
    return whole(train_x, train_y), whole(test_x, test_y)


def _idx_folder(folder: Path) -> tuple[Part, Part]:
    """The four files of MNIST and its relatives, in the idx format, gzipped."""

    def split(name: str) -> Part:
        images = _read_idx(folder / f"{name}-images-idx3-ubyte.gz")
        return whole(images[:, None], _read_idx(folder / f"{name}-labels-idx1-ubyte.gz"))

    return split("train"), split("t10k")


def _read_idx(path: Path) -> Array:
    """One idx file of bytes: magic 0x0000 08 <dimensions>, big-endian sizes, then the values."""
    try:
        with gzip.open(path, "rb") as stream:
            raw = stream.read()
    except (OSError, EOFError) as error:
        raise DatasetCorrupt(f"cannot read {path}: {error}; reinstall the package that holds it") from error
    if len(raw) < 16 or raw[:3] != b"\x00\x00\x08" or raw[3] not in (1, 3):
        raise DatasetCorrupt(f"{path} is not an idx file of bytes")
    header = 4 + 4 * raw[3]
    shape = tuple(int(n) for n in np.frombuffer(raw[4:header], dtype=">u4"))
    values = np.frombuffer(raw, dtype=np.uint8, offset=header)
    if values.size != int(np.prod(shape)):
        raise DatasetCorrupt(f"{path} holds {values.size} bytes of data, its header promises {shape}")
    return values.reshape(shape)


def _torchvision(info: TaskInfo, root: Path, download: bool) -> tuple[Part, Part]:
    """Data sets of small images, which torchvision holds in memory."""
    from torchvision import datasets as vision

    def split(train: bool) -> Part:
        if info.dataset == "svhn":
            svhn = vision.SVHN(root, split="train" if train else "test", download=download)
            return whole(np.asarray(svhn.data), np.asarray(svhn.labels))
        loaders: dict[str, Callable[..., Any]] = {
            "mnist": vision.MNIST,
            "fashion-mnist": vision.FashionMNIST,
            "cifar10": vision.CIFAR10,
            "cifar100": vision.CIFAR100,
        }
        loaded = loaders[info.dataset](root, train=train, download=download)
        return whole(_channels_first(np.asarray(loaded.data)), np.asarray(loaded.targets))

    return split(True), split(False)


def _channels_first(images: Array) -> Array:
    """(N, H, W) or (N, H, W, C) to (N, C, H, W)."""
    return images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)


def _missing(info: TaskInfo, root: Path, download: bool, error: Exception) -> str:
    if download:
        return (
            f"{info.title} could not be downloaded to {root}: {str(error)[:300]}; check the network, "
            "or put the files of torchvision's loader there"
        )
    looked = [str(root)]
    if info.dataset == "fashion-mnist":
        looked.insert(0, str(DEBIAN_FASHION_MNIST))
    ways = "; or ".join(ways_to_get(info, root))
    return f"{info.title} is not on disk (looked in {', '.join(looked)}); to get it, {ways}"
