"""Data sets on disk: images that a sandbox may hold, and test labels that it must never see.

``prepare`` writes a data set once below the data directory, as plain ``.npy`` files:

    data/<name>/images/train_x.npy        uint8 (N, C, H, W)
    data/<name>/images/train_y.npy        int64 (N,)
    data/<name>/images/test_x.npy         uint8 (M, C, H, W)
    data/<name>/images-64x64/…            the same three files, the images resized to 64 × 64
    data/<name>/labels/test_y.npy         int64 (M,), never mounted in a sandbox

Everything is written in pieces: no data set has to fit in memory while it is made.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..memory.home import home, home_folder
from .dataset_sources import DEBIAN_FASHION_MNIST, Array, DatasetCorrupt, DatasetMissing, Part, load, ways_to_get
from .tasks import TaskInfo, task_info

__all__ = [
    "DEBIAN_FASHION_MNIST",
    "DatasetCorrupt",
    "DatasetMissing",
    "DiskFull",
    "held_out_labels",
    "how_to_get",
    "label_sources",
    "on_disk",
    "prepare",
]

_IMAGE_FILES = ("train_x.npy", "train_y.npy", "test_x.npy")
# What one piece of a copy holds, in bytes of its larger side: small beside the memory of any machine.
_PIECE_BYTES = 64 * 2**20
_TRIES = 5
# What is left free on a disk that a copy is written to.
_SPARE_BYTES = 256 * 2**20


class DiskFull(RuntimeError):
    """A copy of a data set does not fit on the disk of the data directory."""


def prepare(
    dataset: str, download: bool = False, source: Path | None = None, size: tuple[int, int] | None = None
) -> Path:
    """Make a data set ready, once; later calls only look.

    Args:
        dataset: name of a known data set.
        download: may the network be used? Never without this.
        source: folder with the files of torchvision's loader, or with ``train/<class>/`` and ``val/<class>/`` (or
            ``test/<class>/``); default ``downloads/<name>`` in the data directory.
        size: (height, width) in pixels of a resized copy; default the data set's own.

    Returns:
        The folder of images and training labels, the only one that a sandbox may hold.

    Raises:
        UnknownDataset: with the list of known names.
        DatasetMissing: not on disk and ``download`` is false.
        DatasetCorrupt: shapes, types or counts differ from what the registry says.
        DiskFull: there is no room for it.
        ValueError: a size that is none.
    """
    info = task_info(dataset)
    if size is not None and min(size) < 1:
        raise ValueError(f"an image cannot have {size[0]} × {size[1]} pixels")
    final = home_folder("data") / info.dataset
    if not _complete(final):
        _write(final, info, *load(info, download, source))
    images = final / "images"
    return images if size is None or size == info.in_shape[1:] else _resized(images, info, size)


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
    folder = home() / "downloads" / info.dataset
    return f"files in {folder}" if folder.is_dir() and any(folder.iterdir()) else None


def how_to_get(dataset: str) -> str:
    """What a person can do to have a data set, in one line."""
    info = task_info(dataset)
    return "; or ".join(ways_to_get(info, home() / "downloads" / info.dataset))


def _complete(folder: Path) -> bool:
    return _whole(folder / "images") and (folder / "labels" / "test_y.npy").is_file()


def _whole(images: Path) -> bool:
    return all((images / name).is_file() for name in _IMAGE_FILES)


def _write(final: Path, info: TaskInfo, train: Part, test: Part) -> None:
    """Write beside the final place, then rename: a reader sees all of it or nothing."""
    train_y, test_y = _check(info, "training", train), _check(info, "test", test)
    _require_room(final.parent, info, (train.count + test.count) * math.prod(info.in_shape))
    with _beside(final) as part:
        (part / "images").mkdir()
        (part / "labels").mkdir()
        _save(part / "images" / "train_x.npy", info, (train.count, *info.in_shape), train.pieces())
        np.save(part / "images" / "train_y.npy", train_y)
        _save(part / "images" / "test_x.npy", info, (test.count, *info.in_shape), test.pieces())
        np.save(part / "labels" / "test_y.npy", test_y)
        _put(part, final, _complete)


def _resized(images: Path, info: TaskInfo, size: tuple[int, int]) -> Path:
    """The copy of one size, made when it is first asked for."""
    from .payload.transforms import resize  # here, because it imports torch

    final = images.with_name(f"images-{size[0]}x{size[1]}")
    if _whole(final):
        return final
    channels = info.in_shape[0]
    _require_room(images, info, (info.train_size + info.test_size) * channels * math.prod(size))
    with _beside(final) as part:
        for name in ("train_x.npy", "test_x.npy"):
            whole = np.load(images / name, mmap_mode="r", allow_pickle=False)
            step = max(1, _PIECE_BYTES // (channels * max(math.prod(size), math.prod(whole.shape[2:]))))
            made = (_resize_piece(resize, whole[at : at + step], size) for at in range(0, len(whole), step))
            _save(part / name, info, (len(whole), channels, *size), made)
        shutil.copyfile(images / "train_y.npy", part / "train_y.npy")
        _put(part, final, _whole)
    return final


def _resize_piece(resize: object, piece: Array, size: tuple[int, int]) -> Array:
    import torch

    made = resize(torch.from_numpy(np.array(piece)), size)  # type: ignore[operator]
    return np.asarray(made.numpy())


def _put(part: Path, final: Path, good: Callable[[Path], bool]) -> None:
    """Rename a folder to its final name, in the place of a broken copy if there is one."""
    for _ in range(_TRIES):
        try:
            os.rename(part, final)
            return
        except OSError:
            if good(final):
                return  # another process was faster
            # Aside first and then away: several processes may find the same broken copy.
            with _beside(final) as aside, suppress(FileNotFoundError):
                os.rename(final, aside / "broken")
    raise DatasetCorrupt(f"{final} is broken and cannot be replaced; remove it")


@contextmanager
def _beside(final: Path) -> Iterator[Path]:
    """A hidden folder beside the final one, gone at the end unless it was renamed."""
    part = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _save(path: Path, info: TaskInfo, shape: tuple[int, ...], pieces: Iterable[Array]) -> None:
    """Write an array of bytes piece by piece.

    As a stream and not as a memory map: on a full disk a stream is an error, a memory map the end of the process.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    written = 0
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for piece in pieces:
            if piece.dtype != np.uint8 or piece.shape[1:] != shape[1:]:
                raise DatasetCorrupt(
                    f"{info.dataset}: images are {piece.dtype} {piece.shape[1:]}, expected uint8 {shape[1:]}"
                )
            stream.write(np.ascontiguousarray(piece).data)
            written += len(piece)
    if written != shape[0]:
        raise DatasetCorrupt(f"{info.dataset}: {path.stem} has {written:,} images, expected {shape[0]:,}")


def _check(info: TaskInfo, which: str, part: Part) -> npt.NDArray[np.int64]:
    """A split's labels in their final type, compared with the registry.

    A number of images that differs is an error even where the labels fit: the results of a protocol compare only on
    the same images.
    """
    expected = info.train_size if which == "training" else info.test_size
    labels = np.ascontiguousarray(part.labels, dtype=np.int64)
    if part.count != expected or labels.shape != (expected,):
        raise DatasetCorrupt(
            f"{info.dataset}: {part.count:,} {which} images with {labels.size:,} labels, expected {expected:,}"
        )
    if labels.min() < 0 or labels.max() >= info.classes:
        raise DatasetCorrupt(f"{info.dataset}: {which} labels outside 0…{info.classes - 1}")
    return labels


def _require_room(folder: Path, info: TaskInfo, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + _SPARE_BYTES > free:
        raise DiskFull(
            f"{info.title} needs {needed / 2**30:.1f} GiB in {folder}, where {free / 2**30:.1f} GiB are free; "
            "make room, or name another folder by NETWRIGHT_HOME"
        )
