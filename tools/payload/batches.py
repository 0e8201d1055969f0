"""Training data as a network sees them: an iterable of (inputs, labels) batches made from resident bytes."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from .transforms import Pipeline

PROBED_STEPS = 3
"""Steps after which the time of the whole training is foreseen; the first, which warms up, does not count."""


class ProtocolError(Exception):
    """A network asked for more than its protocol gives."""


class TooSlow(Exception):
    """After three steps it is clear that the training cannot end within its limit."""


class Images:
    """Labelled images, transformed and normalised when asked for. Has ``len()`` and indexing, like a torch data set.

    Args:
        x: uint8 (N, C, H, W). y: int64 (N,).
        mean, std: per channel, of images scaled to [0, 1].
        pipeline: what is done to an image before it is normalised; nothing by default.
        resized: ``x`` has the pipeline's leading resize behind it.
        memory_format: of the batches.
    """

    def __init__(
        self,
        x: torch.Tensor,
        y: torch.Tensor,
        mean: Sequence[float],
        std: Sequence[float],
        pipeline: Pipeline | None = None,
        resized: bool = False,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.x = x
        self.y = y
        self.memory_format = memory_format
        self._pipeline = pipeline
        self._resized = resized
        spread = torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1)
        # (x / 255 - mean) / std as one multiplication and one addition.
        self.scale = (1.0 / (255.0 * spread)).to(x.device)
        self.shift = (-torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1) / spread).to(x.device)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, at: int) -> tuple[torch.Tensor, torch.Tensor]:
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        return self.seen(self.x[at][None])[0], self.y[at]

    def drawn(self, index: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """float32 (n, C, h, w): training images with the pipeline's random steps."""
        images = self.x.index_select(0, index)
        if self._pipeline is not None:
            images = self._pipeline.train(images, generator, self._resized)
        return self.normalised(images)

    def seen(self, images: torch.Tensor) -> torch.Tensor:
        """float32 (n, C, h, w) from uint8: as a test image is seen, without random steps."""
        if self._pipeline is not None:
            images = self._pipeline.test(images, self._resized)
        return self.normalised(images)

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """float32 from uint8 of the same shape, in the memory format of the batches."""
        made = images.to(torch.float32, memory_format=self.memory_format)
        return made.mul_(self.scale).add_(self.shift)


class Batches:
    """What ``learn`` gets. The order of each epoch follows from the seed alone.

    A last batch of one image is left out, because batch normalisation cannot train on it. One epoch is one
    pass: asking for more is a :class:`ProtocolError`, so that no network trains longer than another. A network
    whose first steps show that it cannot end in time is stopped at once, with :class:`TooSlow`.

    Args:
        dataset: the images to draw from.
        index: int64 (n,), which of them belong to the training set.
        batch: images per batch.
        seed: seed of the shuffling generator.
        epochs: passes of the whole training.
        limit_s: CPU seconds of the whole training; ``None``: not looked at.
    """

    def __init__(
        self,
        dataset: Images,
        index: torch.Tensor,
        batch: int,
        seed: int,
        epochs: int = 1,
        limit_s: float | None = None,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch
        self.refusal: Exception | None = None
        self.foreseen_s: float | None = None
        self._index = index
        self._seed = seed
        self._epochs = epochs
        self._limit_s = limit_s
        self._epoch = 0
        self._left = 0
        self._open: Iterator[tuple[torch.Tensor, torch.Tensor]] | None = None
        self.next_epoch()

    def next_epoch(self) -> None:
        """Allow one more pass. A peek at a few batches beside the pass itself is free.

        Raises:
            ProtocolError, TooSlow: what was refused in the pass before, if the network went on regardless.
        """
        if self.refusal is not None:
            raise self.refusal
        self._epoch += 1
        self._left = len(self) + 2

    def __len__(self) -> int:
        whole, rest = divmod(len(self._index), self.batch_size)
        return whole + (rest > 1)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        generator = torch.Generator().manual_seed(self._seed + 1_000_003 * self._epoch)
        order = self._index[torch.randperm(len(self._index), generator=generator)]
        # A generator of its own: the order of the images does not depend on what is drawn for each.
        draws = torch.Generator().manual_seed(self._seed + 1_000_003 * self._epoch + 500_009)
        begun: list[float] = []
        for part in torch.split(order, self.batch_size)[: len(self)]:
            if self._epoch == 1 and len(begun) <= PROBED_STEPS:
                begun.append(time.process_time())
                self._foresee(begun)
            if self._left == 0:
                self.refusal = ProtocolError("learn() asked for more than one pass over the training data in one epoch")
            if self.refusal is not None:
                raise self.refusal
            self._left -= 1
            on_device = part.to(self.dataset.x.device)
            yield self.dataset.drawn(on_device, draws), self.dataset.y.index_select(0, on_device)

    def __next__(self) -> tuple[torch.Tensor, torch.Tensor]:
        """LEMUR's loader is an iterator too; what is drawn this way counts like any other batch."""
        self._open = self._open or iter(self)
        try:
            return next(self._open)
        except StopIteration:
            self._open = None
            raise

    def _foresee(self, begun: list[float]) -> None:
        """After three steps: CPU seconds of all steps of all epochs, at the pace of the fastest."""
        if self._limit_s is None or len(begun) != PROBED_STEPS + 1:
            return
        pace = min(later - earlier for earlier, later in pairwise(begun[1:]))
        self.foreseen_s = pace * len(self) * self._epochs
        if self.foreseen_s > self._limit_s:
            self.refusal = TooSlow(
                f"one step takes {pace:.3g} CPU s, so {len(self) * self._epochs:,} steps take about "
                f"{self.foreseen_s:,.0f} s; the limit is {self._limit_s:g} s"
            )


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
