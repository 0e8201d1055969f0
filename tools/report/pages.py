"""Pages from templates, filled in with text that may be hostile."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined


def page_environment(package: str, **filters: Callable[..., str]) -> Environment:
    """The templates of a package; all text is escaped, and a value that is missing is an error.

    Args:
        package: whose folder ``templates`` they lie in.
        filters: functions that templates may call by these names.
    """
    environment = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment
