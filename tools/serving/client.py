"""Talking to a running vLLM server: is it well, what does it serve, complete this, load that adapter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from .settings import ServingError

CONNECT_S = 10.0
ANSWER_S = 600.0
"""Seconds that one request may wait in the server's queue and be decoded."""
_IDLE_S = 2.0
"""Seconds after which an idle connection is not used again: vLLM closes those of five."""
_TRIES = 2
_CUT = 500


class ServerUnreachable(ServingError):
    """Nothing answers at a server's address."""


class RequestRefused(ServingError):
    """The server answered, and the answer is no.

    Attributes:
        status: HTTP status of the answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Structured:
    """What an answer must look like; the server then samples only what fits. Exactly one is set.

    Attributes:
        regex: regular expression for the whole answer.
        json: JSON schema.
        choice: the answers that are allowed.
    """

    regex: str | None = None
    json: Mapping[str, Any] | None = None
    choice: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if len(self.body()) != 1:
            raise ValueError("structured output takes exactly one of regex, json and choice")

    def body(self) -> dict[str, Any]:
        """vLLM's ``structured_outputs``."""
        parts = {"regex": self.regex, "json": self.json, "choice": self.choice}
        return {name: part for name, part in parts.items() if part is not None}

    def fits(self, text: str) -> bool:
        """Whether an answer looks as it must; of a JSON schema, that it is JSON at all."""
        if self.regex is not None:
            return re.fullmatch(self.regex, text, re.DOTALL) is not None
        if self.choice is not None:
            return text in self.choice
        try:
            json.loads(text)
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class ServedText:
    """One completion. Token counts are the server's."""

    text: str
    prompt_tokens: int
    tokens: int
    finish: Literal["stop", "length"]


class Connection:
    """A server at an address. Safe to share between threads.

    Args:
        url: address up to and with ``/v1``.
        key: what the server wants to see; ``None``: nothing.
        remedy: what to do when nothing answers, for the message of the error.
    """

    def __init__(self, url: str, key: str | None = None, remedy: str = "start it, or check model.base_url") -> None:
        self.url = url.rstrip("/")
        self._shown = str(httpx.URL(self.url).copy_with(username=None, password=None))  # for messages
        self.remedy = remedy
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=_IDLE_S)
        # trust_env: a proxy for the internet is no way to a server on loopback.
        self._http = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            transport=httpx.HTTPTransport(retries=_TRIES, limits=limits),
            trust_env=False,
        )

    def close(self) -> None:
        """Close the sockets."""
        self._http.close()

    def healthy(self, timeout_s: float = 5.0) -> bool:
        """Whether the server says that it can answer; ``False`` also where nothing answers."""
        try:
            return self._http.get(f"{self.url.removesuffix('/v1')}/health", timeout=timeout_s).status_code == 200
        except httpx.HTTPError:
            return False

    def models(self) -> dict[str, int | None]:
        """Names the server answers to, adapters among them, with the context of each where it is told."""
        answer = self._ask("GET", "/models")
        with self._understood(answer):
            return {str(entry["id"]): entry.get("max_model_len") for entry in answer.json()["data"]}

    def takes_adapters(self) -> bool:
        """Whether adapters can be loaded while the server runs: found by a request that names none."""
        try:
            self._ask("POST", "/load_lora_adapter", {})
        except RequestRefused as refused:
            return refused.status not in {403, 404, 405}
        return True

    def load_adapter(self, name: str, folder: str) -> None:
        """Make the server answer to ``name`` with the adapter in ``folder``, which it must be able to read."""
        self._ask("POST", "/load_lora_adapter", {"lora_name": name, "lora_path": folder})

    def unload_adapter(self, name: str) -> None:
        """Let the server forget an adapter."""
        self._ask("POST", "/unload_lora_adapter", {"lora_name": name})

    def complete(
        self, model: str, prompt: Sequence[int], *, structured: Structured | None = None, **sampling: Any
    ) -> ServedText:
        """One completion of a prompt given as token ids.

        Args:
            structured: what the answer must look like.
            sampling: ``max_tokens``, ``temperature``, ``seed``, ``top_k``, ``top_p``; ``None`` leaves one out.

        Raises:
            ServerUnreachable: nothing answers.
            RequestRefused: the server refuses the request, such as a prompt that is too long.
        """
        body: dict[str, Any] = {"model": model, "prompt": list(prompt)}
        body |= {name: value for name, value in sampling.items() if value is not None}
        if structured is not None:
            body["structured_outputs"] = structured.body()
        answer = self._ask("POST", "/completions", body)
        with self._understood(answer):
            held = answer.json()
            choice, usage = held["choices"][0], held.get("usage") or {}
            return ServedText(
                text=choice["text"],
                prompt_tokens=int(usage.get("prompt_tokens", len(prompt))),
                tokens=int(usage.get("completion_tokens", 0)),
                finish="length" if choice.get("finish_reason") == "length" else "stop",
            )

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        try:
            answer = self._http.request(method, self.url + path, json=body)
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise ServerUnreachable(
                f"the language model's server at {self._shown} does not answer ({why}): {self.remedy}"
            ) from error
        if answer.status_code == 401:
            raise RequestRefused(
                f"the server at {self._shown} refuses the key: name the environment variable that holds it by "
                "model.api_key_env",
                401,
            )
        if answer.is_error:
            raise RequestRefused(
                f"the server at {self._shown} refused {path}: {answer.status_code} {_told(answer)}", answer.status_code
            )
        return answer

    @contextmanager
    def _understood(self, answer: httpx.Response) -> Iterator[None]:
        """Turns an answer that is not what vLLM says into an error: another program may listen at the address."""
        try:
            yield
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise RequestRefused(
                f"what answers at {self._shown} is no OpenAI-compatible server ({answer.text[:80]!r}): {self.remedy}",
                answer.status_code,
            ) from error


def _told(answer: httpx.Response) -> str:
    """The message in an error; vLLM answers JSON or plain text."""
    try:
        held = answer.json()
    except ValueError:
        return answer.text[:_CUT]
    inner = held.get("error", held) if isinstance(held, dict) else held
    return str(inner.get("message", inner) if isinstance(inner, dict) else inner)[:_CUT]
