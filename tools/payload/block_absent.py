"""Packages that must seem not to be installed while a block is imported."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.metadata
import sys
from collections.abc import Iterable, Sequence
from typing import Any


class Absent(importlib.abc.MetaPathFinder):
    """All finders of the import system in one, for which some top-level packages do not exist.

    In front of the others it could only raise, and code that asks ``importlib.util.find_spec`` whether a package is
    there wants ``None``; so it stands in their place.

    Args:
        names: top-level packages, ``timm``; distributions of these names are hidden as well.
        finders: those that find everything else.
    """

    def __init__(self, names: Iterable[str], finders: Sequence[Any]) -> None:
        self._names = frozenset(names)
        self._finders = list(finders)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module, ``None`` if it is hidden or nobody finds it."""
        if fullname.partition(".")[0] in self._names:
            return None
        for finder in self._finders:
            spec: importlib.machinery.ModuleSpec | None = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
        return None

    def find_distributions(self, context: Any = None) -> Iterable[importlib.metadata.Distribution]:
        """What ``importlib.metadata`` lists, without the hidden ones."""
        context = importlib.metadata.DistributionFinder.Context() if context is None else context
        for finder in self._finders:
            find = getattr(finder, "find_distributions", None)
            for found in find(context) if find is not None else ():
                if str(found.metadata["Name"]).replace("-", "_").lower() not in self._names:
                    yield found

    def invalidate_caches(self) -> None:
        """As the import system asks for it."""
        for finder in self._finders:
            getattr(finder, "invalidate_caches", bool)()


def hide(names: Iterable[str]) -> None:
    """Make packages absent for the rest of this process; what is imported of them already is forgotten."""
    hidden = frozenset(names)
    for module in [name for name in sys.modules if name.partition(".")[0] in hidden]:
        del sys.modules[module]
    sys.meta_path[:] = [Absent(hidden, sys.meta_path)]
    sys.path_importer_cache.clear()
