"""Preparing data sets on disk; nothing here may use the network."""

from __future__ import annotations

import gzip
import pickle
import shutil
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from netwright.memory.home import home_folder
from netwright.tools import dataset_sources, datasets
from netwright.tools.datasets import DatasetCorrupt, DatasetMissing, DiskFull, held_out_labels, prepare
from netwright.tools.tasks import UnknownDataset, task_info


@pytest.fixture(autouse=True)
def _own_home_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_HOME", str(tmp_path / "home"))

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a data set was asked for over the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_digits_are_split_once_and_for_ever() -> None:
    folder = prepare("digits")
    train_x, train_y = np.load(folder / "train_x.npy"), np.load(folder / "train_y.npy")
    test_x, test_y = np.load(folder / "test_x.npy"), held_out_labels("digits")
    assert (train_x.shape, train_x.dtype) == ((1437, 1, 8, 8), np.uint8)
    assert (test_x.shape, test_y.shape) == ((360, 1, 8, 8), (360,))
    assert (train_y.dtype, test_y.dtype) == (np.int64, np.int64)
    assert (train_x.min(), train_x.max()) == (0, 255)
    # Stratified: the shares of a class in both parts differ by less than one image in a hundred.
    shares = np.bincount(train_y) / 1437 - np.bincount(test_y) / 360
    assert np.abs(shares).max() < 0.01
    assert not {image.tobytes() for image in test_x} & {image.tobytes() for image in train_x}
    scaled = train_x / 255
    assert scaled.mean() == pytest.approx(task_info("digits").mean[0], abs=1e-4)
    assert scaled.std() == pytest.approx(task_info("digits").std[0], abs=1e-4)


def test_test_labels_lie_outside_the_folder_that_a_sandbox_gets() -> None:
    folder = prepare("digits")
    assert sorted(path.name for path in folder.rglob("*")) == ["test_x.npy", "train_x.npy", "train_y.npy"]
    assert (folder.parent / "labels" / "test_y.npy").is_file()


def test_prepared_data_are_not_written_again() -> None:
    folder = prepare("digits")
    before = (folder / "train_x.npy").stat().st_mtime_ns
    assert prepare("DIGITS") == folder
    assert (folder / "train_x.npy").stat().st_mtime_ns == before


def test_two_at_a_time_and_a_broken_copy_end_whole(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(prepare, ["digits"] * 4))
    assert len(folders) == 1
    (folders.pop() / "train_y.npy").unlink()
    assert np.load(prepare("digits") / "train_y.npy").shape == (1437,)
    assert [path.name for path in (tmp_path / "home" / "data").iterdir()] == ["digits"]


def test_missing_data_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dataset_sources, "DEBIAN_FASHION_MNIST", tmp_path / "absent")
    for name in ("cifar10", "cifar100", "svhn", "mnist", "fashion-mnist"):
        with pytest.raises(DatasetMissing, match=r"not on disk.*downloads.*--download") as caught:
            prepare(name)
        assert task_info(name).title in str(caught.value)
    assert "apt-get install dataset-fashion-mnist" in str(caught.value)
    with pytest.raises(UnknownDataset):
        prepare("imaginary")


def _idx(path: Path, values: np.ndarray) -> None:
    header = b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes(), compresslevel=0))


def test_fashion_mnist_from_idx_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60_000, 28, 28), dtype=np.uint8)
    _idx(tmp_path / "train-images-idx3-ubyte.gz", images)
    _idx(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(60_000) % 10)
    _idx(tmp_path / "t10k-images-idx3-ubyte.gz", images[:10_000])
    _idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.arange(10_000) % 10)
    monkeypatch.setattr(dataset_sources, "DEBIAN_FASHION_MNIST", tmp_path)
    found = np.load(prepare("fashion-mnist") / "train_x.npy")
    assert found.shape == (60_000, 1, 28, 28)
    assert (found[:, 0] == images).all()


def test_damaged_files_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dataset_sources, "DEBIAN_FASHION_MNIST", tmp_path)
    with pytest.raises(DatasetCorrupt, match="train-images"):
        prepare("fashion-mnist")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x01" + b"\1" * 12))
    with pytest.raises(DatasetCorrupt, match="promises"):
        prepare("fashion-mnist")


def test_cifar_from_a_folder_of_torchvision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from torchvision.datasets import CIFAR10

    folder = tmp_path / CIFAR10.base_folder
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, _ in CIFAR10.train_list + CIFAR10.test_list:
        pixels = rng.integers(0, 256, (10_000, 3072), dtype=np.uint8)
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": [i % 10 for i in range(10_000)]}))
    (folder / CIFAR10.meta["filename"]).write_bytes(pickle.dumps({"label_names": [str(i) for i in range(10)]}))
    # The files are made up, so torchvision's check of their MD5 sums cannot pass.
    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *args: True)
    images = np.load(prepare("cifar10", source=tmp_path) / "test_x.npy")
    assert images.shape == (10_000, 3, 32, 32)
    assert (images.reshape(10_000, -1) == pixels).all()
    assert held_out_labels("cifar10").max() == 9


def test_resized_copies_lie_beside_the_original_and_are_made_once() -> None:
    from torchvision.transforms.v2 import functional

    folder = prepare("digits")
    copy = prepare("digits", size=(16, 12))
    assert copy == folder.parent / "images-16x12"
    assert sorted(path.name for path in copy.iterdir()) == ["test_x.npy", "train_x.npy", "train_y.npy"]
    for name, count in (("train_x.npy", 1437), ("test_x.npy", 360)):
        made, original = np.load(copy / name), torch.from_numpy(np.load(folder / name))
        assert (made.shape, made.dtype) == ((count, 1, 16, 12), np.uint8)
        assert (made == functional.resize(original, [16, 12], antialias=True).numpy()).all()
    assert (np.load(copy / "train_y.npy") == np.load(folder / "train_y.npy")).all()
    before = (copy / "train_x.npy").stat().st_mtime_ns
    assert prepare("digits", size=(16, 12)) == copy
    assert (copy / "train_x.npy").stat().st_mtime_ns == before
    assert sorted(path.name for path in folder.parent.iterdir()) == ["images", "images-16x12", "labels"]


def test_a_copy_of_its_own_size_is_the_original() -> None:
    assert prepare("digits", size=(8, 8)) == prepare("digits")
    with pytest.raises(ValueError, match="cannot have 0 × 8"):
        prepare("digits", size=(0, 8))


def test_copies_are_made_in_pieces_and_two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.load(prepare("digits", size=(10, 10)) / "train_x.npy")
    monkeypatch.setattr(datasets, "_PIECE_BYTES", 100 * 100)
    (home_folder("data") / "digits" / "images-10x10" / "train_y.npy").unlink()
    with ThreadPoolExecutor(3) as pool:
        copies = set(pool.map(lambda _: prepare("digits", size=(10, 10)), range(3)))
    assert len(copies) == 1
    assert (np.load(copies.pop() / "train_x.npy") == whole).all()


def test_a_copy_that_does_not_fit_is_refused_before_it_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepare("digits")
    # 1,797 images of 1,024 × 1,024 bytes are 1.8 GiB.
    monkeypatch.setattr(datasets, "_SPARE_BYTES", shutil.disk_usage(folder).free - 2**30)
    with pytest.raises(DiskFull, match=r"needs 1\.8 GiB in .* where .* GiB are free; make room"):
        prepare("digits", size=(1024, 1024))
    assert sorted(path.name for path in folder.parent.iterdir()) == ["images", "labels"]
