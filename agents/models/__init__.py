"""Language models behind LangChain's ``BaseChatModel``: embedded, served, hosted and scripted.

Names are imported when they are first asked for: the settings of a model must not cost the seconds that torch takes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .config import ModelConfig, ModelUnavailable

if TYPE_CHECKING:
    from .factory import ChatModelHandle, open_chat_model
    from .local import LocalChatModel
    from .scripted import Answer, ScriptedChatModel, ScriptExhausted

__all__ = [
    "Answer",
    "ChatModelHandle",
    "LocalChatModel",
    "ModelConfig",
    "ModelUnavailable",
    "ScriptExhausted",
    "ScriptedChatModel",
    "open_chat_model",
]

_PLACES = {
    "Answer": "scripted",
    "ChatModelHandle": "factory",
    "LocalChatModel": "local",
    "ScriptExhausted": "scripted",
    "ScriptedChatModel": "scripted",
    "open_chat_model": "factory",
}


def __getattr__(name: str) -> Any:
    """Import the module of a name that is not there yet."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
