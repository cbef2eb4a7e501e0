"""The cells of the status table, the same on the terminal and on the page."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from lepton_pipeline.evaluation.decision import verdict
from lepton_pipeline.operations.alerts.notify import without_examples
from lepton_pipeline.operations.monitoring.findings import drift_text, quality_text
from lepton_pipeline.operations.retraining.facts import as_moment
from lepton_pipeline.operations.status.collect import FINDINGS, Status, VerticalStatus
from lepton_pipeline.reporting.pages.frame import render
from lepton_pipeline.system.readable import clipped, span_text

_NONE = "–"
_CHARACTERS = 280
_CLOCKS = timedelta(minutes=10)


def cells_of(it: VerticalStatus, now: datetime) -> dict[str, tuple[str, str]]:
    """All cells of a vertical in order: what it is about, the text, and details."""
    return {
        "champion": champion_text(it, now),
        "data": data_text(it),
        "job": job_text(it),
        "drift": drift_of(it),
        "next": next_text(it, now),
        "failing": failing_text(it, now),
    }


def champion_text(it: VerticalStatus, now: datetime) -> tuple[str, str]:
    """The version in use, and when it was trained."""
    if it.champion is None:
        return ("not known" if it.blind or it.problem else "none"), ""
    since = it.champion.trained_at
    return f"version {it.champion.version}", f"trained {since:%Y-%m-%d}, {_how_long(since, now, '{} ago')}"


def data_text(it: VerticalStatus) -> tuple[str, str]:
    """Time of the champion's latest row and of the latest row seen; without times the number of rows."""
    if it.champion is None:
        return _moment_text(it.latest_data) or _NONE, ""
    until, latest = _moment_text(it.champion.data_until or ""), _moment_text(it.latest_data)
    if not until:
        rows = it.champion.data_rows
        return (_NONE if rows is None else f"{rows:,} rows"), "no column of time"
    return until, f"latest seen {latest}" if latest and latest != until else ""


def job_text(it: VerticalStatus) -> tuple[str, str]:
    """The result of the latest job, its time and reason."""
    job = it.job
    if job is None:
        return ("not known" if it.blind else "no job yet"), ""
    why = without_examples(job.decision)
    if job.status == "RUNNING":
        head = "at work"
    elif job.status != "FINISHED":
        head = job.status.lower()
    elif job.version is None:
        head, why = "not due", why.removeprefix("not due: ")
    else:
        head = f"version {job.version} {verdict(job.promoted)}"
        why = why if job.promoted else job.reason or why
    return head, "; ".join(filter(None, [f"{job.at:%Y-%m-%d %H:%M}", clipped(why, _CHARACTERS)]))


def drift_of(it: VerticalStatus) -> tuple[str, str]:
    """The findings of the latest monitoring, and its date."""
    if it.monitoring is None:
        return ("not compared yet" if it.champion is not None else _NONE), ""
    as_of = f"as of {_moment_text(it.monitoring.as_of)}"
    if not it.monitoring.rows_new:
        return "no new rows", as_of
    drift = drift_text(it.monitoring)
    drift = f"drift: {drift}" if it.monitoring.drifted else drift.replace("none in", "none of")
    return drift, f"quality {quality_text(it.monitoring)}; {as_of}"


def next_text(it: VerticalStatus, now: datetime) -> tuple[str, str]:
    """The next start of the job, and its schedule."""
    if it.overdue is not None:
        return f"due for {span_text(now - it.overdue)}", f"{it.schedule}; does the scheduler run?"
    if it.schedule:
        return it.next_start, it.schedule
    return (_NONE if it.problem else "by hand"), ""


def failing_text(it: VerticalStatus, now: datetime) -> tuple[str, str]:
    """Since when jobs fail."""
    if it.failing_since is None:
        return _NONE, ""
    return f"{it.failing_since:%Y-%m-%d %H:%M}", _how_long(it.failing_since, now, "for {}")


def _how_long(since: datetime, now: datetime, text: str) -> str:
    """A time span, or a hint at a wrong clock; clocks of two machines differ by minutes at most."""
    if since - now > _CLOCKS:
        return "in the future: was a clock wrong?"
    return text.format(span_text(now - since))


def _moment_text(text: str) -> str:
    """A time to the minute; a number stays as it is."""
    at = as_moment(text)
    if at is None:
        return text
    return f"{at:%Y-%m-%d}" if (at.hour, at.minute, at.second) == (0, 0, 0) else f"{at:%Y-%m-%d %H:%M}"


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
