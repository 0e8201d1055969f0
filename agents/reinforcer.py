"""The reinforcer: trains the language model by GRPO on masked skeletons of what a campaign admitted."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..memory.types import Request
from ..tools.finetuning import Message, TuningPair
from ..tools.grpo import GrpoConfig, GrpoReport, GrpoStep, GrpoTask, train_grpo
from ..tools.rewards import Rewarder
from .models.batched import Style
from .models.config import SMOLLM2
from .models.factory import ChatModelHandle
from .prompting import skeleton_prompt
from .seeds import derive_seed

if TYPE_CHECKING:
    from ..tools.skeletons import Skeleton


def grpo_defaults(name: str, style: Style) -> GrpoConfig:
    """How a model is reinforced when the configuration does not say: small ones on the CPU, others on a GPU."""
    if style == "completion":
        return GrpoConfig.embedded()
    return GrpoConfig.smollm2() if name == SMOLLM2 else GrpoConfig.paper()


def skeleton_task(skeleton: Skeleton, request: Request, style: Style) -> GrpoTask:
    """A skeleton as a model of this style is asked to fill it in."""
    if style == "completion":
        return GrpoTask.completion(skeleton)
    text = skeleton_prompt(request, skeleton.masked)
    return GrpoTask(skeleton, (Message(role="user", content=text),))


class Reinforcer:
    """Makes skeletons of networks and trains an adapter on them.

    Args:
        rewarder: scores what the model writes; its networks are on record as ``rl-``.
        most: skeletons of one training; the newest admitted networks first, filled up from the model's own corpus.
    """

    def __init__(
        self,
        model: ChatModelHandle,
        request: Request,
        rewarder: Rewarder,
        config: GrpoConfig,
        *,
        seed: int,
        most: int = 64,
        progress: Callable[[GrpoStep], None] | None = None,
    ) -> None:
        self.model = model
        self.request = request
        self.rewarder = rewarder
        self.config = config
        self.seed = seed
        self.most = most
        self.progress = progress

    def tasks(self, admitted: Sequence[TuningPair], corpus: Sequence[TuningPair], cycle: int) -> list[GrpoTask]:
        """Skeletons of the newest admitted networks, and of programs of the corpus while there are too few."""
        from ..tools.skeletons import mask_all

        filling = list(corpus)
        random.Random(derive_seed(self.seed, "skeletons", cycle)).shuffle(filling)
        # A program that cannot be masked leaves its place to the next; twice as many are enough.
        pairs = [*reversed(admitted), *filling][: 2 * self.most]
        skeletons = mask_all(((pair.prompt[-1].content, pair.completion) for pair in pairs), most=self.most)
        return [skeleton_task(one, self.request, self.model.style) for one in skeletons]

    def train(
        self,
        admitted: Sequence[TuningPair],
        corpus: Sequence[TuningPair],
        cycle: int,
        out_dir: Path,
        start_adapter: Path | None,
    ) -> GrpoReport:
        """One training after a cycle, into an empty folder. The same inputs and seed give the same adapter."""
        assert self.model.base_folder is not None
        return train_grpo(
            self.model.base_folder,
            self.tasks(admitted, corpus, cycle),
            out_dir,
            score=self.rewarder.score,
            protocol_hash=self.rewarder.protocol.hash,
            config=self.config,
            seed=derive_seed(self.seed, "grpo", cycle),
            start_adapter=start_adapter,
            progress=self.progress,
        )
