"""Where all verticals stand, as one HTML page that needs nothing beside it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from lepton_pipeline.operations.status import words
from lepton_pipeline.operations.status.collect import Status
from lepton_pipeline.system.files import write_text


def write_page(path: Path, status: Status) -> None:
    """Write the page, whole or not at all; reports are linked from where it lies.

    Args:
        path: of the page; its folder is made.
        status: of all verticals.
    """
    write_text(path, render_page(status, path.parent))


def render_page(status: Status, folder: Path) -> str:
    """The page's text.

    Args:
        status: of all verticals.
        folder: where the page will lie.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    # Whatever is put into the page may be a user's text, and is escaped.
    environment = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("lepton_pipeline.operations.status", ""),
                PackageLoader("lepton_pipeline.reporting.report", "templates"),
            ]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    source, _, _ = environment.loader.get_source(environment, "style.css")  # type: ignore[union-attr]
    return environment.get_template("page.html").render(
        it=status,
        rows=[
            {
                "it": each,
                "labels": words.labels(each),
                "champion": words.champion_text(each, status.at),
                "data": words.data_text(each),
                "job": words.job_text(each),
                "drift": words.drift_of(each),
                "next": words.next_text(each, status.at),
                "failing": words.failing_text(each, status.at),
                "pages": {title: _relative(file, folder) for title, file in each.pages.items()},
            }
            for each in status.verticals
        ],
        pressing=sum(bool(each.findings) for each in status.verticals),
        # A style sheet of this project, not a value; escaped, its quotes would be wrong.
        style=Markup(source.strip()),  # noqa: S704
    )


def _relative(file: Path, folder: Path) -> str:
    return quote(Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix())
