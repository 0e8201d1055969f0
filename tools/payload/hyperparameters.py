"""Which hyperparameters does a candidate support? Asked where it may be asked: its own function answers.

Handler ``hyperparameters.names``. Payload: ``source``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from . import candidate, contract
else:  # In the worker these are top-level modules.
    import candidate
    import contract


def names(payload: dict[str, Any], data: dict[str, torch.Tensor], note: Callable[[str], None]) -> dict[str, Any]:
    """What ``supported_hyperparameters()`` returns. Never raises for what the candidate does.

    Returns:
        ``ok``; ``names``, each with the value that a network gets whose protocol gives none; ``error_class``,
        ``message``, ``line``.
    """
    try:
        tree, code = candidate.parse(payload["source"])
        contract.check_static(tree)
        made = contract.Contract(candidate.execute(payload["source"], code))
        values = made.prm({})
        names = {name: values[name] for name in made.hyperparameters}
        return {"ok": True, "names": names, "error_class": None, "message": None, "line": None}
    # A candidate may raise anything, SystemExit and KeyboardInterrupt too.
    except BaseException as error:
        return {"ok": False, "names": {}, **candidate.describe(error)}
