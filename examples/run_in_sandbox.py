"""Use the sandbox without the rest: ``python examples/run_in_sandbox.py``.

Each snippet asks for something that untrusted code should not get. The outcome says how that went.
"""

from __future__ import annotations

from pathlib import Path

from netwright.sandbox import Job, Limits, WorkerImage, open_sandbox

SNIPPETS = {
    "arithmetic": "found = sum(range(10))",
    "environment": "import os; found = sorted(os.environ)",
    "accounts": "found = open('/etc/passwd').read()",
    "network": "import socket; found = socket.create_connection(('192.0.2.1', 80), timeout=1)",
    "endless loop": "while True: pass",
    "memory": "found = bytearray(20 * 2**30)",
    "noise": "while True: print('x' * 1000)",
    "exit": "import os; os._exit(0)",
}


def main() -> None:
    image = WorkerImage(handlers=Path(__file__).with_name("handlers"), preload=())
    limits = Limits(wall_s=3, cpu_s=2, memory_mb=256, processes=8, scratch_mb=8, output_kb=64, result_kb=64)
    with open_sandbox("bubblewrap", image, workers=1) as sandbox:
        for name, source in SNIPPETS.items():
            outcome = sandbox.run(Job(handler="peek.run", payload={"source": source}, limits=limits))
            failure = f"{outcome.failure.error_class}: {outcome.failure.message}" if outcome.failure else ""
            told = outcome.result["found"] if outcome.status == "ok" else failure
            print(f"{name:13} {outcome.status:8} {outcome.wall_s:5.2f} s  {told[:90]}")


if __name__ == "__main__":
    main()
