"""Prompts of the MCP server: common jobs, said so that a model with these tools can do them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mcp import types
from mcp.shared.exceptions import McpError

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server


@dataclass(frozen=True)
class Asked:
    """A prompt: its arguments by name with what they mean, those of ``optional`` with what is taken in their place."""

    title: str
    description: str
    arguments: dict[str, str]
    optional: dict[str, str]
    text: str


_MOST: Final = 2000

PROMPTS: Final[dict[str, Asked]] = {
    "design_for_device": Asked(
        "Design a network for a device",
        "Find the best network for a data set that fits a device's memory.",
        {
            "dataset": "Data set, as list_datasets names it.",
            "memory_kb": "Kilobytes that the weights may take.",
            "bytes_per_weight": "4 for float32, 1 for int8; default 4.",
        },
        {"bytes_per_weight": "4"},
        """Design a network for {dataset} whose weights fit into {memory_kb} KB at {bytes_per_weight} bytes each.

1. Compute the parameter limit: {memory_kb} * 1024 / {bytes_per_weight}.
2. query_records with dataset={dataset} and this max_params, order=metric: is there a good one already?
3. design with train=true, a request that names the data set and the limit; try two or three styles
   (depthwise, residual, mixer) as jobs of their own by submit_job.
4. check_novelty for those that are valid, evaluate those that are new and were not trained.
5. Answer with the best: its id, accuracy, parameters, FLOPs, and how far below the limit it is; beside it the runner-up
   and what distinguishes them. Say plainly if none met the limit, and why.""",
    ),
    "why_does_it_fail": Asked(
        "Find out why a network fails",
        "Say what is wrong with a network, mend it, and show the difference.",
        {
            "dataset": "Data set that the network is for.",
            "network": "The source of the network, or the id of one on record.",
        },
        {},
        """Find out why this network fails on {dataset}, and mend it.

1. validate it (source, or candidate_id if it is an id of 64 hex digits). Read stage, error and line.
2. Look at that line and say in one sentence what is wrong, in terms of shapes, names or the contract.
3. Mend it yourself and validate again; if it still fails, use repair.
4. Show the changed lines before and after, and the new verdict.

The network:
{network}""",
    ),
    "plan_campaign": Asked(
        "Plan a campaign",
        "Choose settings for a campaign within a time, and start it when the person agrees.",
        {
            "dataset": "Data set of the campaign.",
            "hours": "How long it may run.",
            "aim": "What it is for; default: the best accuracy.",
        },
        {"aim": "the best accuracy"},
        """Plan a campaign on {dataset} of at most {hours} hours. The aim: {aim}.

1. list_campaigns and watch_campaign for earlier ones on this data set: how long did a cycle take, what was reached,
   what failed?
2. query_records with dataset={dataset}: what is the best so far, under which protocol?
3. Choose cycles, candidates, max_params, threshold and train_limit. Reckon the time from what a training took;
   where nothing is known, evaluate one network of generate first and measure it.
4. Tell the person the plan as a table with reasons, the expected time, and what would be a success. Ask whether to
   start. Only after a yes: start_campaign with wall_minutes set, then watch_campaign once.""",
    ),
    "compare_candidates": Asked(
        "Compare two networks",
        "Say which of two networks on record is the better one, and why.",
        {"first": "Id of a network on record.", "second": "Id of another.", "dataset": "Data set; default digits."},
        {"dataset": "digits"},
        """Compare the networks {first} and {second} on {dataset}.

1. get_candidate for both. Compare results only where their protocol_hash is equal; where they have none in common,
   evaluate both with the same arguments.
2. deduplicate them by candidate_ids: are they the same computation?
3. Answer with a table: accuracy, parameters, FLOPs, depth, parents; then in three sentences which one to prefer for
   accuracy and which for size, and what in their source explains the difference. If they differ by less than a
   hundredth in accuracy, say that one run cannot tell them apart.""",
    ),
}


def filled(name: str, given: dict[str, str]) -> types.GetPromptResult:
    """A prompt with its arguments put in.

    Raises:
        McpError: no such prompt, or an argument is missing, unknown or too long.
    """
    asked = PROMPTS.get(name)
    if asked is None:
        raise _invalid(f"no prompt is called {name[:80]!r}; there are: {', '.join(PROMPTS)}")
    unknown = sorted(set(given) - set(asked.arguments))
    missing = sorted(set(asked.arguments) - set(given) - set(asked.optional))
    if unknown or missing:
        raise _invalid(f"{name} takes {', '.join(asked.arguments)}; missing: {missing}, unknown: {unknown}")
    most = 64 * _MOST if name == "why_does_it_fail" else _MOST
    if any(len(value) > most for value in given.values()):
        raise _invalid(f"{name}: an argument has more than {most:,} characters")
    text = asked.text.format(**{**asked.optional, **given})
    message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
    return types.GetPromptResult(description=asked.description, messages=[message])


def _invalid(message: str) -> McpError:
    return McpError(types.ErrorData(code=types.INVALID_PARAMS, message=message))


def add_prompts(server: Server[Any, Any]) -> None:
    """Serve the prompts."""

    @server.list_prompts()  # type: ignore[no-untyped-call,untyped-decorator]
    async def list_prompts() -> list[types.Prompt]:
        return [
            types.Prompt(
                name=name,
                title=asked.title,
                description=asked.description,
                arguments=[
                    types.PromptArgument(name=key, description=text, required=key not in asked.optional)
                    for key, text in asked.arguments.items()
                ],
            )
            for name, asked in PROMPTS.items()
        ]

    @server.get_prompt()  # type: ignore[no-untyped-call,untyped-decorator]
    async def get_prompt(name: str, arguments: dict[str, str] | None) -> types.GetPromptResult:
        return filled(name, arguments or {})
