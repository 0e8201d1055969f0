"""Opening what a campaign works with: data, model, sandbox, corpus, agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

from langgraph.runtime import RunControl

from ..agents.evaluator import EvaluatorAgent
from ..agents.learner import tuning_defaults, tuning_turns
from ..agents.models import ModelUnavailable
from ..agents.models.batched import Style
from ..agents.models.factory import ChatModelHandle, open_chat_model
from ..agents.models.identity import model_identity
from ..agents.prompting import chat_prompt
from ..agents.reinforcer import Reinforcer
from ..memory.corpus import Corpus
from ..memory.home import home_folder
from ..memory.novelty import NoveltyIndex
from ..memory.records import Records
from ..memory.types import Request, Task
from ..sandbox import Sandbox, WorkerImage, open_sandbox
from ..tools.datasets import prepare
from ..tools.dedup.graphs import GraphStore
from ..tools.devices import CPU, Device, find_devices, places_on
from ..tools.execution import Validator, validation_image
from ..tools.finetuning import TuningPair
from ..tools.grpo import GrpoStep
from ..tools.serving.environment import kind_here
from ..tools.tasks import task_info
from ..tools.training import Evaluator, evaluation_image
from .agents import designer_and_repairer, grafter, hinter_for, predictor
from .asked import campaign_request, chosen_protocol, limits_hash, register_design, seen_request
from .campaign_agents import Opened, evaluator, learner
from .config import Config
from .design import DesignServices
from .library import open_library
from .opening_checks import check_improvement, check_same_model
from .reinforcing import reinforcer
from .services import Event, Services, no_events
from .workshop import Workshop


@contextmanager
def open_services(
    config: Config,
    run: str,
    records: Records,
    *,
    control: RunControl | None = None,
    notify: Callable[[Event], None] = no_events,
) -> Iterator[Services]:
    """Everything the campaign graph needs, closed at the end."""
    # Here, because they import LibCST and torch, and design requests need neither.
    from ..tools.grafting.graft import Grafting
    from ..tools.pretraining.pipeline import packaged_corpus

    control = control or RunControl()
    request, chosen = campaign_request(config), chosen_protocol(config, config.campaign.dataset)
    prepare(request.task.dataset)
    seen, key = seen_request(request, chosen), limits_hash(request, config)
    check_same_model(records.get_campaign(run), config)
    model = open_chat_model(config.model)
    tuning = config.tuning or tuning_defaults(model.name, model.style)
    tuned = config.campaign.tune and model.tunable
    if tuned:
        check_improvement(config, model, tuning)
    corpus = Corpus(records, ((p.header.render(), p.source) for p in packaged_corpus()))
    index = corpus.index(run, 0, home_folder("novelty") / "initial-corpus.npz")
    devices = _devices(config)
    image = evaluation_image([request.task.dataset], transforms=[chosen.transform], devices=devices)
    with (
        closing(model),
        open_library(config) as library,
        _sandbox(config, image, devices) as sandbox,
        closing(GraphStore(home_folder("novelty") / "graphs.db")) as graphs,
    ):
        opened = Opened(config, run, records, request, chosen, seen, key, model, sandbox, devices, corpus)
        validator = Validator(sandbox, limits=config.sandbox.validation)
        designer, repairer = designer_and_repairer(
            config, run, model, records, validator, request, chosen, library, hinter_for(config, sandbox)
        )
        grafting = Grafting(sandbox, validator, seen.task, seen.limits)
        yield Services(
            config=config,
            records=records,
            designer=designer,
            repairer=repairer,
            evaluator=evaluator(opened, index, graphs),
            learner=learner(
                opened,
                tuning,
                _replay(seen, model.style),
                enabled=tuned,
                stopping=lambda: control.drain_requested,
            ),
            grafter=grafter(config, records, designer, grafting, key),
            predictor=predictor(config, records, request, chosen),
            control=control,
            notify=notify,
        )


def _devices(config: Config) -> list[Device]:
    """Where candidates train, beside a server on the GPUs that the campaign will start."""
    serving, taken = config.model.serving, dict[int, float]()
    if config.model.serve is not None and kind_here(serving.device) == "gpu":
        taken = dict.fromkeys(range(serving.gpus), serving.gpu_share)
    return find_devices(config.evaluation.device, config.evaluation.gpu_memory_mb, taken)


def _sandbox(config: Config, image: WorkerImage, devices: Sequence[Device]) -> Sandbox:
    """The configured sandbox, with a worker for each place on GPUs where there are any."""
    place = config.sandbox
    return open_sandbox(place.backend, image, workers=place.workers or places_on(devices), docker=place.docker)


@contextmanager
def open_design(
    request: Request,
    config: Config,
    run: str,
    records: Records,
    *,
    train: bool,
    parent: str | None = None,
    workshop: Workshop | None = None,
) -> Iterator[DesignServices]:
    """Everything the design graph needs; the data set only when something is trained.

    Args:
        parent: id of the network on record that an instruct model is to change.
        workshop: what is open already, and stays open; without one all is closed at the end.
    """
    dataset = request.task.dataset
    register_design(request, config, run, records, parent)
    chosen = chosen_protocol(config, dataset)
    with ExitStack() as stack:
        shop = workshop or stack.enter_context(closing(Workshop()))
        library = stack.enter_context(open_library(config))
        sandbox = shop_sandbox(shop, config, dataset if train else None)
        model = shop_model(shop, config)
        validator = Validator(sandbox, limits=config.sandbox.validation)
        hinter = hinter_for(config, sandbox)
        designer, repairer = designer_and_repairer(
            config, run, model, records, validator, request, chosen, library, hinter, parent
        )
        trainer = _trainer(config, sandbox, request.task, records) if train else None
        yield DesignServices(config, records, designer, repairer, trainer)


def shop_model(shop: Workshop, config: Config) -> ChatModelHandle:
    """The model of a workshop that the configuration names.

    Raises:
        ModelUnavailable: it cannot be used here.
    """
    key = (config.model.model_dump_json(), model_identity(config.model))
    return shop.model(key, lambda: open_chat_model(config.model))


def shop_sandbox(shop: Workshop, config: Config, dataset: str | None) -> Sandbox:
    """The sandbox of a workshop: to train on a data set under the configured protocol, or to validate alone.

    Raises:
        DatasetMissing: the data set is not on disk.
        SandboxUnavailable: the sandbox cannot run here.
    """
    devices, image = [CPU], validation_image()
    if dataset is not None:
        prepare(dataset)
        devices = _devices(config)
        image = evaluation_image([dataset], transforms=[chosen_protocol(config, dataset).transform], devices=devices)
    place = config.sandbox.model_dump_json(include={"backend", "workers", "docker"})
    return shop.sandbox(place, image, lambda: _sandbox(config, image, devices))


def shop_trainer(shop: Workshop, config: Config, task: Task, records: Records) -> EvaluatorAgent:
    """What trains networks of a task under the configured protocol, whoever wrote them.

    Raises:
        DatasetMissing: the data set is not on disk.
    """
    sandbox = shop_sandbox(shop, config, task.dataset)
    return _trainer(config, sandbox, task, records)


def _trainer(config: Config, sandbox: Sandbox, task: Task, records: Records) -> EvaluatorAgent:
    return EvaluatorAgent(
        records,
        Evaluator(sandbox, config.evaluation.memory_mb, _devices(config)),
        task,
        chosen_protocol(config, task.dataset),
        Corpus(records),
        NoveltyIndex(),
        task_info(task.dataset).threshold,
        sandbox.workers,
        halving=False,  # a request asks for few candidates, and for the answer the whole training counts
    )


@contextmanager
def open_reinforcer(
    config: Config, records: Records, progress: Callable[[GrpoStep], None] | None = None
) -> Iterator[tuple[Reinforcer, list[TuningPair]]]:
    """What reinforcement needs outside of a campaign: the agent, and the model's own programs to make skeletons of.

    Raises:
        ModelUnavailable: the model's weights are not on this machine.
    """
    request, chosen = campaign_request(config), chosen_protocol(config, config.campaign.dataset)
    prepare(request.task.dataset)
    devices = _devices(config)
    image = evaluation_image([request.task.dataset], transforms=[chosen.transform], devices=devices)
    with closing(open_chat_model(config.model)) as model, _sandbox(config, image, devices) as sandbox:
        if model.base_folder is None:
            raise ModelUnavailable(f"{model.name} cannot be tuned: its weights are not on this machine")
        agent = reinforcer(config, model, records, sandbox, request, devices, stopping=lambda: False, progress=progress)
        yield agent, _replay(agent.request, model.style)


def _replay(request: Request, style: Style) -> list[TuningPair]:
    """Pairs of the initial corpus for this task's shapes, mixed into the tuning against forgetting.

    Their prompts are what the model would have been asked: the header line, or the request in words.
    """
    from ..tools.pretraining.pipeline import packaged_corpus

    shape, classes = request.task.in_shape, request.task.out_shape[0]
    programs = [p for p in packaged_corpus() if p.header.in_shape == shape and p.header.classes == classes]
    if style == "completion":
        return [TuningPair.of(p.header.render(), p.source) for p in programs]
    most = request.limits.max_params
    turns = tuning_turns(chat_prompt(request))
    return [TuningPair(prompt=turns, completion=p.source) for p in programs if most is None or p.params <= most]
