"""Data sets on disk: images that a sandbox may hold, and test labels that it must never see.

``prepare`` writes a data set once below the data directory, as plain ``.npy`` files:

    data/<name>/images/train_x.npy   uint8 (N, C, H, W)
    data/<name>/images/train_y.npy   int64 (N,)
    data/<name>/images/test_x.npy    uint8 (M, C, H, W)
    data/<name>/labels/test_y.npy    int64 (M,), never mounted in a sandbox
"""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..memory.home import home_folder
from .tasks import TaskInfo, task_info

Array = npt.NDArray[np.generic]
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts its files."""
_IMAGE_FILES = ("train_x.npy", "train_y.npy", "test_x.npy")
_SPLIT_SEED = 0


class DatasetMissing(RuntimeError):
    """The data are not on disk and may not be downloaded; the message says how to get them."""


class DatasetCorrupt(RuntimeError):
    """The data on disk are not what they should be."""


@dataclass(frozen=True)
class _Arrays:
    train_x: Array
    train_y: Array
    test_x: Array
    test_y: Array


def prepare(dataset: str, download: bool = False, source: Path | None = None) -> Path:
    """Make a data set ready, once; later calls only look.

    Args:
        dataset: name of a known data set.
        download: may the network be used? Never without this.
        source: folder with the files of torchvision's loader; default ``downloads/<name>`` in the data
            directory.

    Returns:
        The folder of images and training labels, the only one that a sandbox may hold.

    Raises:
        UnknownDataset: with the list of known names.
        DatasetMissing: not on disk and ``download`` is false.
        DatasetCorrupt: shapes, types or counts differ from what the registry says.
    """
    info = task_info(dataset)
    final = home_folder("data") / info.dataset
    if not _complete(final):
        arrays = _check(info, _load(info, download, source))
        _write(final, arrays)
    return final / "images"


def held_out_labels(dataset: str) -> npt.NDArray[np.int64]:
    """The labels of a prepared data set's test split, int64 (M,). For the scoring process only."""
    folder = prepare(dataset).parent
    labels: npt.NDArray[np.int64] = np.load(folder / "labels" / "test_y.npy", allow_pickle=False)
    return labels


def label_sources() -> tuple[Path, ...]:
    """Folders outside the data directory that hold test labels of known data sets, for a sandbox to hide."""
    sklearn = find_spec("sklearn")
    bundled = (
        [Path(where) / "datasets" / "data" for where in (sklearn.submodule_search_locations or [])] if sklearn else []
    )
    return (*bundled, DEBIAN_FASHION_MNIST)


def on_disk(dataset: str) -> str | None:
    """Where a data set comes from on this machine without a download, ``None`` if from nowhere."""
    info = task_info(dataset)
    if _complete(home_folder("data") / info.dataset):
        return "prepared in the data directory"
    if info.dataset == "digits":
        return "inside scikit-learn"
    if info.dataset == "fashion-mnist" and DEBIAN_FASHION_MNIST.is_dir():
        return f"in {DEBIAN_FASHION_MNIST}"
    return None


def _complete(folder: Path) -> bool:
    images = all((folder / "images" / name).is_file() for name in _IMAGE_FILES)
    return images and (folder / "labels" / "test_y.npy").is_file()


def _write(final: Path, arrays: _Arrays) -> None:
    """Write beside the final place, then rename: a reader sees all of it or nothing."""
    part = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        (part / "images").mkdir()
        (part / "labels").mkdir()
        np.save(part / "images" / "train_x.npy", arrays.train_x)
        np.save(part / "images" / "train_y.npy", arrays.train_y)
        np.save(part / "images" / "test_x.npy", arrays.test_x)
        np.save(part / "labels" / "test_y.npy", arrays.test_y)
        try:
            os.rename(part, final)
        except OSError:
            # Another process was faster, or an earlier copy is incomplete.
            if not _complete(final):
                shutil.rmtree(final)
                os.rename(part, final)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _check(info: TaskInfo, raw: _Arrays) -> _Arrays:
    """Bring arrays to their final types and compare them with the registry."""
    made = _Arrays(
        train_x=np.ascontiguousarray(raw.train_x, dtype=np.uint8),
        train_y=np.ascontiguousarray(raw.train_y, dtype=np.int64),
        test_x=np.ascontiguousarray(raw.test_x, dtype=np.uint8),
        test_y=np.ascontiguousarray(raw.test_y, dtype=np.int64),
    )
    wanted = {
        "train_x": (info.train_size, *info.in_shape),
        "train_y": (info.train_size,),
        "test_x": (info.test_size, *info.in_shape),
        "test_y": (info.test_size,),
    }
    for name, shape in wanted.items():
        found = getattr(made, name)
        if found.shape != shape:
            raise DatasetCorrupt(f"{info.dataset}: {name} has shape {found.shape}, expected {shape}")
        if name.endswith("_y") and (found.min() < 0 or found.max() >= info.classes):
            raise DatasetCorrupt(f"{info.dataset}: {name} has labels outside 0…{info.classes - 1}")
    return made


def _load(info: TaskInfo, download: bool, source: Path | None) -> _Arrays:
    if info.dataset == "digits":
        return _digits()
    if info.dataset == "fashion-mnist" and source is None and DEBIAN_FASHION_MNIST.is_dir():
        return _idx_folder(DEBIAN_FASHION_MNIST)
    root = source if source is not None else home_folder("downloads") / info.dataset
    return _torchvision(info, root, download)


def _digits() -> _Arrays:
    """Scikit-learn's 1,797 digits; values 0…16 become 0…255; one stratified split for ever."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    scaled = np.rint(images.reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    train_x, test_x, train_y, test_y = train_test_split(
        scaled, labels, test_size=360, stratify=labels, random_state=_SPLIT_SEED
    )
    return _Arrays(train_x, train_y, test_x, test_y)


def _idx_folder(folder: Path) -> _Arrays:
    """The four files of MNIST and its relatives, in the idx format, gzipped."""
    return _Arrays(
        train_x=_read_idx(folder / "train-images-idx3-ubyte.gz")[:, None],
        train_y=_read_idx(folder / "train-labels-idx1-ubyte.gz"),
        test_x=_read_idx(folder / "t10k-images-idx3-ubyte.gz")[:, None],
        test_y=_read_idx(folder / "t10k-labels-idx1-ubyte.gz"),
    )


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


def _torchvision(info: TaskInfo, root: Path, download: bool) -> _Arrays:
    from torchvision import datasets as vision

    def split(train: bool) -> tuple[Array, Array]:
        if info.dataset == "svhn":
            svhn = vision.SVHN(root, split="train" if train else "test", download=download)
            return np.asarray(svhn.data), np.asarray(svhn.labels)
        loaders: dict[str, Callable[..., object]] = {
            "mnist": vision.MNIST,
            "fashion-mnist": vision.FashionMNIST,
            "cifar10": vision.CIFAR10,
            "cifar100": vision.CIFAR100,
        }
        loaded = loaders[info.dataset](root, train=train, download=download)
        return _channels_first(np.asarray(loaded.data)), np.asarray(loaded.targets)  # type: ignore[attr-defined]

    if download:
        root.mkdir(parents=True, exist_ok=True)
    try:
        (train_x, train_y), (test_x, test_y) = split(True), split(False)
    except (RuntimeError, OSError) as error:
        raise DatasetMissing(_how_to_get(info, root, download, error)) from error
    return _Arrays(train_x, train_y, test_x, test_y)


def _channels_first(images: Array) -> Array:
    """(N, H, W) or (N, H, W, C) to (N, C, H, W)."""
    return images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)


def _how_to_get(info: TaskInfo, root: Path, download: bool, error: Exception) -> str:
    if download:
        return (
            f"{info.title} could not be downloaded to {root}: {str(error)[:300]}; check the network, "
            "or put the files of torchvision's loader there"
        )
    looked = [str(root)]
    ways = [
        "allow the download (--download on the command line, prepare(…, download=True) in Python)",
        f"put the files of torchvision's loader in {root}",
    ]
    if info.dataset == "fashion-mnist":
        looked.insert(0, str(DEBIAN_FASHION_MNIST))
        ways.insert(0, "install the Debian package: apt-get install dataset-fashion-mnist")
    return f"{info.title} is not on disk (looked in {', '.join(looked)}); to get it, {'; or '.join(ways)}"
