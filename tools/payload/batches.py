"""Training data as a network sees them: an iterable of (inputs, labels) batches made from resident bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch


class ProtocolError(Exception):
    """A network asked for more than its protocol gives."""


class Images:
    """Labelled images, normalised when asked for. Has ``len()`` and indexing, like a torch data set.

    Args:
        x: uint8 (N, C, H, W). y: int64 (N,).
        mean, std: per channel, of images scaled to [0, 1].
    """

    def __init__(self, x: torch.Tensor, y: torch.Tensor, mean: Sequence[float], std: Sequence[float]) -> None:
        self.x = x
        self.y = y
        spread = torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1)
        # (x / 255 - mean) / std as one multiplication and one addition.
        self.scale = 1.0 / (255.0 * spread)
        self.shift = -torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1) / spread

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, at: int) -> tuple[torch.Tensor, torch.Tensor]:
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        return self.normalised(self.x[at][None])[0], self.y[at]

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """float32 (n, C, H, W) from uint8 of the same shape."""
        return images.to(torch.float32).mul_(self.scale).add_(self.shift)


class Batches:
    """What ``learn`` gets. The order of each epoch follows from the seed alone.

    A last batch of one image is left out, because batch normalisation cannot train on it. One epoch is one
    pass: asking for more is a :class:`ProtocolError`, so that no network trains longer than another.

    Args:
        dataset: the images to draw from.
        index: int64 (n,), which of them belong to the training set.
        batch: images per batch.
        seed: seed of the shuffling generator.
    """

    def __init__(self, dataset: Images, index: torch.Tensor, batch: int, seed: int) -> None:
        self.dataset = dataset
        self.batch_size = batch
        self._index = index
        self._seed = seed
        self._epoch = 0
        self._left = 0
        self.next_epoch()

    def next_epoch(self) -> None:
        """Allow one more pass. A peek at a few batches beside the pass itself is free."""
        self._epoch += 1
        self._left = len(self) + 2

    def __len__(self) -> int:
        whole, rest = divmod(len(self._index), self.batch_size)
        return whole + (rest > 1)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        generator = torch.Generator().manual_seed(self._seed + 1_000_003 * self._epoch)
        order = self._index[torch.randperm(len(self._index), generator=generator)]
        for part in torch.split(order, self.batch_size)[: len(self)]:
            if self._left == 0:
                raise ProtocolError("learn() asked for more than one pass over the training data in one epoch")
            self._left -= 1
            images = self.dataset.x.index_select(0, part)
            yield self.dataset.normalised(images), self.dataset.y.index_select(0, part)


def seed_all(seed: int) -> None:
    """One thread, deterministic operations, and every generator that a network may draw from set.

    Deterministic mode also fills fresh memory with NaN, so that a network that forgets to initialise a parameter
    fails each time and not by chance. It costs about 5 % of the time of a small network.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
