"""What tests of serving share: an environment whose interpreter runs the stand-in server, and small adapters."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from netwright.tools.serving.environment import ServeEnvironment, serve_environment

STANDIN = Path(__file__).with_name("standin_server.py")


def standin_environment() -> ServeEnvironment:
    """The environment of this machine's data directory, with the stand-in where vLLM would be."""
    place = serve_environment("cpu")
    place.python.parent.mkdir(parents=True)
    place.python.write_text(f'#!/bin/sh\nshift 2\nexec "{sys.executable}" "{STANDIN}" "$@"\n')
    place.python.chmod(0o755)
    (place.folder / ".made").touch()
    assert place.made
    return place


def write_adapter(folder: Path, weights: bytes = b"weights", rank: int = 8) -> Path:
    """A folder that looks like one that peft saved."""
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank, "peft_type": "LORA"}))
    (folder / "adapter_model.safetensors").write_bytes(weights)
    return folder
