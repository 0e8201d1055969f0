"""A LEMUR user's script: two lines differ from one that was written for ``ab.nn.api``.

It makes a small tree in the layout of the LEMUR data set, imports it into records of its own, and asks what such
scripts ask. With a real checkout, ``netwright import lemur DIR`` takes the place of the first part.

    python examples/lemur_data.py [CHECKOUT]
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from netwright import data  # was: from ab.nn.api import data
from netwright.memory.records import Records
from netwright.tools.corpus.lemur_import import import_lemur

RESULTS = {
    "img-classification_cifar-10_acc_ResNet": [0.61, 0.68],
    "img-classification_cifar-10_acc_alt-nn3-0a1b": [0.57, 0.71],
    "img-classification_svhn_acc_ResNet": [0.83],
    "img-classification_svhn_acc_Lost": [0.99],
}


def small_checkout(folder: Path) -> Path:
    """A few networks and records; one of them names a network that is not there."""
    root = folder / "ab" / "nn"
    (root / "nn").mkdir(parents=True)
    for name in ("ResNet", "alt-nn3-0a1b"):
        (root / "nn" / f"{name}.py").write_text(f"# the program of {name}\n")
    for name, accuracies in RESULTS.items():
        place = root / "stat" / "train" / name
        place.mkdir(parents=True)
        for epoch, accuracy in enumerate(accuracies, start=1):
            record = {"accuracy": accuracy, "batch": 64, "duration": epoch * 10**10, "lr": 0.01, "momentum": 0.9}
            (place / f"{epoch}.json").write_text(json.dumps([record | {"transform": "norm_64_flip", "uid": name}]))
    return folder


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkout = Path(sys.argv[1]) if len(sys.argv) > 1 else small_checkout(folder / "nn-dataset")
        with Records(f"sqlite:///{folder / 'records.db'}") as records:
            done = import_lemur(checkout, records)
            print(f"{done.networks} networks, {done.records} records, {len(done.problems)} left out")
            for problem in done.problems[:3]:
                print(f"  {problem.path}: {problem.reason}")
            # A script for ab.nn.api leaves out records=: then the records of the data directory answer.
            best = data(
                only_best_accuracy=True, task="img-classification", metric="acc", unique_nn=True, records=records
            )
            for row in best.itertuples():
                print(f"{row.nn} on {row.dataset}: {row.accuracy} after epoch {row.epoch}, lr {row.prm['lr']}")


if __name__ == "__main__":
    main()
