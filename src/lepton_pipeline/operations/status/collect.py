"""Gather the status of every vertical from the registry, runs, scheduler and latest monitoring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.retraining.facts import (
    Champion,
    JobRun,
    as_moment,
    failing_since,
    job_runs,
    read_champion,
)
from lepton_pipeline.operations.schedule.overview import line_of
from lepton_pipeline.operations.schedule.policies import Policies
from lepton_pipeline.operations.schedule.state import FOLDER, Record, next_start, read_records
from lepton_pipeline.system.credentials import masked
from lepton_pipeline.system.records import from_json
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
# A job may wait for another one's end.
_LATE = timedelta(hours=1)
_ENDED_BADLY = ("failed", "timed out", "not started", "lost")
# What needs attention, the most urgent first, and its label.
FINDINGS = {
    "broken": "cannot be read",
    "failing": "failing",
    "decayed": "quality decayed",
    "drifted": "drifted",
    "refused": "model refused",
    "overdue": "overdue",
    "no champion": "no champion",
}


@dataclass(frozen=True)
class VerticalStatus:
    """The status of one vertical; None and "" mean none, not declared or not known."""

    vertical: str
    problem: str = ""  # why its declaration or state cannot be read
    blind: bool = False  # neither registry nor runs can be read
    champion: Champion | None = None
    latest_data: str = ""  # time of the latest row seen
    job: JobRun | None = None
    monitoring: MonitoringResult | None = None  # the latest one of this champion
    next_start: str = ""  # in the zone of its schedule
    schedule: str = ""  # expression and zone
    overdue: datetime | None = None  # when its job should have been started
    failing_since: datetime | None = None  # start of the first of the latest failed jobs
    links: Mapping[str, str] = field(default_factory=dict)  # runs by "champion", "job", "training"
    pages: Mapping[str, Path] = field(default_factory=dict)  # existing files by title

    @property
    def findings(self) -> list[str]:
        """What needs attention, of `FINDINGS`, the most urgent first."""
        seen = self.monitoring
        holds = {
            "broken": bool(self.problem),
            "failing": self.failing_since is not None,
            "decayed": seen is not None and bool(seen.decayed),
            "drifted": seen is not None and bool(seen.drifted),
            "refused": self.job is not None and self.job.promoted is False,
            "overdue": self.overdue is not None,
            "no champion": self.champion is None and not self.problem and not self.blind,
        }
        return [finding for finding in FINDINGS if holds[finding]]

    @property
    def urgency(self) -> int:
        """0 for the most urgent."""
        return [*FINDINGS].index(self.findings[0]) if self.findings else len(FINDINGS)


@dataclass(frozen=True)
class Status:
    """The status of all verticals, by urgency, then by name."""

    at: datetime
    verticals: list[VerticalStatus]
    problem: str = ""  # why runs and models cannot be read


def collect(project: Path, policies: Policies, tracking: Tracking, now: datetime) -> Status:
    """Gather the status of every vertical without running or writing anything.

    A vertical that cannot be read does not hide the others. `policies` come from `read_policies`; `now` is in
    UTC.
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

    def collect_one(vertical: str) -> VerticalStatus:
        record, policy = records.get(vertical), policies.good.get(vertical)
        paths = {title: project / REPORTS / vertical / name for title, name in _PAGES.items()}
        pages = {title: path for title, path in paths.items() if path.is_file()}
        it = VerticalStatus(vertical, policies.wrong.get(vertical, ""), blind, pages=pages)
        try:
            # No metric of the champion is shown.
            champion, jobs = read_champion(client, vertical, "auc"), job_runs(client, vertical)
            job = jobs[0] if jobs else None
            it = replace(it, champion=champion, job=job, failing_since=failing_since(jobs))
            it = replace(it, monitoring=_monitoring(project, vertical, champion))
            it = replace(it, latest_data=_latest(champion, jobs))
            it = replace(it, links=_links(client, tracking, vertical, champion, job))
        # The other verticals are still shown.
        except Exception as error:
            problem = f"{vertical}: {type(error).__name__}: {masked(str(error))}"
            it = replace(it, problem="\n".join(filter(None, [it.problem, problem])))
        if policy is not None:
            line = line_of(policy, record or Record(now), now, 1)
            start = None if record is None or record.running is not None else next_start(policy, record, now)
            overdue = start if start is not None and start + _LATE <= now else None
            following = next(iter(line.next_times), "")
            it = replace(it, schedule=line.schedule, next_start=following, overdue=overdue)
        last = None if record is None else record.last
        # Also failures without a run: jobs that the scheduler saw end before they could begin.
        if it.failing_since is None and last is not None and last.outcome in _ENDED_BADLY:
            return it if it.job and it.job.at >= last.started else replace(it, failing_since=last.started)
        return it

    found = map(collect_one, {*policies.good, *policies.wrong})
    return Status(now, sorted(found, key=lambda each: (each.urgency, each.vertical)), "\n".join(problems))


def _monitoring(project: Path, vertical: str, champion: Champion | None) -> MonitoringResult | None:
    path = project / REPORTS / vertical / "monitoring/result.json"
    if champion is None or not path.is_file():
        return None
    result = from_json(MonitoringResult, path.read_bytes(), str(path))
    return result if result.champion.version == champion.version else None


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
    client: Any, tracking: Tracking, vertical: str, champion: Champion | None, job: JobRun | None
) -> dict[str, str]:
    if client is None or not tracking.tracking_uri.startswith("http"):
        return {}
    runs: dict[str, str | None] = {}
    if champion is not None:
        runs["champion"] = client.get_model_version(vertical, str(champion.version)).run_id
    if job is not None:
        runs |= {"job": job.run_id, "training": job.training_run_id}
    uri = tracking.tracking_uri
    found = {name: run_link(uri, client.get_run(run_id).info) for name, run_id in runs.items() if run_id}
    return {name: link for name, link in found.items() if link is not None}
