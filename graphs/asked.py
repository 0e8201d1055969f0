"""What a configuration or a request asks for: task, protocol and limits, written down before any work begins."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ..agents.models.identity import model_identity
from ..memory.records import Records
from ..memory.rows import Campaign
from ..memory.types import Protocol, Request, RequestLimits
from ..tools.datasets import prepare
from ..tools.frameworks import load_frameworks
from ..tools.protocols import check_fits, default_protocol, protocol
from ..tools.tasks import task_info
from ..tools.training import seen_task
from .config import Config
from .library import check_library


def campaign_request(config: Config) -> Request:
    """The request that a campaign's configuration stands for."""
    wanted = task_info(config.campaign.dataset).task
    limits = RequestLimits(min_params=config.campaign.min_params, max_params=config.campaign.max_params)
    return Request(task=wanted, limits=limits)


def chosen_protocol(config: Config, dataset: str) -> Protocol:
    """The protocol that the configuration names, or the data set's own, with the configuration's overrides."""
    changes = config.protocol.model_dump(exclude={"name"}, exclude_none=True)
    chosen = protocol(config.protocol.name or default_protocol(dataset).name, **changes)
    check_fits(chosen, task_info(dataset))
    return chosen


def seen_request(request: Request, chosen: Protocol) -> Request:
    """The request as a network has to meet it: with images of the shape that the protocol's transform makes."""
    return request.model_copy(update={"task": seen_task(request.task, chosen)})


def limits_hash(request: Request, config: Config) -> str:
    """Twelve hex digits over what a verdict depends on beside candidate and task: the request's limits, the
    sandbox's, and the images' shape where a transform changes it."""
    sandbox = {"backend": config.sandbox.backend, **config.sandbox.validation.model_dump()}
    parts: list[Any] = [request.limits.model_dump(), sandbox]
    seen = seen_task(request.task, chosen_protocol(config, request.task.dataset))
    if seen != request.task:
        parts.append(seen.in_shape)
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def register_campaign(config: Config, run: str, records: Records) -> Campaign:
    """Write a campaign down before it starts; an equal one that is there already is left as it is.

    Raises:
        UnknownDataset, ValueError: the configuration names something unknown.
        DatasetMissing: the data set is not on disk.
        RecordsError: the id is taken by a campaign of another configuration.
    """
    load_frameworks()
    from ..tools.pretraining.pipeline import packaged_corpus

    request, chosen = campaign_request(config), chosen_protocol(config, config.campaign.dataset)
    prepare(request.task.dataset)
    document = config.model_dump(mode="json")
    return _register(document, config, run, records, request, chosen, len(packaged_corpus()))


def register_design(
    request: Request, config: Config, run: str, records: Records, parent: str | None = None
) -> Campaign:
    """Write a design request down under its own id, so that its answers and verdicts have a place."""
    document: dict[str, Any] = {
        "request": request.model_dump(mode="json"),
        "model": config.model.model_dump(mode="json"),
    }
    if parent is not None:
        document["parent"] = parent
    return _register(document, config, run, records, request, chosen_protocol(config, request.task.dataset))


def _register(
    document: dict[str, Any],
    config: Config,
    run: str,
    records: Records,
    request: Request,
    chosen: Protocol,
    initial_corpus: int = 0,
) -> Campaign:
    load_frameworks()
    from ..tools.pretraining.report import machine, versions

    blocks = check_library(config)
    records.add_task(request.task)
    records.add_protocol(chosen)
    return records.create_campaign(
        Campaign(
            id=run,
            config=document,
            seed=config.campaign.seed,
            task_id=request.task.id,
            protocol_hash=chosen.hash,
            limits_hash=limits_hash(request, config),
            initial_corpus=initial_corpus,
            machine=machine()
            | {"versions": versions(), "model": model_identity(config.model)}
            | ({"blocks": blocks} if blocks else {}),
        )
    )
