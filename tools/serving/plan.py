"""What a machine would run to serve a model, told before anything runs: for GPUs that are not here, say."""

from __future__ import annotations

import shlex
from typing import Final

from pydantic import BaseModel, ConfigDict

from .environment import NOT_NEEDED, REQUIREMENT
from .settings import ServeKind, ServeSettings, ServeSpec, serve_command, serve_variables

FOLDER: Final = "$HOME/.local/share/netwright/serving"
KEY: Final = "$VLLM_API_KEY"
PORT: Final = 8000
_SHARED_GPU: Final = 0.45


class ServePlan(BaseModel):
    """The commands that serve a model, in order, as a shell takes them.

    Attributes:
        install: make the environment, as ``netwright serve-model --prepare`` does.
        variables: environment variables of the server; the key is the machine's to choose.
        command: the server.
        swap: put the adapter of a cycle on and take the one before off, as a campaign does.
        campaign: a campaign through this server, which it finds at its address.
        notes: what to know about memory.
    """

    model_config = ConfigDict(frozen=True)

    kind: ServeKind
    install: tuple[str, ...]
    variables: dict[str, str]
    command: tuple[str, ...]
    swap: tuple[str, ...]
    campaign: tuple[str, ...]
    notes: tuple[str, ...]

    def script(self) -> str:
        """All of it as lines for a shell."""
        exports = [f'export {name}="{value}"' for name, value in self.variables.items()]
        parts = [
            ("once: the environment (netwright serve-model --prepare does the same)", self.install),
            ("the server (netwright serve-model does the same)", (*exports, " ".join(map(_word, self.command)) + " &")),
            ("a campaign through it, when the server answers, with the same VLLM_API_KEY", self.campaign),
            (
                "what the campaign asks of it after each cycle: the new adapter on, the old one off",
                tuple(f"#   {line}" for line in self.swap),
            ),
        ]
        text = "\n\n".join("\n".join([f"# {title}", *lines]) for title, lines in parts)
        return "\n".join([text, *([""] if self.notes else []), *(f"# {note}" for note in self.notes)])


def plan(
    model: str,
    gpus: int = 1,
    *,
    name: str | None = None,
    settings: ServeSettings | None = None,
    config: str = "FILE",
) -> ServePlan:
    """The plan for a machine with ``gpus`` GPUs. Looks at nothing on this machine, starts and writes nothing.

    With two GPUs and more, all but the last serve, as far as they are a power of two, and the last one tunes and
    trains; where the server has them all, it leaves more than half of their memory. 0 is a machine without any.

    Args:
        model: folder in Hugging Face format, or a name on its hub.
        name: what requests call it; the model's own name if left out.
        settings: how it is served; number and share of GPUs and the port are chosen where they are not set.
        config: what ``campaign run --config`` gets.

    Raises:
        ValueError: ``gpus`` is negative, or fewer than the settings give to the server.
    """
    if gpus < 0:
        raise ValueError(f"a machine has no {gpus} GPUs; give 0 or more")
    if gpus and settings is not None and settings.gpus > gpus:
        raise ValueError(f"{settings.gpus} GPUs for the server (model.serving.gpus) are more than the {gpus} there are")
    kind: ServeKind = "gpu" if gpus else "cpu"
    chosen = _fitted(settings or ServeSettings(), gpus)
    spec = ServeSpec(model=model, name=name or model, kind=kind, settings=chosen)
    port = chosen.port or PORT
    python = f"{FOLDER}/vllm-{kind}/bin/python"
    variables = serve_variables(spec, KEY, f"{FOLDER}/cache")
    del variables["VLLM_API_KEY"], variables["HF_HUB_OFFLINE"]  # the shell's own; and the model may have to be fetched
    variables = {"VLLM_API_KEY": "$(openssl rand -hex 24)"} | variables
    if kind == "cpu" and chosen.threads is None:
        variables["OMP_NUM_THREADS"] = "$(nproc --ignore=1)"
    if kind == "gpu":
        variables["CUDA_VISIBLE_DEVICES"] = ",".join(str(gpu) for gpu in range(chosen.gpus))
    url = f"http://127.0.0.1:{port}/v1"
    return ServePlan(
        kind=kind,
        install=(
            f'python3 -m venv "{FOLDER}/vllm-{kind}"',
            f'"{python}" -m pip install --constraint tools/serving/vllm-{kind}.txt {REQUIREMENT[kind]}',
            f'"{python}" -m pip uninstall --yes {" ".join(NOT_NEEDED)}',
        ),
        variables=variables,
        command=tuple(serve_command(python, spec, port)),
        swap=(_post(url, "load", '{"lora_name": "cycle-2", "lora_path": "…/adapters/cycle-002"}'),
              _post(url, "unload", '{"lora_name": "cycle-1"}')),
        campaign=(_campaign(spec, url, gpus, config),),
        notes=_notes(chosen, gpus),
    )  # fmt: skip


def _fitted(settings: ServeSettings, gpus: int) -> ServeSettings:
    changes: dict[str, object] = {}
    if gpus >= 2 and "gpus" not in settings.model_fields_set:
        changes["gpus"] = 1 << ((gpus - 1).bit_length() - 1)  # heads are split evenly among a power of two
    shared = gpus > 0 and changes.get("gpus", settings.gpus) == gpus
    if shared and "gpu_share" not in settings.model_fields_set:
        changes["gpu_share"] = _SHARED_GPU
    return settings.model_copy(update=changes)


def _campaign(spec: ServeSpec, url: str, gpus: int, config: str) -> str:
    cuda = f"CUDA_VISIBLE_DEVICES={gpus - 1} " if gpus >= 2 else ""
    sets = [f"model.name={spec.name}", f"model.base_url={url}", "model.api_key_env=VLLM_API_KEY"]
    # With the weights here too, the campaign can tune.
    sets.append(f"model.path={spec.model}" if spec.model != spec.name else "model.allow_download=true")
    return f"{cuda}netwright campaign run --config {config} " + " ".join(f"--set {shlex.quote(s)}" for s in sets)


def _notes(settings: ServeSettings, gpus: int) -> tuple[str, ...]:
    if gpus and settings.gpus == gpus:
        return (
            f"A GPU for both: vLLM takes {settings.gpu_share:.0%} of its memory (model.serving.gpu_share) for "
            "weights and cache; the rest must be enough to tune. 7B in bf16: 13 GiB of weights there, 20 GiB here.",
        )
    return ()


def _post(url: str, action: str, body: str) -> str:
    return (
        f'curl {url}/{action}_lora_adapter -H "Authorization: Bearer {KEY}" '
        f"-H 'Content-Type: application/json' -d '{body}'"
    )


def _word(word: str) -> str:
    """A word for a shell; variables in double quotes stay variables."""
    return f'"{word}"' if "$" in word else shlex.quote(word)
