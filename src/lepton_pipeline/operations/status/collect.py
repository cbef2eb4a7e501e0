"""The status of every vertical from registry, runs, scheduler and latest monitoring; its table and page."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.evaluation.decision import verdict
from lepton_pipeline.evaluation.interval_text import measured_text
from lepton_pipeline.operations.alerts.notify import without_examples
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.monitoring.summary import drift_text, index_text, quality_text
from lepton_pipeline.operations.retraining import state as retraining
from lepton_pipeline.operations.schedule.policies import Policies
from lepton_pipeline.operations.schedule.state import FOLDER, Record, line_of, next_start, read_records
from lepton_pipeline.registry.versions import all_versions
from lepton_pipeline.reporting.pages.frame import render
from lepton_pipeline.reporting.pictures.svg import sparkline
from lepton_pipeline.system.credentials import masked
from lepton_pipeline.system.readable import clipped, span_text
from lepton_pipeline.system.records import from_json
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
# What needs attention, the most urgent first: its label, and whether it holds.
FINDINGS: dict[str, tuple[str, Callable[[VerticalStatus], bool]]] = {
    "broken": ("cannot be read", lambda it: bool(it.problem)),
    "failing": ("failing", lambda it: it.failing_since is not None),
    "decayed": (
        "quality decayed",
        lambda it: it.monitoring is not None and it.monitoring.quality_decayed is True,
    ),
    "drifted": ("drifted", lambda it: it.monitoring is not None and it.monitoring.drifted is True),
    "turned": ("index turned", lambda it: it.monitoring is not None and it.monitoring.turned),
    "refused": ("model refused", lambda it: it.job is not None and it.job.promoted is False),
    "overdue": ("overdue", lambda it: it.overdue is not None),
    "no champion": ("no champion", lambda it: it.champion is None and it.trained and not it.problem),
}
_NONE = "–"
_CHARACTERS = 280
_CLOCKS = timedelta(minutes=10)


@dataclass(frozen=True)
class VerticalStatus:
    """The status of one vertical; None and "" mean none, not declared or not known."""

    vertical: str
    problem: str = ""  # why its declaration or state cannot be read
    blind: bool = False  # neither registry nor runs can be read
    trained: bool = False  # whether there is any version of its model
    champion: retraining.Champion | None = None
    latest_data: str = ""  # time of the latest row seen
    job: retraining.JobRun | None = None
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
        return [finding for finding, (_, holds) in FINDINGS.items() if holds(self)]

    @property
    def untouched(self) -> bool:
        """Whether it was never trained, and nothing needs attention."""
        return not (self.trained or self.champion or self.job or self.findings or self.blind)


@dataclass(frozen=True)
class Status:
    """The status of all verticals: by urgency, those that were never trained last, then by name."""

    at: datetime
    verticals: list[VerticalStatus]
    problem: str = ""  # why runs and models cannot be read

    @property
    def groups(self) -> tuple[list[VerticalStatus], list[VerticalStatus], list[VerticalStatus]]:
        """Verticals that need attention, those that do not, and those that were never trained."""
        pressing = [each for each in self.verticals if each.findings]
        idle = [each for each in self.verticals if each.untouched]
        return pressing, [each for each in self.verticals if not each.findings and not each.untouched], idle

    @property
    def headline(self) -> str:
        """How many verticals need attention, how many do not, and how many were never trained."""
        pressing, well, idle = map(len, self.groups)
        needing = "1 vertical needs" if pressing == 1 else f"{pressing or 'no'} verticals need"
        others = [f"{well} {'does' if well == 1 else 'do'} not"] if well and pressing else []
        others += [f"{idle} {'was' if idle == 1 else 'were'} never trained"] if idle else []
        return ", ".join([f"{needing} attention", *others])


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
            champion = retraining.read_champion(client, vertical)
            jobs = retraining.job_runs(client, vertical)
            job = jobs[0] if jobs else None
            it = replace(it, trained=client is not None and bool(all_versions(client, vertical)))
            it = replace(it, champion=champion, job=job, failing_since=retraining.failing_since(jobs))
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
    urgency = [*FINDINGS, ""]
    ranked = sorted(
        found, key=lambda each: (urgency.index((each.findings or [""])[0]), each.untouched, each.vertical)
    )
    return Status(now, ranked, "\n".join(problems))


def _monitoring(
    project: Path, vertical: str, champion: retraining.Champion | None
) -> MonitoringResult | None:
    path = project / REPORTS / vertical / "monitoring/result.json"
    if champion is None or not path.is_file():
        return None
    result = from_json(MonitoringResult, path.read_bytes(), str(path))
    return result if result.champion.version == champion.version else None


def _latest(champion: retraining.Champion | None, jobs: list[retraining.JobRun]) -> str:
    seen = [job.data_until for job in jobs if job.data_until][:1]
    if champion is not None and champion.data_until:
        seen.append(champion.data_until)
    return max(seen, key=_order, default="")


def _order(text: str) -> tuple[float, str]:
    at = retraining.as_moment(text)
    try:
        return (float(text) if at is None else at.timestamp()), text
    except ValueError:
        return 0.0, text


def _links(
    client: Any,
    tracking: Tracking,
    vertical: str,
    champion: retraining.Champion | None,
    job: retraining.JobRun | None,
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


def cells_of(it: VerticalStatus, now: datetime) -> dict[str, tuple[str, str]]:
    """All cells of a vertical in order: what it is about, the text, and details."""
    return {
        "quality": _quality_of(it),
        "champion": _champion_text(it, now),
        "data": _data_text(it),
        "job": _job_text(it, now),
        "drift": _drift_of(it),
        "next": _next_text(it, now),
    }


def _quality_of(it: VerticalStatus) -> tuple[str, str]:
    estimate = None if it.champion is None else it.champion.estimate
    head = _NONE
    if estimate is not None:
        head = f"{estimate.metric} {measured_text(estimate.metric, estimate)} on the test"
    if it.monitoring is None or not it.monitoring.rows_new:
        return head, ""
    return head, quality_text(it.monitoring)


def _champion_text(it: VerticalStatus, now: datetime) -> tuple[str, str]:
    if it.champion is None:
        return ("not known" if it.blind or it.problem else "none"), ""
    since = it.champion.trained_at
    return f"version {it.champion.version}", f"trained {since:%Y-%m-%d}, {_how_long(since, now, '{} ago')}"


def _data_text(it: VerticalStatus) -> tuple[str, str]:
    if it.champion is None:
        return _moment_text(it.latest_data) or _NONE, ""
    until, latest = _moment_text(it.champion.data_until or ""), _moment_text(it.latest_data)
    if not until:
        rows = it.champion.data_rows
        return (_NONE if rows is None else f"{rows:,} rows"), "no column of time"
    return until, f"latest seen {latest}" if latest and latest != until else ""


def _job_text(it: VerticalStatus, now: datetime) -> tuple[str, str]:
    job, failing = it.job, _failing_text(it, now)
    if job is None:
        return ("not known" if it.blind else "no job yet"), failing
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
    return head, "; ".join(filter(None, [f"{job.at:%Y-%m-%d %H:%M}", clipped(why, _CHARACTERS), failing]))


def _drift_of(it: VerticalStatus) -> tuple[str, str]:
    if it.monitoring is None:
        return ("not compared yet" if it.champion is not None else _NONE), ""
    as_of = f"as of {_moment_text(it.monitoring.as_of)}"
    if not it.monitoring.rows_new:
        return "no new rows", as_of
    drift = drift_text(it.monitoring)
    drift = f"drift: {drift}" if it.monitoring.drifted else drift.replace("none in", "none of")
    index = "" if it.monitoring.index is None else f"index {index_text(it.monitoring.index)}; "
    return drift, f"{index}{as_of}"


def _next_text(it: VerticalStatus, now: datetime) -> tuple[str, str]:
    if it.overdue is not None:
        return f"due for {span_text(now - it.overdue)}", f"{it.schedule}; does the scheduler run?"
    if it.schedule:
        return it.next_start, it.schedule
    return (_NONE if it.problem else "by hand"), ""


def _failing_text(it: VerticalStatus, now: datetime) -> str:
    """Since when its jobs fail; "" if they do not."""
    if it.failing_since is None:
        return ""
    return f"failing since {it.failing_since:%Y-%m-%d %H:%M}, {_how_long(it.failing_since, now, 'for {}')}"


def _how_long(since: datetime, now: datetime, text: str) -> str:
    """A time span, or a hint at a wrong clock; clocks of two machines differ by minutes at most."""
    if since - now > _CLOCKS:
        return "in the future: was a clock wrong?"
    return text.format(span_text(now - since))


def _moment_text(text: str) -> str:
    """A time to the minute; a number stays as it is."""
    at = retraining.as_moment(text)
    if at is None:
        return text
    return f"{at:%Y-%m-%d}" if (at.hour, at.minute, at.second) == (0, 0, 0) else f"{at:%Y-%m-%d %H:%M}"


def render_page(status: Status, folder: Path) -> str:
    """The text of the page, with links relative to `folder`."""
    pressing, well, idle = status.groups
    return render(
        "status.html",
        it=status,
        groups={"Need attention": _rows(pressing, status, folder), "Do not": _rows(well, status, folder)},
        idle=[each.vertical for each in idle],
    )


def _rows(verticals: list[VerticalStatus], status: Status, folder: Path) -> list[dict[str, object]]:
    """What the page shows of verticals."""
    return [
        {
            "it": each,
            "labels": [FINDINGS[finding][0] for finding in each.findings],
            **cells_of(each, status.at),
            "trend": ""
            if each.monitoring is None
            else sparkline([window.value for window in each.monitoring.windows], each.monitoring.bound),
            "pages": {title: _relative(file, folder) for title, file in each.pages.items()},
        }
        for each in verticals
    ]


def _relative(file: Path, folder: Path) -> str:
    return quote(Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix())
