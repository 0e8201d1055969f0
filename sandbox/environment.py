"""What a worker gets from the host: a short list of environment variables and open data files."""

from __future__ import annotations

from pathlib import Path

from .protocol import WorkerImage

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def worker_environment(image: WorkerImage, scratch: str) -> dict[str, str]:
    """All environment variables of a worker; nothing is inherited.

    Args:
        image: may add some (``seed_environment``).
        scratch: folder for temporary files and caches.
    """
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": scratch,
        "TMPDIR": scratch,
        "USER": "candidate",
        "PYTHONHASHSEED": "0",  # the order of sets of text is the same in every worker
        "PYTHONUNBUFFERED": "1",
        **dict.fromkeys(_ONE_THREAD, "1"),
        **image.seed_environment,
    }


def data_files(image: WorkerImage) -> dict[str, dict[str, Path]]:
    """The ``.npy`` files of an image: data set name -> stem -> file.

    Raises:
        FileNotFoundError: a folder does not exist or holds no such file.
    """
    found: dict[str, dict[str, Path]] = {}
    for name, folder in image.data.items():
        files = {path.stem: path for path in sorted(Path(folder).glob("*.npy"))}
        if not files:
            raise FileNotFoundError(f"data set {name!r}: {folder} holds no .npy file")
        found[name] = files
    return found
