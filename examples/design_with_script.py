"""Ask for a design with a scripted model: ``python examples/design_with_script.py``.

The script's first answer has a mistake, its second one is right. What happens between the two is what happens
with any language model: extraction, verdict, repair prompt, new verdict.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from netwright.graphs.config import load_config
from netwright.graphs.design import design_id, run_design
from netwright.memory.records import Records
from netwright.tools.requests import parse_request

NETWORK = Path(__file__).with_name("small_net.py").read_text(encoding="utf-8")
ANSWERS = [
    f"<think>Small images, so few channels.</think>\n```python\n{NETWORK.replace('Linear(32', 'Linear(16')}```",
    f"The head was too narrow for the features. Corrected:\n```python\n{NETWORK}```",
]


def main(folder: Path) -> None:
    script = folder / "answers.json"
    script.write_text(json.dumps(ANSWERS), encoding="utf-8")
    request = parse_request("a handwritten digits classifier under 20k parameters")
    config = load_config(
        overrides=[
            "model.name=scripted",
            f"model.path={script}",
            "campaign.candidates=1",
            "sandbox.workers=1",
        ]
    )
    with Records(f"sqlite:///{folder / 'records.db'}") as records:
        designed = run_design(request, config, records)
        for attempt in records.repairs(design_id(request, config)):
            outcome = attempt.verdict.reason if attempt.verdict else "not judged"
            print(f"repair {attempt.try_no}: {attempt.error}\n  → {outcome}")
    print(designed.explanation)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
