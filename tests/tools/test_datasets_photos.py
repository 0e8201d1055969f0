"""Data sets of image files, from small copies in torchvision's layouts and in folders of classes."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import numpy as np
import pytest
from netwright.tools import tasks
from netwright.tools.datasets import DatasetCorrupt, DatasetMissing, held_out_labels, how_to_get, on_disk, prepare
from netwright.tools.tasks import task_info
from PIL import Image


@pytest.fixture(autouse=True)
def _own_home_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_HOME", str(tmp_path / "home"))

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a data set was asked for over the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def shrunk(monkeypatch: pytest.MonkeyPatch):
    """Give a data set of the registry other counts."""

    def shrink(name: str, **changes: object) -> None:
        key = "".join(ch for ch in name if ch.isalnum())
        monkeypatch.setitem(tasks._BY_KEY, key, dataclasses.replace(task_info(name), **changes))

    return shrink


def photo(path: Path, seed: int, size: tuple[int, int]) -> None:
    """A smooth picture of (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path)


def classes_in(root: Path, names: list[str], train: int, test: int, test_folder: str = "val") -> None:
    for split, count in (("train", train), (test_folder, test)):
        for label, name in enumerate(names):
            for n in range(count):
                photo(root / split / name / f"{n}.jpeg", 100 * label + n, (200 + 10 * n, 160))


WNIDS = [f"n{n:08d}" for n in range(10)]


@pytest.mark.parametrize("test_folder", ["val", "test"])
def test_imagenette_from_a_folder_of_classes(shrunk, tmp_path: Path, test_folder: str) -> None:
    shrunk("imagenette", train_size=30, test_size=10)
    classes_in(tmp_path / "mine", WNIDS, 3, 1, test_folder)
    folder = prepare("imagenette", source=tmp_path / "mine")
    train_x, train_y = np.load(folder / "train_x.npy"), np.load(folder / "train_y.npy")
    assert (train_x.shape, train_x.dtype) == ((30, 3, 128, 128), np.uint8)
    assert train_y.tolist() == [label for label in range(10) for _ in range(3)]
    assert held_out_labels("imagenette").tolist() == list(range(10))
    assert sorted(path.name for path in folder.iterdir()) == ["test_x.npy", "train_x.npy", "train_y.npy"]
    (folder.parent / "labels" / "test_y.npy").unlink()
    again = prepare("imagenette", source=tmp_path / "mine")
    assert (np.load(again / "train_x.npy") == train_x).all()


def test_photographs_are_cut_as_torchvision_cuts_them(shrunk, tmp_path: Path) -> None:
    from torchvision.transforms import CenterCrop, Compose, Resize

    shrunk("imagenette", train_size=30, test_size=10)
    classes_in(tmp_path, WNIDS, 3, 1)
    stored = np.load(prepare("imagenette", source=tmp_path) / "train_x.npy")
    with Image.open(tmp_path / "train" / WNIDS[0] / "2.jpeg") as opened:
        wanted = np.asarray(Compose([Resize(128), CenterCrop(128)])(opened.convert("RGB"))).transpose(2, 0, 1)
    # One step instead of two differs by less than a pixel at the edge of the crop.
    assert np.abs(stored[2].astype(int) - wanted.astype(int)).mean() < 3


def test_imagenette_in_the_layout_of_torchvision_is_found_in_the_data_directory(shrunk, tmp_path: Path) -> None:
    shrunk("imagenette", train_size=20, test_size=10)
    assert on_disk("imagenette") is None
    downloads = tmp_path / "home" / "downloads" / "imagenette"
    classes_in(downloads / "imagenette2-320", WNIDS, 2, 1)
    assert str(downloads) in str(on_disk("imagenette"))
    assert np.load(prepare("imagenette") / "test_x.npy").shape == (10, 3, 128, 128)
    assert on_disk("imagenette") == "prepared in the data directory"


def celeba(root: Path) -> list[int]:
    """Six faces in the layout of torchvision: three for training, one unused, two for the test; who is male."""
    folder = root / "celeba"
    male, part = [1, -1, -1, 1, -1, 1], [0, 0, 0, 1, 2, 2]
    names = [f"{n:06d}.jpg" for n in range(1, 7)]
    for n, name in enumerate(names):
        photo(folder / "img_align_celeba" / name, n, (178, 218))

    def table(name: str, rows: list[str], header: str | None = None) -> None:
        lines = [str(len(rows)), header, *rows] if header else rows
        (folder / name).write_text("\n".join(str(line) for line in lines) + "\n")

    table("list_eval_partition.txt", [f"{n} {p}" for n, p in zip(names, part, strict=True)])
    table("identity_CelebA.txt", [f"{n} 1" for n in names])
    table("list_bbox_celeba.txt", [f"{n} 0 0 9 9" for n in names], "image_id x_1 y_1 width height")
    table("list_landmarks_align_celeba.txt", [f"{n} {' '.join('1' * 10)}" for n in names], "a b c d e f g h i j")
    table("list_attr_celeba.txt", [f"{n} -1 {m} 1" for n, m in zip(names, male, strict=True)], "Bald Male Young")
    return male


def test_celeba_is_labelled_by_the_attribute_male(shrunk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import CelebA

    celeba(tmp_path)
    # The tables are made up, so their MD5 sums cannot be those of the originals.
    monkeypatch.setattr(CelebA, "_check_integrity", lambda self: True)
    shrunk("celeba-gender", train_size=3, test_size=2)
    folder = prepare("celeba-gender", source=tmp_path)
    assert np.load(folder / "train_x.npy").shape == (3, 3, 64, 64)
    assert np.load(folder / "train_y.npy").tolist() == [1, 0, 0]
    assert held_out_labels("celeba-gender").tolist() == [0, 1]


def places(root: Path, train: int) -> None:
    """Three scenes in the layout of torchvision, with this many training images each."""
    names = ["/a/airfield", "/b/beach", "/c/cabin/outdoor"]
    (root / "categories_places365.txt").write_text("".join(f"{name} {at}\n" for at, name in enumerate(names)))
    lines, tests = [], []
    for label, name in enumerate(names):
        for n in range(train):
            photo(root / "data_256_standard" / name[1:] / f"{n:08d}.jpg", 50 * label + n, (256, 256))
            lines.append(f"{name}/{n:08d}.jpg {label}\n")
        photo(root / "val_256" / f"Places365_val_{label:08d}.jpg", label, (256, 256))
        tests.append(f"Places365_val_{label:08d}.jpg {label}\n")
    (root / "places365_train_standard.txt").write_text("".join(lines))
    (root / "places365_val.txt").write_text("".join(tests))


def test_places_keeps_some_images_of_each_class(shrunk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import Places365

    places(tmp_path, train=5)
    monkeypatch.setattr(Places365, "_check_integrity", lambda self, *args: True)
    shrunk("places365", classes=3, train_size=6, test_size=3, per_class=2)
    folder = prepare("places365", source=tmp_path)
    first = np.load(folder / "train_x.npy")
    assert first.shape == (6, 3, 64, 64)
    assert np.load(folder / "train_y.npy").tolist() == [0, 0, 1, 1, 2, 2]
    assert held_out_labels("places365").tolist() == [0, 1, 2]
    (folder / "train_x.npy").unlink()
    assert (np.load(prepare("places365", source=tmp_path) / "train_x.npy") == first).all()
    (folder / "train_x.npy").unlink()
    shrunk("places365", train_size=18, per_class=6)
    with pytest.raises(DatasetCorrupt, match="class 0 has 5 training images, expected at least 6"):
        prepare("places365", source=tmp_path)


def test_places_without_its_images_is_missing(shrunk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import Places365

    places(tmp_path, train=2)
    (tmp_path / "val_256").rename(tmp_path / "elsewhere")
    monkeypatch.setattr(Places365, "_check_integrity", lambda self, *args: True)
    shrunk("places365", classes=3, train_size=6, test_size=3, per_class=2)
    with pytest.raises(DatasetMissing, match="--download"):
        prepare("places365", source=tmp_path)


def test_copies_that_differ_from_the_registry_say_what_was_expected(shrunk, tmp_path: Path) -> None:
    classes_in(tmp_path / "few", WNIDS, 1, 1)
    with pytest.raises(DatasetCorrupt, match="10 training images with 10 labels, expected 9,469"):
        prepare("imagenette", source=tmp_path / "few")
    classes_in(tmp_path / "nine", WNIDS[:9], 1, 1)
    with pytest.raises(DatasetCorrupt, match="9 classes, Imagenette has 10"):
        prepare("imagenette", source=tmp_path / "nine")
    classes_in(tmp_path / "other", WNIDS, 1, 1)
    (tmp_path / "other" / "val" / WNIDS[0]).rename(tmp_path / "other" / "val" / "another")
    with pytest.raises(DatasetCorrupt, match="different names"):
        prepare("imagenette", source=tmp_path / "other")
    shrunk("imagenette", train_size=10, test_size=10)
    broken = tmp_path / "few" / "train" / WNIDS[3] / "0.jpeg"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(DatasetCorrupt, match=str(broken)):
        prepare("imagenette", source=tmp_path / "few")
    assert [path.name for path in (tmp_path / "home" / "data").iterdir()] == []


def test_grey_data_sets_can_come_from_folders_too(shrunk, tmp_path: Path) -> None:
    shrunk("mnist", train_size=20, test_size=10)
    for split, count in (("train", 2), ("test", 1)):
        for label in range(10):
            for n in range(count):
                path = tmp_path / split / str(label) / f"{n}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.full((28, 28), 20 * label + n, dtype=np.uint8)).save(path)
    stored = np.load(prepare("mnist", source=tmp_path) / "train_x.npy")
    assert stored.shape == (20, 1, 28, 28)
    assert stored[:, 0, 5, 5].tolist() == [20 * label + n for label in range(10) for n in range(2)]


@pytest.mark.parametrize("name", ["imagenette", "celeba-gender", "places365"])
def test_missing_photographs_say_how_to_get_them(name: str) -> None:
    with pytest.raises(DatasetMissing, match=r"not on disk.*downloads.*--download.*train/<class>") as caught:
        prepare(name)
    assert task_info(name).title in str(caught.value)
    assert how_to_get(name) in str(caught.value)
