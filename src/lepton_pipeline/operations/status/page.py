"""The status of all verticals as a self-contained HTML page."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from lepton_pipeline.operations.status.cells import cells_of
from lepton_pipeline.operations.status.collect import FINDINGS, Status
from lepton_pipeline.reporting.pages.frame import render


def render_page(status: Status, folder: Path) -> str:
    """The text of the page, with links relative to `folder`."""
    rows = [
        {
            "it": each,
            "labels": [FINDINGS[finding] for finding in each.findings],
            **cells_of(each, status.at),
            "pages": {title: _relative(file, folder) for title, file in each.pages.items()},
        }
        for each in status.verticals
    ]
    pressing = sum(bool(each.findings) for each in status.verticals)
    return render("status.html", it=status, rows=rows, pressing=pressing)


def _relative(file: Path, folder: Path) -> str:
    return quote(Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix())
