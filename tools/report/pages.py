"""Pages of reports: one way to fill their templates."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import Environment, PackageLoader, StrictUndefined

from .text import duration, moment, number, percent, shown


def page(template: str, filters: dict[str, Callable[..., str]] | None = None, **values: object) -> str:
    """One page without scripts, which loads nothing. All text of models is escaped.

    Args:
        template: its name in ``templates/``.
        filters: beside those of :mod:`.text`.
        values: what the template shows; a name that it misses is an error.
    """
    environment = Environment(
        loader=PackageLoader(__package__ or "netwright.tools.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent, shown=shown, number=number, duration=duration, moment=moment, **(filters or {})
    )
    return environment.get_template(template).render(**values)
