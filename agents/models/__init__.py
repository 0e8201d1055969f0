"""Language models behind LangChain's ``BaseChatModel``: embedded, served, hosted and scripted."""

from .config import ModelConfig, ModelUnavailable
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
