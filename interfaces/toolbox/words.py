"""Arguments that several tools share, with the words that explain them to a model, and how errors are told."""

from __future__ import annotations

from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from ...memory.block_types import Category
from ...memory.types import Protocol, RequestLimits, Task
from ...tools.execution import MAX_SOURCE_BYTES
from ...tools.protocols import check_fits, default_protocol, protocol
from ...tools.registry import Arguments, ToolError
from ...tools.tasks import TaskInfo, known_datasets, task_info
from ..cli.console import explain

MOST_PARAMS: Final = 10**12
"""More than any network that can be built here, and few enough for the columns of the records."""
MOST_SHOWN: Final = 2_000
"""Characters of a text of others (messages, docstrings) that a result repeats."""

Source = Annotated[
    str,
    Field(
        max_length=MAX_SOURCE_BYTES,
        description="The whole Python file of one network as text, never a path: it imports torch and defines "
        "supported_hyperparameters() and class Net(nn.Module) with __init__(in_shape, out_shape, prm, device), "
        "forward(x), train_setup(prm) and learn(train_data).",
    ),
]
CandidateId = Annotated[
    str,
    Field(
        min_length=8,
        max_length=80,
        pattern=r"^[A-Za-z0-9-]+$",
        description="Id of a network on record (64 hex digits), the first eight or more of them, or its name such as "
        "llm-0123456789ab.",
    ),
]
Dataset = Annotated[
    str,
    Field(
        max_length=40,
        description=f"Data set whose images the network classifies. One of: {', '.join(known_datasets())}.",
    ),
]
MaxParams = Annotated[
    int | None, Field(ge=1, le=MOST_PARAMS, description="Most parameters that the network may have; null: any.")
]
MinParams = Annotated[
    int | None, Field(ge=1, le=MOST_PARAMS, description="Least parameters that the network must have; null: any.")
]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1, description="Same seed and arguments, same answer.")]
ProtocolName = Annotated[
    str | None,
    Field(max_length=60, description="Name of the training protocol; null: the data set's own. See list_datasets."),
]
CategoryName = Annotated[Category | None, Field(description="Only blocks of this kind; null: of any.")]


class AboutNetwork(Arguments):
    """Base of the tools about one network, given as text or by the id of one on record."""

    source: Source | None = Field(default=None, description="The whole Python file of the network as text.")
    candidate_id: CandidateId | None = Field(
        default=None,
        description="Instead of source: id of a network on record, the first eight or more digits of it, or its name.",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.source is None) == (self.candidate_id is None):
            raise ValueError("give either source or candidate_id, one of them and not both")
        return self


def info_of(dataset: str) -> TaskInfo:
    """A data set by name.

    Raises:
        UnknownDataset: there is none of that name; the message lists those that are.
    """
    return task_info(dataset)


def task_of(dataset: str) -> Task:
    """The classification task on a data set."""
    return info_of(dataset).task


def limits_of(max_params: int | None, min_params: int | None = None) -> RequestLimits:
    """Limits on the network itself.

    Raises:
        ToolError: they leave nothing.
    """
    if max_params is not None and min_params is not None and min_params > max_params:
        raise ToolError(f"min_params {min_params:,} is above max_params {max_params:,}: nothing can meet both")
    return RequestLimits(min_params=min_params, max_params=max_params)


def protocol_of(dataset: str, name: str | None, changes: dict[str, Any]) -> Protocol:
    """A protocol by name, or the data set's own, with single fields changed where they are not ``None``."""
    given = {key: value for key, value in changes.items() if value is not None}
    chosen = protocol(name or default_protocol(dataset).name, **given)
    check_fits(chosen, info_of(dataset))
    return chosen


def shortened(text: str | None, most: int = MOST_SHOWN) -> str:
    """A text of others, cut where it is longer than a result should repeat."""
    told = text or ""
    return told if len(told) <= most else f"{told[: most - 1]}…"


def explain_error(error: BaseException) -> str:
    """What an error says to whoever called a tool; a fault of the program names its kind, and no more of it."""
    told = explain(error) if isinstance(error, Exception) else None
    return told or f"a fault of netwright, {type(error).__name__}: {shortened(str(error), 200)}; its log says where"
