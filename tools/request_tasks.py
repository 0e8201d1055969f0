"""What a request asks of a network that netwright cannot give, or that nothing holds it to."""

from __future__ import annotations

import re

from .request_limits import RequestError

_TASKS = re.compile(
    r"\b(?:(?:semantic\s+|instance\s+|image\s+|panoptic\s+)?segment(?:ation|ing|s)?|object\s+detect(?:ion"
    r"|ing|or)s?|bounding\s+box(?:es)?"
    r"|detects?\s+objects|draws?\s+(?:\w+\s+){0,2}box(?:es)?|(?:object\s+)?locali[sz](?:ation|es?|ing)|pose\s+estimation|super[\s-]?resolution|denois(?:ing|er|es?)|inpainting|coloriz\w+"
    r"|(?:variational\s+)?auto[\s-]?encoders?|vaes?|gans?|generative\s+(?:adversarial\s+)?(?:network|net"
    r"|model)s?|diffusion(?:\s+model)?s?"
    r"|(?:image\s+)?caption(?:s|ing|er)?|language\s+models?|(?:text|image|speech)\s+generation"
    r"|generates?\s+(?:new\s+)?(?:images|pictures|text)"
    r"|machine\s+translation|translator|speech\s+recognition|sentiment|chat\s?bots?|regression|regressor"
    r"|forecast\w*|time[\s-]series"
    r"|reinforcement\s+learning|recommender|anomaly\s+detection|clustering|text\s+classif\w+|audio)\b"
)
_NOT = re.compile(r"\b(?:no|not|without|never|instead\s+of|rather\s+than)\s+(?:an?\s+|any\s+)?$")
# Parts of networks that are read by models which read text, and looked at by nobody.
_PARTS = re.compile(
    r"\b(?:(?:with|without|no|using|use|only|has|have|and|plus)\s+)?(?:(?:a|an|the|some|any|global|max"
    r"|average|avg|batch|layer|group|big|large|small|heavy|strided?|dilated|grouped)\s+){0,4}"
    r"(?:batch[\s-]?norm(?:ali[sz]ation)?|layer[\s-]?norm|group[\s-]?norm|drop[\s-]?out|pooling"
    r"|stride[sd]?|padding|dilat\w+|bias(?:es)?|"
    r"gelu|relu|silu|swish|sigmoid|tanh|leaky[\s-]?relu|softmax|bottlenecks?|weight\s+decay"
    r"|data\s+augmentation|augmentation|"
    r"recurrent|lstm|gru|rnn|capsules?|kernels?|convolutions|spiking|graph\s+neural|u-?net|kan|hopfield|boltzmann)\b"
)


def refuse_other_tasks(low: str) -> None:
    """Refuse what is no classification of images.

    Raises:
        RequestError: naming the task.
    """
    for hit in _TASKS.finditer(low):
        if not _NOT.search(low[: hit.start()]):
            raise RequestError(
                f"'{hit.group()}' is another task: netwright designs networks that classify images; "
                "say e.g. 'a CIFAR-10 classifier under 200k parameters'"
            )


def passed_over(low: str) -> list[str]:
    """Notes of wishes for parts of the network, which are told to models that read text and held by nothing."""
    found = list(dict.fromkeys(" ".join(hit.group().split()) for hit in _PARTS.finditer(low)))
    return [f"'{said[:60]}' is no limit that is looked at: only models that read text are told" for said in found[:5]]
