"""Pages of reports: one way to fill their templates with text that may be hostile."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined

from .text import duration, moment, number, percent, shown


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


def page(template: str, filters: dict[str, Callable[..., str]] | None = None, **values: object) -> str:
    """One page without scripts, which loads nothing. All text of models is escaped.

    Args:
        template: its name in ``templates/``.
        filters: beside those of :mod:`.text`.
        values: what the template shows; a name that it misses is an error.
    """
    environment = page_environment(
        __package__ or "netwright.tools.report",
        percent=percent,
        shown=shown,
        number=number,
        duration=duration,
        moment=moment,
        **(filters or {}),
    )
    return environment.get_template(template).render(**values)
