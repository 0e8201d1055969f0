"""A small library with the constructs that make it hard to take a class out of its package."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "hard/__init__.py": "from .layers import *\nfrom .reexports import Renamed as Exported\n",
    "hard/constants.py": """
import os

SCALE = int(os.environ.get("HARD_SCALE", "3"))
TABLE = {"one": 1}
TABLE["two"] = 2
LIMITS = []
LIMITS.append(7)
""",
    "hard/layers/__init__.py": "from .basic import *\nfrom .basic import _hidden\n",
    "hard/layers/basic.py": '''
import torch.nn as nn
from torch import Tensor as T

__all__ = ["Plain", "scaled"]

_leaf = set()


def register_notrace_module(module):
    _leaf.add(module)
    return module


def _hidden(x):
    return x + 100


# What this does is told above it.
def scaled(x: T, by=2):
    return x * by  # and beside it


@register_notrace_module
class Plain(nn.Module):
    """A plain block.

    With more to say.
    """

    def __init__(self, dim: int = 4, *, bias=True):
        super().__init__()
        self.fc = nn.Linear(dim, dim, bias)

    def forward(self, x):
        return scaled(self.fc(x))
''',
    "hard/reexports.py": "from .layers import Plain as Renamed\n",
    "hard/users.py": """
from typing import TYPE_CHECKING, Optional

import hard.layers as L
from torch import nn

from . import constants, layers
from .constants import TABLE
from .layers import _hidden as shown
from .nowhere import Lost

if TYPE_CHECKING:
    from .heavy import Heavy

try:
    import a_package_that_is_not_there as optional
except ImportError:
    optional = None


class Attributes(nn.Module):
    def __init__(self, heavy: "Heavy" = None, other: Optional["Heavy"] = None, table: dict[str, "Lost"] = TABLE):
        super().__init__()
        self.inner = layers.Plain(4)
        self.optional = optional

    def forward(self, x):
        scaled = L.basic.scaled
        Plain = self.inner
        return shown(scaled(Plain(x), constants.SCALE)) + TABLE["two"] + constants.LIMITS[0]


class Child(Attributes):
    def forward(self, x):
        from .layers.basic import scaled as local_scaled
        from . import constants as c

        if optional is not None:
            return Lost(x)
        return local_scaled(super().forward(x), c.SCALE) + (__class__ is Child)
""",
    "hard/heavy.py": "raise RuntimeError('never run')\n\nclass Heavy:\n    pass\n",
    "hard/clash_a.py": """
def helper(x):
    return x + 1


def outer(x):
    return helper(x)
""",
    "hard/clash_b.py": '''
from torch import nn

from .clash_a import outer


def helper(x):
    """Not the other helper."""
    return x * 10


def sum(values):
    return "shadowed"


class Clash(nn.Module):
    def forward(self, x):
        return f"{helper(outer(x))} {sum([1])}"


class Builtins(nn.Module):
    def forward(self, x):
        return plain_sum([x, x])


from .clash_c import plain_sum
''',
    "hard/clash_c.py": "def plain_sum(values):\n    return sum(values)\n",
    "hard/registry.py": """
from torch import nn

KERNELS = {}


def register_kernel(function, kind):
    def decorate(kernel):
        KERNELS[function, kind] = kernel
        return kernel

    return decorate


def resize(x):
    return KERNELS[resize, type(x)](x)


@register_kernel(resize, int)
def resize_int(x):
    return x + 1


class Resize(nn.Module):
    def forward(self, x):
        return resize(x)


COUNT = 0


def count():
    global COUNT
    COUNT += 1
    return COUNT


class Counter(nn.Module):
    def forward(self):
        return count()
""",
    "hard/cycle.py": """
import abc

from torch import nn


class Base(nn.Module, abc.ABC):
    @abc.abstractmethod
    def width(self): ...

    def forward(self, x):
        return make(self.width())


class Leaf(Base):
    def width(self):
        return 5

    def forward(self, x):
        return super().forward(x)


def make(width):
    return [Leaf() for _ in range(width)]


Leaf.kind = "leaf"


class Inherits(Leaf):
    pass


class Sequence(nn.Sequential):
    def __init__(self, dim=3):
        super().__init__(nn.Linear(dim, dim))


class NoModule:
    def forward(self, x):
        return x
""",
    "hard/configured.py": """
from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from .base import deep


@dataclass
class WideConfig:
    width: int = 6
    names: list[str] = field(default_factory=list)


class Configured(nn.Module):
    def __init__(self, config: WideConfig, missing: Undefined = None):
        super().__init__()
        self.fc = nn.Linear(config.width, config.width)

    def forward(self, x):
        return deep(self.fc(x))
""",
    "hard/rebound.py": """
import sys

from torch import nn

from .clash_a import helper
from .constants import TABLE

TABLE = TABLE.copy()
TABLE["three"] = 3

if sys.maxsize > 0:
    from math import sqrt as helper_alias, floor as outer


class Rebound(nn.Module):
    def forward(self, x):
        from .clash_a import outer as first

        return [first(x), outer(2.5), sorted(TABLE.values()), helper(x)]
""",
    "hard/base.py": '''
import math

if True:
    from .layers import scaled as inner_scaled

    def deep(x):
        """A text
  of several lines.
        """
        return inner_scaled(x, math.floor(2.5))
else:
    def deep(x):
        raise RuntimeError
''',
}


def write(folder: Path, files: dict[str, str] = FILES) -> Path:
    """Write the library; the folder of its package."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / next(iter(files)).split("/")[0]
