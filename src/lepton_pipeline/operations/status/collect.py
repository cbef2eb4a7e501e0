"""Gather the status of every vertical from the registry, runs, scheduler and latest monitoring."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.operations.retraining import history
from lepton_pipeline.operations.retraining.facts import Champion
from lepton_pipeline.operations.retraining.history import JobRun, as_moment
from lepton_pipeline.operations.schedule.overview import line_of
from lepton_pipeline.operations.schedule.plan import next_start
from lepton_pipeline.operations.schedule.policies import Policies, Policy
from lepton_pipeline.operations.schedule.state import FOLDER, Record, read_records
from lepton_pipeline.system.credentials import masked
from lepton_pipeline.tracking.experiment_page import run_link
from lepton_pipeline.tracking.runs import Tracking, existing_store
from lepton_pipeline.tracking.sqlite_reader import open_reader

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
# The most urgent first.
FINDINGS = ("broken", "failing", "decayed", "drifted", "refused", "overdue", "no champion")


@dataclass(frozen=True)
class VerticalStatus:
    """The status of one vertical; None and "" mean none, not declared or not known."""

    vertical: str
    problem: str = ""  # why its declaration or state cannot be read
    blind: bool = False  # neither registry nor runs can be read
    champion: Champion | None = None
    latest_data: str = ""  # time of the latest row seen
    job: JobRun | None = None
    monitoring: Mapping[str, Any] | None = None  # the latest one of this champion
    next_start: str = ""  # in the zone of its schedule
    schedule: str = ""  # expression and zone
    overdue: datetime | None = None  # when its job should have been started
    failing_since: datetime | None = None  # start of the first of the latest failed jobs
    links: Mapping[str, str] = field(default_factory=dict)  # runs by "champion", "job", "training"
    pages: Mapping[str, Path] = field(default_factory=dict)  # existing files by title

    @property
    def findings(self) -> list[str]:
        """What needs attention, of `FINDINGS`, the most urgent first."""
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
        """0 for the most urgent."""
        return FINDINGS.index(self.findings[0]) if self.findings else len(FINDINGS)


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
        problems = [policies.wrong[vertical]] if vertical in policies.wrong else []
        found: dict[str, Any] = {}
        try:
            # No metric of the champion is shown.
            champion = history.read_champion(client, vertical, "auc")
            jobs = history.job_runs(client, vertical)
            found = {"champion": champion, "job": jobs[0] if jobs else None}
            found["failing_since"] = history.failing_since(jobs)
            found["monitoring"] = _monitoring(project, vertical, champion)
            found["latest_data"] = _latest(champion, jobs)
            found["links"] = _links(client, tracking, vertical, champion, jobs)
        # The other verticals are still shown.
        except Exception as error:
            problems.append(f"{vertical}: {type(error).__name__}: {masked(str(error))}")
        record, policy = records.get(vertical), policies.good.get(vertical)
        if policy is not None:
            found |= _scheduled(policy, record, now)
        found["failing_since"] = _failing(found, record)
        paths = {title: project / REPORTS / vertical / name for title, name in _PAGES.items()}
        pages = {title: path for title, path in paths.items() if path.is_file()}
        return VerticalStatus(vertical, "\n".join(problems), blind=blind, pages=pages, **found)

    found = map(collect_one, {*policies.good, *policies.wrong})
    return Status(now, sorted(found, key=lambda each: (each.urgency, each.vertical)), "\n".join(problems))


def _scheduled(policy: Policy, record: Record | None, now: datetime) -> dict[str, Any]:
    line = line_of(policy, record or Record(now), now, 1)
    start = None if record is None or record.running is not None else next_start(policy, record, now)
    return {
        "schedule": line.schedule,
        "next_start": next(iter(line.next_times), ""),
        "overdue": start if start is not None and start + _LATE <= now else None,
    }


def _failing(found: Mapping[str, Any], record: Record | None) -> datetime | None:
    """Also failures without a run: jobs that the scheduler saw end before they could begin."""
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
    result: dict[str, Any] = json.loads(path.read_bytes())
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
    uri = tracking.tracking_uri
    found = {name: run_link(uri, client.get_run(run_id).info) for name, run_id in runs.items()}
    return {name: link for name, link in found.items() if link is not None}
