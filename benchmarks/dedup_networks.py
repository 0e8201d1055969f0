"""Networks for the benchmark of deduplication: of about 9 KB, with near-duplicates of known similarity among them."""

from __future__ import annotations

import io
import random
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

from netwright.tools.pretraining.pipeline import packaged_corpus

SIZE = 9_000
SHINGLE = 10
_SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
_HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n\n"
_NET = """class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.device = device
        self.parts = nn.ModuleList([part(in_shape, out_shape, prm, device) for part in ({parts})])

    def forward(self, x):
        return sum(part(x) for part in self.parts)

    def train_setup(self, prm):
        self.to(self.device)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.parameters(), lr=prm['lr'], momentum=prm['momentum'])

    def learn(self, train_data):
        self.train()
        for inputs, labels in train_data:
            self.optimizer.zero_grad()
            self.criterion(self(inputs.to(self.device)), labels.to(self.device)).backward()
            self.optimizer.step()


def supported_hyperparameters():
    return {{'lr', 'momentum'}}
"""


@dataclass(frozen=True)
class Planted:
    """A copy of another network with some changes, and the exact similarity of the two."""

    key: str
    origin: str
    jaccard: float


def write_networks(folder: Path, count: int, share: float, seed: int) -> list[Planted]:
    """Write so many files; of a share of them others are the origin. Similarities lie on both sides of 0.90."""
    rng = random.Random(f"{seed} {count}")
    parts = [_part(program.source) for program in packaged_corpus()]
    folder.mkdir(parents=True, exist_ok=True)
    copies = set(rng.sample(range(1, count), round(share * count)))
    originals: list[tuple[str, str]] = []
    planted: list[Planted] = []
    for at in range(count):
        key = f"net-{at:06}.py"
        if at in copies and originals:
            origin, text = rng.choice(originals[-2_000:])
            made = _changed(text, rng)
            planted.append(Planted(key, origin, exact_jaccard(text, made)))
        else:
            made = _composed(parts, rng)
            originals.append((key, made))
        (folder / key).write_text(made, encoding="utf-8")
    return planted


def exact_jaccard(one: str, other: str) -> float:
    """By Python's own lexer and sets of tuples: nothing in common with what is measured."""
    mine, others = shingle_set(one), shingle_set(other)
    return len(mine & others) / len(mine | others)


def shingle_set(text: str) -> set[tuple[str, ...]]:
    """Every run of ten tokens."""
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    tokens = [token.string for token in found if token.type not in _SKIPPED]
    return {tuple(tokens[at : at + SHINGLE]) for at in range(max(1, len(tokens) - SHINGLE + 1))}


def _part(source: str) -> str:
    """The classes of a program, without imports and without what trains it."""
    body = source[source.index("class ") :]
    return body[: body.index("    def train_setup")].rstrip() + "\n"


def _composed(parts: list[str], rng: random.Random) -> str:
    chosen: list[str] = []
    while sum(map(len, chosen)) < SIZE - len(_NET):
        part = rng.choice(parts)
        names = sorted(set(re.findall(r"^class (\w+)|^def (\w+)", part, re.MULTILINE)))
        for name in {name for pair in names for name in pair if name}:
            part = re.sub(rf"\b{name}\b", f"{name}{len(chosen)}", part)
        chosen.append(part)
    listed = ", ".join(f"Net{at}" for at in range(len(chosen)))
    return _HEAD + "\n\n".join(chosen) + "\n\n" + _NET.format(parts=listed)


def _changed(text: str, rng: random.Random) -> str:
    """Up to sixty lines with another number, name, order or comment; or none but in layout."""
    lines = text.split("\n")
    code = [at for at, line in enumerate(lines) if re.search(r"\d|self\.\w", line)]
    for at in rng.sample(code, min(rng.randrange(0, 60), len(code))):
        kind = rng.randrange(4)
        if kind == 0:
            lines[at] = re.sub(r"\b\d+\b", lambda found: str(int(found.group()) + 1), lines[at], count=1)
        elif kind == 1:
            lines[at] = re.sub(r"self\.(\w+)", rf"self.\g<1>_{rng.randrange(10)}", lines[at], count=1)
        elif kind == 2:
            lines[at] += "\n" + re.match(r"\s*", lines[at]).group() + f"x{rng.randrange(10)} = None"  # type: ignore[union-attr]
        else:
            lines[at] += f"  # {rng.randrange(1000)}"
    return "\n".join(lines)
