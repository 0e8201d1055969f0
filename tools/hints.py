"""Repair hints: what a failing layer expected and found, and a deterministic change that makes the program run.

A sandbox builds and runs the program under watch (``payload/mend.py``) and tells facts and edits. All of it is hostile
data: numbers are bounded, names are checked, words are put together here, and a mended text is a program like any other
that has to be validated.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ..memory.types import Frozen, RequestLimits, Stage, Task, Verdict
from ..sandbox.protocol import Job, Limits, Sandbox
from . import outcomes
from .execution import MAX_SOURCE_BYTES, PRM, VALIDATION_LIMITS, Validator, classes_of, refuse, stage_of

SECONDS: Final = 6.0
"""CPU seconds that the search for a change may take; most that succeed take less than two."""
MAX_SOURCE: Final = 64 * 1024
HOPELESS: Final = frozenset(
    {"Timeout", "CpuLimit", "MemoryLimit", "OutputLimit", "ResultLimit", "ProcessLimit", "Crash", "OverBudget",
     "UnderBudget", "NonFinite", "TooLarge", "TooDeep"}
)  # fmt: skip
"""Error classes for which there is no rule, and for which running the program again only costs."""
MAX_STEPS: Final = 8
_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z_]\w{0,79}", re.ASCII)
_RULES: Final = {
    "width": "{what} `{was}` → `{now}`",
    "widths": "{what}: every `{was}` in the call → `{now}`",
    "variable": "the variable `{what}`: `{was}` → `{now}`",
    "carry": "at the end of the loop's body, `{what} = {now}`",
    "outputs": "{what} `{was}` → `{now}`",
    "returned": "what forward() returns: `{was}` → `{now}`",
    "flatten": "flatten the maps before the {what}: `{now}`",
    "super": "begin __init__ with `{now}`",
    "import": "add `{now}`",
    "name": "the name `{was}` → `{now}`",
    "attribute": "the attribute `{was}` → `{now}`",
    "arguments": "the call of {what}: `{was}` → `{now}`",
    "elsewhere": "call {what} as it is called elsewhere: `{was}` → `{now}`",
    "dropped": "leave out `{was}`",
    "unpacking": "unpack `{now}`, for in_shape begins with the batch",
    "contract": "write {what}() in its usual form",
    "divisor": "{what} `{was}` → `{now}`, for it must divide the channels",
    "reshape": "`{was}` → `{now}`",
    "parameter": "the size of the parameter {what}: `{was}` → `{now}`",
    "padding": "give the {what} padding",
    "identity": "leave out the {what} (`{was}`)",
    "dimensions": "`{was}` → `{now}`",
    "sum": "without the sum: `{was}` → `{now}`",
    "syntax": "`{was}` → `{now}`",
}
"""How each rule of the payload is put into words; a rule that is not here is not believed."""


class Fault(Frozen):
    """How a program fails, seen from inside.

    Attributes:
        path: qualified name of the layer that was running, ``features.3``; empty where none was.
        kind: its class.
        built: line of the call that makes it.
        argument, expected, found: the width that it was made for and that of its input, where they differ.
        shape: of its input, batch first.
    """

    stage: Stage
    error_class: str
    message: str
    line: int | None = None
    path: str = ""
    kind: str = ""
    built: int | None = None
    argument: str = ""
    expected: int | None = None
    found: int | None = None
    shape: tuple[int, ...] = ()

    @property
    def words(self) -> str:
        """The failing layer in one sentence; empty where none was running."""
        if not self.kind:
            return ""
        name = f"`{self.path}` ({self.kind})" if self.path else f"a {self.kind}"
        built = f", built at line {self.built}," if self.built else ""
        text = f"The layer that fails is {name}{built}"
        if self.expected is not None and self.found is not None:
            text += f" with {self.argument} = {self.expected}, but its input has {self.found}"
        shape = f" (input shape {' × '.join(map(str, self.shape))})" if self.shape else ""
        return f"{text.rstrip(',')}{shape}."


class Step(Frozen):
    """One edit: its rule, the line, what is changed, the snippet before and after."""

    rule: str
    line: int
    what: str = ""
    was: str = ""
    now: str = ""

    @property
    def words(self) -> str:
        """One line: ``line 34: Conv2d in_channels `64` → `48```."""
        return f"line {self.line}: " + _RULES[self.rule].format(what=self.what, was=self.was, now=self.now)


class Hints(Frozen):
    """What a sandbox found out about a failing program.

    Attributes:
        fault: ``None`` where the program did not fail, or nothing is known.
        steps: edits, one after the other; with ``mended`` they lead to it, without it they get furthest.
        mended: a whole program that ran in the sandbox; it has no verdict yet.
        tried: texts that were run.
    """

    fault: Fault | None = None
    steps: tuple[Step, ...] = ()
    mended: str | None = None
    tried: int = 0

    @property
    def words(self) -> str:
        """The hints for a language model, line by line; empty where there are none."""
        lines = [self.fault.words] if self.fault is not None and self.fault.words else []
        if self.steps:
            so = "With this change it runs:" if self.mended is not None else "This change gets it further:"
            lines += [so, *(f"- {step.words}" for step in self.steps)]
        return "\n".join(lines)


class Hinter:
    """Finds hints for failing programs.

    Args:
        sandbox: made with :func:`.execution.validation_image` or ``training.evaluation_image``.
        limits: of one search.
        seconds: CPU seconds that the search may take before it gives up.
    """

    def __init__(self, sandbox: Sandbox, limits: Limits = VALIDATION_LIMITS, seconds: float = SECONDS) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._seconds = seconds
        self._validator = Validator(sandbox, limits)

    @property
    def workers(self) -> int:
        """Programs that can be looked at side by side."""
        return self._sandbox.workers

    def hints(self, source: str, task: Task, verdict: Verdict, request_limits: RequestLimits | None = None) -> Hints:
        """Hints for a program with this verdict. Never raises for what the program is or does.

        Raises:
            ValueError: the task is not a classification of images.
        """
        # What no program could be taken from, prose or blocks that do not apply, is none that could be mended.
        hopeless = verdict.ok or verdict.stage == "extract" or verdict.error_class in HOPELESS
        if hopeless or refuse(source, MAX_SOURCE) is not None:
            return Hints()
        payload = {
            "source": source,
            "in_shape": list(task.in_shape),
            "classes": classes_of(task),
            "prm": PRM,
            "batch": PRM["batch"],
            "max_params": request_limits.max_params if request_limits else None,
            "seconds": self._seconds,
        }
        outcome = self._sandbox.run(Job(handler="mend.run", payload=payload, limits=self._limits))
        if outcome.status != "ok" or not isinstance(outcome.result, dict):
            return Hints()  # the program ended the search; its verdict stands
        return read(outcome.result)

    def mend(
        self, source: str, task: Task, verdict: Verdict, request_limits: RequestLimits | None = None
    ) -> tuple[Hints, Verdict | None]:
        """Hints, and the verdict on the mended program where there is one that is valid; else no mended one."""
        found = self.hints(source, task, verdict, request_limits)
        if found.mended is None:
            return found, None
        judged = self._validator.validate(found.mended, task, request_limits)
        return (found, judged) if judged.ok else (found.model_copy(update={"mended": None}), None)


def read(told: dict[str, Any]) -> Hints:
    """What can be believed of a search's result; what has not the right form is left out."""
    steps = told.get("steps")
    believed = [_step(one) for one in steps[:MAX_STEPS]] if isinstance(steps, list) else []
    mended = told.get("mended")
    if not isinstance(mended, str) or refuse(mended, MAX_SOURCE_BYTES) is not None:
        mended = None
    return Hints(
        fault=_fault(told.get("fault")),
        steps=tuple(one for one in believed if one is not None) if None not in believed else (),
        mended=mended,
        tried=outcomes.count(told.get("tried"), most=10_000) or 0,
    )


def _fault(told: Any) -> Fault | None:
    if not isinstance(told, dict):
        return None
    path, kind, argument = (told.get(name) for name in ("path", "kind", "argument"))
    shape = told.get("shape")
    sizes = [outcomes.count(size, most=10**9) for size in shape[:8]] if isinstance(shape, list) else []
    named = isinstance(kind, str) and _NAME.fullmatch(kind) is not None
    fits = isinstance(argument, str) and argument.isidentifier() and argument.isascii() and len(argument) < 40
    return Fault(
        stage=stage_of(told.get("stage")),
        error_class=outcomes.name(told.get("error_class")),
        message=outcomes.text(told.get("message")),
        line=outcomes.line_number(told.get("line")),
        path=path if isinstance(path, str) and len(path) <= 200 and _PATH.fullmatch(path) else "",
        kind=str(kind) if named else "",
        built=outcomes.line_number(told.get("built")),
        argument=str(argument) if fits else "",
        expected=outcomes.count(told.get("expected")) if fits else None,
        found=outcomes.count(told.get("found")) if fits else None,
        shape=tuple(size for size in sizes if size is not None),
    )


def _step(told: Any) -> Step | None:
    rule = told.get("rule") if isinstance(told, dict) else None
    line = outcomes.line_number(told.get("line")) if isinstance(told, dict) else None
    if not isinstance(rule, str) or rule not in _RULES or line is None:
        return None
    # Snippets stand between backquotes in a prompt: none of their own may end them.
    texts = {name: outcomes.text(told.get(name), 120).replace("`", "'") for name in ("what", "was", "now")}
    return Step(rule=rule, line=line, **texts)
