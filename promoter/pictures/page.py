"""Pages that need nothing but themselves: one style, light and dark, for every template that extends `page.html.j2`."""

from __future__ import annotations

from pathlib import Path

import jinja2

from promoter.domain.figures import grouped, percent


def page_environment(templates: Path) -> jinja2.Environment:
    """Templates of that folder and of this one. What they are given is text, and is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([templates, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"grouped": grouped, "percent": percent}
    return environment
