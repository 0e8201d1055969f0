"""Judge files in the sandbox and train each valid one once: ``python examples/validate_file.py [FILE]...``."""

from __future__ import annotations

import sys
from pathlib import Path

from netwright.sandbox import open_sandbox
from netwright.tools.execution import Validator, read_source
from netwright.tools.protocols import default_protocol
from netwright.tools.tasks import task
from netwright.tools.training import Evaluator, evaluation_image


def main(paths: list[Path]) -> None:
    digits = task("digits")
    with open_sandbox("bubblewrap", evaluation_image(["digits"]), workers=1) as sandbox:
        for path in paths:
            verdict = Validator(sandbox).validate_file(path, digits)
            print(f"{path.name}: {verdict.reason}, {verdict.params} parameters, {verdict.flops} FLOPs")
            if verdict.ok:
                trial = Evaluator(sandbox).train(read_source(path), digits, default_protocol("digits"))
                print(f"{trial.state}: {digits.metric} {trial.metric}, {trial.cpu_s:.1f} CPU seconds")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or [Path(__file__).with_name("small_net.py")])
