"""Gather where every vertical stands: from registry, runs, the scheduler's state and the latest monitoring."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.operations.retraining.facts import Champion
from lepton_pipeline.operations.retraining.history import (
    JobRun,
    as_moment,
    failing_since,
    job_runs,
    read_champion,
)
from lepton_pipeline.operations.schedule.overview import line_of
from lepton_pipeline.operations.schedule.plan import next_start
from lepton_pipeline.operations.schedule.policies import Policies, Policy
from lepton_pipeline.operations.schedule.state import FOLDER, Record, read_records
from lepton_pipeline.system.credentials import masked
from lepton_pipeline.tracking.runs import Tracking, existing_store
from lepton_pipeline.tracking.sqlite_reader import open_reader
from lepton_pipeline.tracking.ui_links import run_link

REPORTS = Path("data/08_reporting")
_PAGES = {
    "report": "report/report.html",
    "report of the champion": "champion/report/report.html",
    "monitoring": "monitoring/monitoring.html",
    "comparison of runs": "compare.html",
}
# A scheduler looks every few seconds, and a job may wait for another one's end.
_LATE = timedelta(hours=1)
# Of the champion's figures none is shown.
_ANY_METRIC = "auc"
_ENDED_BADLY = ("failed", "timed out", "not started", "lost")
# What needs a person, the most pressing first.
FINDINGS = ("broken", "failing", "decayed", "drifted", "refused", "overdue", "no champion")


@dataclass(frozen=True)
class VerticalStatus:
    """One vertical.

    Attributes:
        vertical: its name.
        problem: why its declaration cannot be followed, or what is known of it not be read; "" where both
            can.
        blind: whether neither registry nor runs can be read.
        champion: the version in use; None where there is none, or where nobody can tell.
        latest_data: time of the latest row that anybody has seen, as text; "" where no time is declared.
        job: the latest job; None where there was none.
        monitoring: the latest monitoring of this champion; None where there was none.
        next_start: when its job is started next, in its own zone; "" where it has no schedule.
        schedule: expression and zone; "" where it has none.
        overdue: when its job should have been started; None where it is not late.
        failing_since: when the first of the jobs that failed in a row began; None where the last one ended
            well.
        links: addresses of runs by what they are, "champion", "job" or "training"; none where no server shows
            them.
        pages: files by title, as far as they are there.
    """

    vertical: str
    problem: str = ""
    blind: bool = False
    champion: Champion | None = None
    latest_data: str = ""
    job: JobRun | None = None
    monitoring: Mapping[str, Any] | None = None
    next_start: str = ""
    schedule: str = ""
    overdue: datetime | None = None
    failing_since: datetime | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    pages: Mapping[str, Path] = field(default_factory=dict)

    @property
    def findings(self) -> list[str]:
        """What needs a person, of `FINDINGS`, the most pressing first."""
        seen = self.monitoring or {}
        holds = {
            "broken": bool(self.problem),
            "failing": self.failing_since is not None,
            "decayed": bool(seen.get("decayed")),
            "drifted": bool(seen.get("drifted")),
            "refused": self.job is not None and self.job.promoted is False,
            "overdue": self.overdue is not None,
            "no champion": self.champion is None and not self.problem and not self.blind,
        }
        return [finding for finding in FINDINGS if holds[finding]]

    @property
    def urgency(self) -> int:
        """0 for the most pressing."""
        return FINDINGS.index(self.findings[0]) if self.findings else len(FINDINGS)


@dataclass(frozen=True)
class Status:
    """All verticals, those that need attention first.

    Attributes:
        at: when it was looked at.
        verticals: by urgency, then by name.
        problem: why runs and models cannot be read; "" where they can.
    """

    at: datetime
    verticals: list[VerticalStatus]
    problem: str = ""


def collect(project: Path, policies: Policies, tracking: Tracking, now: datetime) -> Status:
    """Look at every vertical; nothing is run and nothing written, and one that is broken hides no other.

    Args:
        project: root of the project.
        policies: of all verticals, see `read_policies`.
        tracking: where runs and models are.
        now: the present, in UTC.
    """
    client, problems = None, []
    try:
        client = open_reader(tracking, project) or existing_store(tracking, project, "view")
    except LeptonError as error:
        problems.append(str(error))
    blind, records = bool(problems), {}
    try:
        records = read_records(project / FOLDER / "state.json")
    except LeptonError as error:
        problems.append(str(error))
    sources = _Sources(project, policies, tracking, client, blind, records, now)
    found = [_look(sources, name) for name in {*policies.good, *policies.wrong}]
    return Status(now, sorted(found, key=lambda each: (each.urgency, each.vertical)), "\n".join(problems))


@dataclass(frozen=True)
class _Sources:
    """What `collect` reads from."""

    project: Path
    policies: Policies
    tracking: Tracking
    client: Any
    blind: bool
    records: Mapping[str, Record]
    now: datetime


def _look(sources: _Sources, vertical: str) -> VerticalStatus:
    client, project = sources.client, sources.project
    problems = [sources.policies.wrong[vertical]] if vertical in sources.policies.wrong else []
    found: dict[str, Any] = {}
    try:
        champion = read_champion(client, vertical, _ANY_METRIC)
        jobs = job_runs(client, vertical)
        found = {"champion": champion, "job": jobs[0] if jobs else None, "failing_since": failing_since(jobs)}
        found["monitoring"] = _monitoring(project, vertical, champion)
        found["latest_data"] = _latest(champion, jobs)
        found["links"] = _links(client, sources.tracking, vertical, champion, jobs)
    # Whatever a store or a file holds: the others are still shown.
    except Exception as error:
        problems.append(f"{vertical}: {type(error).__name__}: {masked(str(error))}")
    record, policy = sources.records.get(vertical), sources.policies.good.get(vertical)
    if policy is not None:
        found |= _scheduled(policy, record, sources.now)
    found["failing_since"] = _failing(found, record)
    pages = _pages(project, vertical)
    return VerticalStatus(vertical, "\n".join(problems), blind=sources.blind, pages=pages, **found)


def _scheduled(policy: Policy, record: Record | None, now: datetime) -> dict[str, Any]:
    line = line_of(policy, record or Record(now), now, 1)
    start = None if record is None or record.running is not None else next_start(policy, record, now)
    return {
        "schedule": line.schedule,
        "next_start": next(iter(line.next_times), ""),
        "overdue": start if start is not None and start + _LATE <= now else None,
    }


def _failing(found: Mapping[str, Any], record: Record | None) -> datetime | None:
    """Also by what the scheduler saw: a job that could not begin has no run."""
    since: datetime | None = found.get("failing_since")
    last = None if record is None else record.last
    if since is not None or last is None or last.outcome not in _ENDED_BADLY:
        return since
    job: JobRun | None = found.get("job")
    return last.started if job is None or job.at < last.started else None


def _monitoring(project: Path, vertical: str, champion: Champion | None) -> Mapping[str, Any] | None:
    path = project / REPORTS / vertical / "monitoring/result.json"
    if champion is None or not path.is_file():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result if result["champion"]["version"] == champion.version else None


def _latest(champion: Champion | None, jobs: list[JobRun]) -> str:
    seen = [job.data_until for job in jobs if job.data_until][:1]
    if champion is not None and champion.data_until:
        seen.append(champion.data_until)
    return max(seen, key=_order, default="")


def _order(text: str) -> tuple[float, str]:
    at = as_moment(text)
    try:
        return (float(text) if at is None else at.timestamp()), text
    except ValueError:
        return 0.0, text


def _links(
    client: Any, tracking: Tracking, vertical: str, champion: Champion | None, jobs: list[JobRun]
) -> dict[str, str]:
    if client is None or not tracking.tracking_uri.startswith("http"):
        return {}
    runs = {}
    if champion is not None:
        runs["champion"] = client.get_model_version(vertical, str(champion.version)).run_id
    if jobs:
        runs["job"] = jobs[0].run_id
    if jobs and jobs[0].training_run_id:
        runs["training"] = jobs[0].training_run_id
    found = {
        name: run_link(tracking.tracking_uri, client.get_run(run_id).info) for name, run_id in runs.items()
    }
    return {name: link for name, link in found.items() if link is not None}


def _pages(project: Path, vertical: str) -> dict[str, Path]:
    paths = {title: project / REPORTS / vertical / name for title, name in _PAGES.items()}
    return {title: path for title, path in paths.items() if path.is_file()}
