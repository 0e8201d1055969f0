"""How far does a block get? Parse, compile, import, then build and forward on guessed arguments and inputs.

Handler ``block.run``. Payload: ``source``; ``name``, the class; ``refused``, top-level packages that must seem absent;
``until``, the stage to end with; ``search_s`` and ``try_s``, CPU seconds for all tries and for one.
"""

from __future__ import annotations

import ast
import resource
import types
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

if TYPE_CHECKING:
    from . import block_absent, block_budget, block_search, candidate
else:  # In the worker these are top-level modules.
    import block_absent
    import block_budget
    import block_search
    import candidate

MAX_BLOCK_BYTES: Final = 1 << 20
_SPARE_MIB: Final = 1024  # of the address space, so that a try that is too large fails alone


def run(payload: dict[str, Any], data: dict[str, torch.Tensor], note: Callable[[str], None]) -> dict[str, Any]:
    """Check one block. Never raises for what the block does.

    Returns:
        ``stage`` (the last one passed), ``error_class``, ``message`` and ``line`` of the next one, ``arguments``,
        ``inputs``, ``outputs``, ``params``, and the process' ``peak_mb`` of memory.
    """
    check = _Check(payload, note)
    try:
        check.run()
    # A block may raise anything, SystemExit and KeyboardInterrupt too, and each is only its result.
    except BaseException as error:
        check.error = error
    failure = {"error_class": None, "message": None, "line": None}
    check.result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {**check.result, **(failure if check.error is None else candidate.describe(check.error))}


class _Check:
    def __init__(self, payload: dict[str, Any], note: Callable[[str], None]) -> None:
        self._payload = payload
        self._note = note
        self.error: BaseException | None = None
        self.result: dict[str, Any] = {"stage": "extract"}

    def run(self) -> None:
        source = self._payload["source"]
        code = self._compile(source)
        block_absent.hide(self._payload["refused"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = candidate.execute(source, code)
        cls = _block_class(module.__dict__, self._payload["name"])
        self._passed("import")
        if self._payload["until"] not in ("build", "forward"):
            return
        block_budget.keep_free(_SPARE_MIB)
        budget = block_budget.Budget(self._payload["search_s"], self._payload["try_s"])
        search = block_search.Search(cls, module.__dict__, budget)
        found = search.run(forward=self._payload["until"] == "forward")
        self.error = found.error
        if found.arguments is not None:
            shapes = {"inputs": found.inputs, "outputs": found.outputs, "params": found.params}
            self.result.update(arguments=found.arguments, **shapes)
            self._passed("forward" if found.ran else "build")

    def _compile(self, source: str) -> types.CodeType:
        try:
            _, code = candidate.parse(source, MAX_BLOCK_BYTES)
        except SyntaxError:
            ast.parse(source)  # whatever this passes was refused by the compiler: a return at module level
            self._passed("parse")
            raise
        self._passed("parse")
        self._passed("compile")
        return code

    def _passed(self, stage: str) -> None:
        self.result["stage"] = stage
        self._note(stage)


def _block_class(names: dict[str, Any], name: str) -> type:
    found = names.get(name)
    if not isinstance(found, type) or not issubclass(found, nn.Module):
        what = "nothing has its name" if found is None else "what has its name is no class derived from torch.nn.Module"
        raise candidate.Rejected("ClassMissing", f"the file has no such block: {what}")
    return found
