"""What a repair round asks of the model for one slot: blocks, the corrected file, or the network anew."""

from __future__ import annotations

from dataclasses import dataclass

from ..memory.rows import Generation, RepairedBy
from ..memory.types import Candidate, Request, Verdict
from ..tools.hints import Hints
from .models.handle import ChatModelHandle
from .prompting import (
    Prompt,
    begin_again,
    chat_prompt,
    chat_repair_prompt,
    completion_repair_prompt,
    delta_again_prompt,
    header_of,
)


@dataclass(frozen=True)
class Rewriting:
    """One slot of a repair round.

    Attributes:
        verdict: on the slot's newest text, which is ``code``.
        base: the network that the answer is to change; ``None`` where a whole file is asked for.
        meant: id of the network that ``code`` was to change; ``None`` where it is no blocks that could not be applied.
    """

    generation: Generation
    verdict: Verdict
    hints: Hints
    code: str
    base: Candidate | None
    meant: str | None

    def parent(self, by: RepairedBy) -> str | None:
        """Id of the network that an answer by the model changes."""
        return self.base.id if self.base is not None and by == "model" else None

    def prompt(self, model: ChatModelHandle, request: Request, attempt: int) -> Prompt:
        """What the model is asked in this round."""
        if self.base is not None:
            return self.delta_prompt(request, self.base)
        if model.style == "completion":
            header = header_of(self.generation.prompt)
            prompt, afresh = completion_repair_prompt(header, self.code, self.verdict, attempt), begin_again(header)
        else:
            prompt = chat_repair_prompt(request, self.code, self.verdict, self.hints.words)
            afresh = chat_prompt(request)
            if self.meant is not None:
                prompt = afresh  # blocks alone are no file that could be mended
        # A text that leaves no room for an answer cannot be fed back: the slot is written anew.
        return prompt if model.has_room(prompt.messages) else afresh

    def delta_prompt(self, request: Request, base: Candidate) -> Prompt:
        """Asks for blocks: other ones than those that could not be applied, or ones that correct the failing file."""
        if self.meant is not None:
            return delta_again_prompt(request, base.source, self.code, self.verdict)
        return chat_repair_prompt(request, self.code, self.verdict, self.hints.words, delta=True)
