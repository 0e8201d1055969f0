"""Training from scratch: one thread, a budget in steps, checkpoints that an interrupted run goes on from.

The same seed and corpus give the same weights on the same machine, whether the run was interrupted or not.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from .batches import BatchOrder, Document, collate, encode, fingerprint
from .model import NanoShape, build_model
from .muon import Muon
from .tokenizer import train_tokenizer

CHECKPOINT = "checkpoint.pt"


class PretrainSettings(BaseModel):
    """The recipe. Every field but ``checkpoint_s`` and ``curve_every`` decides the weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    steps: int = Field(default=2600, ge=1)
    batch: int = Field(default=8, ge=1)
    lr: float = Field(default=2e-3, gt=0, description="AdamW's rate: embeddings and norms")
    betas: tuple[float, float] = Field(default=(0.9, 0.95), description="AdamW's")
    muon_lr: float = Field(default=8e-3, gt=0, description="Muon's rate: the layers' matrices")
    momentum: float = Field(default=0.95, ge=0, lt=1, description="Muon's")
    weight_decay: float = Field(default=0.05, ge=0)
    clip: float = Field(default=1.0, gt=0)
    warmup: int = Field(default=20, ge=0, description="steps of linear warm-up")
    decay_from: float = Field(default=0.6, ge=0, le=1, description="share of the steps at the full rate")
    final: float = Field(default=0.05, ge=0, le=1, description="last step's rate as a share of the full one")
    shape: NanoShape = NanoShape()
    checkpoint_s: float = Field(default=180.0, gt=0, description="wall seconds between checkpoints")
    curve_every: int = Field(default=20, ge=1, description="steps averaged into one point of the loss curve")

    @property
    def key(self) -> str:
        """What must be equal for a checkpoint to be taken up again."""
        return self.model_dump_json(exclude={"checkpoint_s", "curve_every"})


class Progress(NamedTuple):
    """What a progress callback is told after every step."""

    step: int
    steps: int
    loss: float
    tokens: int


class PretrainingInterrupted(KeyboardInterrupt):
    """The run was stopped by a signal after writing a checkpoint; the same call goes on from there."""


class Trained(NamedTuple):
    """A finished training run, before it is benchmarked."""

    model: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerFast
    losses: list[float]
    tokens: int
    cpu_s: float
    wall_s: float
    precision: str


def rate(settings: PretrainSettings, step: int) -> float:
    """Share of the full learning rates at ``step`` (from 0): warm-up, constant, linear down to ``final``."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    start = settings.decay_from * settings.steps
    if step < start:
        return 1.0
    done = (step - start) / max(1.0, settings.steps - 1 - start)
    return 1 - (1 - settings.final) * min(1.0, done)


def optimizers(model: LlamaForCausalLM, settings: PretrainSettings) -> tuple[Muon, torch.optim.AdamW]:
    """Muon for the matrices inside the layers, AdamW for the tied embeddings and the norms."""
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        inner = parameter.ndim == 2 and ".layers." in name
        (matrices if inner else others).append(parameter)
    decay = settings.weight_decay
    return (
        Muon(matrices, lr=settings.muon_lr, momentum=settings.momentum, weight_decay=decay),
        torch.optim.AdamW(others, lr=settings.lr, betas=settings.betas, weight_decay=decay, fused=True),
    )


def native_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware; emulated, it is slower than float32."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))


def train(
    pairs: Sequence[tuple[str, str]],
    settings: PretrainSettings,
    folder: Path,
    progress: Callable[[Progress], None] | None = None,
) -> Trained:
    """Train tokenizer and decoder on (header, source) pairs; takes up a checkpoint found in ``folder``.

    Raises:
        PretrainingInterrupted: SIGINT or SIGTERM came; a checkpoint has been written.
        ValueError: the checkpoint in ``folder`` belongs to other settings or another corpus.
    """
    tokenizer = train_tokenizer(f"{header}\n{source}" for header, source in pairs)
    documents = encode(tokenizer, pairs)
    run = _Run(settings, documents, build_model(tokenizer, settings.shape, settings.seed), tokenizer.pad_token_id)
    checkpoint = folder / CHECKPOINT
    key = f"{settings.key} {fingerprint(pairs)}"
    folder.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        run.restore(checkpoint, key)
    saved = time.monotonic()
    with _one_thread(), _stop_signals() as stop:
        while run.step < settings.steps:
            loss = run.advance()
            if progress is not None:
                progress(Progress(run.step, settings.steps, loss, run.tokens))
            if stop.is_set():
                run.store(checkpoint, key)
                raise PretrainingInterrupted(
                    f"stopped after step {run.step} of {settings.steps}; run the same command again to go on"
                )
            if time.monotonic() - saved > settings.checkpoint_s:
                run.store(checkpoint, key)
                saved = time.monotonic()
    run.store(checkpoint, key)
    run.model.eval()
    precision = "bfloat16 autocast" if run.bf16 else "float32"
    return Trained(run.model, tokenizer, run.losses, run.tokens, run.cpu_s, run.wall_s, precision)


class _Run:
    """Model, optimizer and counters of one run."""

    def __init__(
        self, settings: PretrainSettings, documents: list[Document], model: LlamaForCausalLM, pad: int
    ) -> None:
        self.settings = settings
        self.documents = documents
        self.model = model
        self.pad = pad
        self.order = BatchOrder([len(d.tokens) for d in documents], settings.batch, settings.seed)
        self.optimizers = optimizers(model, settings)
        self.bf16 = native_bf16()
        self.step = 0
        self.tokens = 0
        self.cpu_s = 0.0
        self.wall_s = 0.0
        self.losses: list[float] = []

    def advance(self) -> float:
        """One optimizer step; returns its loss in nats per token."""
        cpu, wall = time.process_time(), time.monotonic()
        share = rate(self.settings, self.step)
        for optimizer, full in zip(self.optimizers, (self.settings.muon_lr, self.settings.lr), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = full * share
        inputs, labels = collate([self.documents[i] for i in self.order[self.step]], self.pad)
        self.model.train()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            loss = self.model(input_ids=inputs, labels=labels, use_cache=False).loss
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        for optimizer in self.optimizers:
            optimizer.step()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ArithmeticError(f"the loss became {value} at step {self.step}; lower the learning rate")
        self.step += 1
        self.tokens += int((inputs != self.pad).sum())
        self.losses.append(value)
        self.cpu_s += time.process_time() - cpu
        self.wall_s += time.monotonic() - wall
        return value

    def store(self, path: Path, key: str) -> None:
        """Write everything needed to go on, atomically."""
        state: dict[str, Any] = {
            "key": key,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "tokens": self.tokens,
            "cpu_s": self.cpu_s,
            "wall_s": self.wall_s,
            "losses": self.losses,
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        os.replace(part, path)

    def restore(self, path: Path, key: str) -> None:
        """Go on from a checkpoint that has the same key."""
        state = torch.load(path, weights_only=True)
        if state["key"] != key:
            raise ValueError(
                f"{path} was written with other settings or another corpus; delete it or name another folder"
            )
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.tokens = state["step"], state["tokens"]
        self.cpu_s, self.wall_s, self.losses = state["cpu_s"], state["wall_s"], state["losses"]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Float sums depend on the number of threads, so a reproducible run uses exactly one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, so that a step is never cut in two. Main thread only."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def request_stop(signum: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
