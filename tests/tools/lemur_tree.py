"""A tree in the layout of the LEMUR data set: networks in every variant of the contract, and much that is broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .frames import FRAMES, SOURCES

HAND = ("AlexNet", "ResNet", "FractalNet")
VARIANTS = sorted(Path(__file__).parents[1].joinpath("data", "variants").glob("*.py"))
ACC = "class Accuracy:\n    pass\n\ndef create_metric(out_shape=None):\n    return Accuracy()\n"
NORM = "import torchvision.transforms as transforms\n\ndef transform(norm):\n    return transforms.Compose([])\n"
TRAP = "raise SystemExit('an import runs nothing of what it reads')\n"


def networks() -> dict[str, str]:
    """Names and sources of what must be imported."""
    found = {f"alt-nn3-{number:032x}": FRAMES[name].source(SOURCES["resnet"]) for number, name in enumerate(FRAMES)}
    found |= {path.stem.replace("_", "-"): path.read_text() for path in VARIANTS}
    found |= {name: f"# {name}\n{TRAP}" for name in HAND}
    return found | {"Under_Score": f"{TRAP}# its name has an underscore\n"}


def record(accuracy: Any = 0.5, **changes: Any) -> dict[str, Any]:
    """One record as LEMUR writes them."""
    base = {"accuracy": accuracy, "batch": 64, "duration": 10**9, "lr": 0.01, "momentum": 0.9}
    return base | {"transform": "norm_64", "uid": f"{abs(hash(str(accuracy))):032x}"} | changes


GOOD: dict[str, list[dict[str, Any]]] = {
    "img-classification_cifar-10_acc_ResNet/1.json": [record(0.41), record(0.62, lr=0.1, dropout=0.2)],
    "img-classification_cifar-10_acc_ResNet/2.json": [record(0.71, duration=2 * 10**9)],
    "img-classification_celeba-gender_acc_AlexNet/1.json": [record(0.9, transform="echo_32_flip")],
    f"img-classification_cifar-10_acc_alt-nn3-{2:032x}/1.json": [record(0.62)],
    "img-captioning_coco_bleu,meteor,cider_FractalNet/3.json": [
        record(0.25, metric_bleu=0.25, train_stat={"train_loss": 1.0}, epoch_max=3, model="FractalNet")
    ],
    "age-regression_utk_face_acc_plain/1.json": [record(0.3, duration=None)],
    "img-classification_cifar-10_acc_Under_Score/1.json": [record(0.2, transform="default")],
}
BROKEN: dict[str, Any] = {
    "RESULTS_RLFN/1.json": [record()],
    "img-classification_cifar-10_acc_Missing/1.json": [record()],
    "img-classification_cifar-10_acc_Broken/1.json": [record()],
    "img-classification_cifar-10_acc_ResNet/1_backup.json": [record()],
    "img-classification_cifar-10_acc_ResNet/0.json": [record()],
    "img-classification_cifar-10_acc_ResNet/3.json": "[{",
    "img-classification_cifar-10_acc_ResNet/4.json": {"accuracy": 0.5},
    "img-classification_cifar-10_acc_ResNet/5.json": "[" * 100_000,
    "img-classification_cifar-10_acc_ResNet/6.json": [
        7,
        {"batch": 64},
        record(float("nan")),
        record("0.5"),
        record(True),
        record(28.8),
        record(-0.1),
        record(transform="no-such-transform"),
        record(duration=-5),
        record(lr=float("inf")),
        record(note="x" * 5000),
        record(0.77),
    ],
    "img-classification_cifar-10_acc_ResNet/notes.txt": "no record",
}
REASONS = {
    "nn/Broken.py": "does not parse",
    "nn/Empty.py": "is empty",
    "nn/Binary.py": "null byte",
    "nn/Latin.py": "not UTF-8",
    "nn/Link.py": "a symbolic link",
    "nn/Huge.py": "more than",
    "nn/Folder.py": "not an ordinary file",
    "stat/train/Linked_a_b_ResNet": "a symbolic link",
    "stat/train/stray.json": "not in a folder of records",
    "stat/train/RESULTS_RLFN": "is not <task>_<dataset>_<metric>_<nn>",
    "stat/train/img-classification_cifar-10_acc_Missing": "nn/Missing.py is missing",
    "stat/train/img-classification_cifar-10_acc_Broken": "nn/Broken.py is missing, or was left out",
    "stat/nn/AlexNet.json": "broken JSON",
}
IN_RESNET = {
    "1_backup.json": "not the number of an epoch",
    "0.json": "not the number of an epoch",
    "3.json": "broken JSON",
    "4.json": "not a list of records",
    "5.json": "broken JSON",
    "notes.txt": "no JSON file",
    "6.json#1": "not an object",
    "6.json#2": "no accuracy",
    "6.json#3": "not a finite number",
    "6.json#4": "not a finite number",
    "6.json#5": "not a finite number",
    "6.json#6": "not in [0, 1]",
    "6.json#7": "not in [0, 1]",
    "6.json#8": "unknown transform",
    "6.json#9": "not a number of nanoseconds",
    "6.json#10": "its lr is not a finite number",
    "6.json#11": "long text",
}


def reasons() -> dict[str, str]:
    """Path -> part of the reason, of everything that must be left out."""
    folder = "stat/train/img-classification_cifar-10_acc_ResNet"
    return REASONS | {f"{folder}/{name}": reason for name, reason in IN_RESNET.items()}


def write_tree(folder: Path, *, stat: str = "stat/train") -> Path:
    """Write the tree; the folder that ``import lemur`` is given."""
    root = folder / "ab" / "nn"
    for kind in ("nn", "transform", "metric", "stat/nn", stat):
        (root / kind).mkdir(parents=True, exist_ok=True)
        (root / kind / "__init__.py").write_text(TRAP)
    for name, source in networks().items():
        (root / "nn" / f"{name}.py").write_text(source)
    for name, text in {"norm_64": NORM, "echo_32_flip": NORM + "# flips\n"}.items():
        (root / "transform" / f"{name}.py").write_text(text)
    (root / "metric" / "acc.py").write_text(ACC)
    for path, content in {**GOOD, **BROKEN}.items():
        file = root / stat / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content, indent=4))
    _break(root, stat)
    return folder


def _break(root: Path, stat: str) -> None:
    nn = root / "nn"
    (nn / "Broken.py").write_text("class Net(:\n")
    (nn / "Empty.py").write_text("\n")
    (nn / "Binary.py").write_bytes(b"x = 1\0")
    (nn / "Latin.py").write_bytes(b"# caf\xe9\n")
    (nn / "Huge.py").write_text("#" * 300_000)
    (nn / "Folder.py").mkdir(exist_ok=True)
    (nn / "notes.md").write_text("no network")
    (nn / "Link.py").symlink_to("/etc/passwd")
    (root / stat / "Linked_a_b_ResNet").symlink_to(root / stat / "img-classification_cifar-10_acc_ResNet")
    (root / stat / "stray.json").write_text("[]")
    (root / "stat" / "nn" / "AlexNet.json").write_text("{")
    figures = {"total_params": 1234, "flops": 99, "has_residual_connections": 1, "is_vgg_like": 0, "meta": {}}
    (root / "stat" / "nn" / "ResNet.json").write_text(json.dumps(figures | {"prm_id": "x", "code_length": 7}))
