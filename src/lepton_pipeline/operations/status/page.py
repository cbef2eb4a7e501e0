"""The status of all verticals as a self-contained HTML page."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from lepton_pipeline.operations.status import words
from lepton_pipeline.operations.status.collect import Status
from lepton_pipeline.reporting.pages.frame import render
from lepton_pipeline.system.files import write_text


def write_page(path: Path, status: Status) -> None:
    """Write the page atomically; links to reports are relative to its folder, which is made."""
    write_text(path, render_page(status, path.parent))


def render_page(status: Status, folder: Path) -> str:
    """The text of the page, with links relative to `folder`."""
    return render(
        "status.html",
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
    )


def _relative(file: Path, folder: Path) -> str:
    return quote(Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix())
