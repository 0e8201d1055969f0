"""A small server that speaks vLLM's endpoints, run as a process of its own in place of vLLM: it samples nothing.

Its answers tell what was asked: the model's name, the seed and the length of the prompt. As vLLM's, its key comes by
the environment, and adapters are loaded only where the environment allows it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--max-lora-rank", type=int, default=16)
    parser.add_argument("--max-model-len", type=int, default=1024)
    return parser.parse_known_args()[0]


class Handler(BaseHTTPRequestHandler):
    options: argparse.Namespace
    loaded: dict[str, str]
    lock = threading.Lock()

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(200, "")
        elif self._allowed():
            names = [self.options.served_model_name, *self.loaded]
            self._answer(200, {"data": [{"id": n, "max_model_len": self.options.max_model_len} for n in names]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._allowed():
            return
        if self.path == "/v1/completions":
            self._complete(body)
        elif self.path.endswith("_lora_adapter") and os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING") == "True":
            with self.lock:
                (self._load if self.path == "/v1/load_lora_adapter" else self._unload)(body)
        else:
            self._answer(404, {"detail": "Not Found"})

    def _allowed(self) -> bool:
        key = os.environ.get("VLLM_API_KEY")
        if key is None or self.headers["Authorization"] == f"Bearer {key}":
            return True
        self._answer(401, {"error": "Unauthorized"})
        return False

    def _complete(self, body: dict[str, Any]) -> None:
        if body["model"] not in {self.options.served_model_name, *self.loaded}:
            self._answer(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
            return
        print("completion", json.dumps(body), flush=True)
        text = f"{body['model']} {body['seed']} {len(body['prompt'])}"
        if "structured_outputs" in body:
            text = {"regex": "42", "json": "{}", "choice": "yes"}[next(iter(body["structured_outputs"]))]
        choice = {"text": text, "finish_reason": "stop"}
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": 3}
        self._answer(200, {"choices": [choice], "usage": usage})

    def _load(self, body: dict[str, Any]) -> None:
        if "lora_name" not in body:
            self._answer(400, {"error": {"message": "Both 'lora_name' and 'lora_path' must be provided."}})
        elif body["lora_name"] in self.loaded:
            self._answer(400, {"error": {"message": "has already been loaded"}})
        else:
            rank = json.loads((Path(body["lora_path"]) / "adapter_config.json").read_text())["r"]
            if rank > self.options.max_lora_rank:
                self._answer(400, {"error": {"message": f"LoRA rank {rank} is greater than max_lora_rank"}})
                return
            self.loaded[body["lora_name"]] = body["lora_path"]
            self._answer(200, f"Success: LoRA adapter '{body['lora_name']}' added successfully.")

    def _unload(self, body: dict[str, Any]) -> None:
        del self.loaded[body["lora_name"]]
        self._answer(200, f"Success: LoRA adapter '{body['lora_name']}' removed successfully.")

    def _answer(self, status: int, body: Any) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Keeps the log to what is printed on purpose."""


class Server(ThreadingHTTPServer):
    daemon_threads = True


def main() -> None:
    options = arguments()
    if options.served_model_name == "broken":
        sys.exit("ValueError: this model cannot be loaded")
    print("environment", json.dumps(dict(os.environ)), flush=True)
    Handler.options, Handler.loaded = options, {}
    Server((options.host, options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
