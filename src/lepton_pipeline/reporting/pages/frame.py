"""The Jinja environment of pages without network or other files; a script, where there is one, stands in the page."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from inspect import getmembers, isfunction
from typing import TYPE_CHECKING, Any

from lepton_pipeline.reporting.pictures.svg import bar
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.system.markdown import as_markdown

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """Fill a file of `templates`; values are escaped, as Markdown in a Markdown file, else as HTML."""
    return _environment(template.endswith(".md")).get_template(template).render(**values)


@cache
def style_sheet(*names: str) -> str:
    """Style sheets of `templates`, concatenated."""
    folder = files(__package__) / "templates"
    return "\n".join((folder / name).read_text(encoding="utf-8").strip() for name in names)


@cache
def _environment(markdown: bool) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=not markdown,  # noqa: S701  # Markdown has an escape of its own
        finalize=as_markdown if markdown else None,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {name: each for name, each in getmembers(formats, isfunction) if name[0] != "_"}
    # Escaping would break the quotes of a style sheet.
    environment.globals["style"] = Markup(style_sheet("colours.css", "style.css", "chart.css"))  # noqa: S704
    environment.globals["bar"] = lambda *ends, **given: Markup(bar(*ends, **given))  # noqa: S704
    return environment
