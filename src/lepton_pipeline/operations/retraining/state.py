"""The inputs of a retraining policy: rows, monitoring, and the history of a vertical in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from lepton_pipeline.data.as_of import label_known, moment
from lepton_pipeline.data.training_rows import as_text
from lepton_pipeline.evaluation.decision import PROMOTED, REFUSED
from lepton_pipeline.operations.monitoring.findings import MetricEstimate, MonitoringResult, Window
from lepton_pipeline.operations.monitoring.summary import index_text
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.durations import before
from lepton_pipeline.parameters.jobs import RETRAINING, Job, is_partial
from lepton_pipeline.registry.champion import champion_of, history
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.system.processes import has_ended
from lepton_pipeline.system.records import Omitted
from lepton_pipeline.tracking.runs import HEADLINE, VANISHED
from lepton_pipeline.tracking.store import recent_runs

_LOOKED_AT = 200
_FAILED = ("FAILED", "KILLED")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class Champion:
    """The version in use; None is what was not recorded, or the times where none is declared."""

    version: int
    trained_until: str | None  # time of the latest training row
    data_until: str | None  # time of its latest row, test rows included
    data_rows: int | None  # rows of its table, test rows included
    trained_at: datetime  # as-of date of its training, else when it ended
    promoted_at: datetime | None  # None where the alias was moved by other means
    training_rows: int | None
    estimate: MetricEstimate | None  # the gate's metric on the test rows


@dataclass(frozen=True)
class RowCounts:
    """Rows of a vertical's table."""

    mature: int  # with a known label
    immature: int  # label not known yet
    new: int | None  # mature rows the champion was not made of; None where not known
    latest: str | None  # time of the latest mature row
    window_start: str | float | None = None  # start of the declared window, counted back from there


@dataclass(frozen=True)
class QualityWindow:
    """Realised quality in a window: a metric with its 95 % interval."""

    since: str
    until: str
    value: float
    low: float
    high: float
    below: bool  # whether the whole interval is worse than the bound
    metric: str

    @classmethod
    def of(cls, window: Window, figure: Estimate | None, below: bool, metric: str) -> QualityWindow | None:
        """A window with an interval of a figure; else None."""
        if figure is None or figure.low is None:
            return None
        return cls(str(window.since), str(window.until), figure.value, *figure.ends, below, metric)


@dataclass(frozen=True)
class RetrainingState:
    """The inputs of a decision; None is not known."""

    now: datetime  # the moment, or the date of an as-of run
    champion: Champion | None = None
    mature_rows_total: int | None = None
    new_mature_rows: int | None = None  # that the champion was not made of
    drifted: tuple[str, ...] | None = None  # columns, "scores", "all columns together", "volume"
    domain_auc: float | None = None  # AUC of the drift classifier
    domain_p: float | None = None
    windows: tuple[QualityWindow, ...] | None = None  # the gate's metric, the earliest first
    coverage: Omitted[tuple[QualityWindow, ...]] = None  # the same of prediction intervals, if there are any
    turned: Omitted[str] = None  # how the index has turned, if it has
    last_training_at: datetime | None = None  # by a job or by hand
    last_failure_at: datetime | None = None
    consecutive_failures: int = 0  # jobs that failed since the last success


def count_rows(
    table: pd.DataFrame, dataset: Dataset, champion: Champion | None, window: str | int | None = None
) -> RowCounts:
    """Count the rows of a table by whether their label is known and whether the champion was made of them.

    `window` is `retraining.window`. Raises DataError if the window, the label delay or the champion's times
    do not compare with the column of times.
    """
    if dataset.time is None:
        rows = None if champion is None else champion.data_rows
        return RowCounts(len(table), 0, None if rows is None else max(0, len(table) - rows), None)
    times = table[dataset.time]
    known = label_known(table, dataset) & times.notna()
    new = None
    since = None if champion is None else champion.data_until or champion.trained_until
    if since is not None:
        new = int((known & (times > moment(since, times, "data.until"))).sum())
    immature = int((~known & times.notna()).sum())
    if not known.any():
        return RowCounts(0, immature, new, None)
    latest = pd.Series([times[known].max()], name=times.name)
    start = None if window is None else before(latest, window, "retraining.window").iloc[0]
    if start is not None:
        start = start.isoformat() if isinstance(start, datetime) else float(start)
    return RowCounts(int(known.sum()), immature, new, as_text(latest.iloc[0]), start)


def read_monitoring(result: MonitoringResult | None, champion: Champion | None) -> dict[str, Any]:
    """Drift and decay of a monitoring result as arguments of `RetrainingState`; empty for another champion's result."""
    if result is None or champion is None or result.champion.version != champion.version:
        return {}
    others = {"scores": result.scores, "all columns together": result.domain, "volume": result.volume}
    flagged = [each.column for each in result.flagged]
    flagged += [name for name, each in others.items() if each is not None and each.flagged]
    windows, covered = [], []
    for each in result.windows:
        windows.append(QualityWindow.of(each, each.estimate, each.below, each.metric))
        covered.append(QualityWindow.of(each, each.coverage, each.coverage_below, "coverage"))
    return {
        "drifted": None if result.drifted is None else tuple(flagged if result.drifted else ()),
        "domain_auc": result.domain and result.domain.auc,
        "domain_p": result.domain and result.domain.p_value,
        "windows": tuple(filter(None, windows)),
        "coverage": None if result.coverage is None else tuple(filter(None, covered)),
        "turned": index_text(result.index) if result.index is not None and result.turned else None,
    }


@dataclass(frozen=True)
class JobRun:
    """A retraining job as its run in MLflow records it; None where the job did not get so far."""

    run_id: str  # the job's own run
    at: datetime
    as_of: str  # the date that it decided for; "" for the moment it began
    status: str  # of MLflow; "KILLED" where the process died
    due: bool | None
    triggers: tuple[str, ...]  # those that held
    decision: str  # in one sentence, or the error
    training_run_id: str | None
    version: int | None
    promoted: bool | None  # None also where the champion is the same model
    exit_code: int | None
    reason: str = ""  # of the gate
    data_until: str = ""  # time of the latest row with a known label


def job_runs(client: Any, vertical: str, most: int = _LOOKED_AT) -> list[JobRun]:
    """The latest jobs of a vertical, the latest first."""
    return [_job(run) for run in recent_runs(client, Job(vertical, RETRAINING).name, most)]


def read_champion(client: Any, vertical: str, metric: str | None = None) -> Champion | None:
    """The version in use, from the registry's tags; None where `client` is None or no version is in use.

    Its estimate is of `metric`, or of the gate's, as its run declares it.
    """
    number = None if client is None else champion_of(client, vertical)
    if number is None:
        return None
    version = client.get_model_version(vertical, str(number))
    tags, reigns, run = version.tags, history(client, vertical), _run_of(client, version)
    ended = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC) if run is None else _clock(run)
    metric = metric or (None if run is None else run.data.params.get(HEADLINE))
    return Champion(
        version=number,
        trained_until=tags.get("trained.until"),
        data_until=tags.get("data.until"),
        data_rows=_number(tags.get("data.rows")),
        trained_at=ended,
        promoted_at=reigns[-1].since if reigns else None,
        training_rows=_number(tags.get("trained.rows")),
        estimate=None if metric is None else _estimate(tags, metric),
    )


def last_training(client: Any, vertical: str, now: datetime) -> datetime | None:
    """End of the last training before `now` that the gate decided on, or its as-of date."""
    decided = "attributes.status = 'FINISHED' AND tags.`gate.decision` LIKE '%'"
    runs = recent_runs(client, vertical, _LOOKED_AT, decided)
    ends = (_clock(run) for run in runs if not is_partial(run.data.tags))
    return max((at for at in ends if at <= now), default=None)


def failures(jobs: list[JobRun]) -> tuple[datetime | None, int]:
    """Time of the last failure, and failures since the last success; `jobs` are the latest first."""
    ended = [job for job in jobs if job.status != "RUNNING"]
    last = next((job.at for job in ended if job.status in _FAILED), None)
    well = next((position for position, job in enumerate(ended) if job.status not in _FAILED), len(ended))
    return last, well


def failing_since(jobs: list[JobRun]) -> datetime | None:
    """Start of the first failure since the last success; `jobs` are the latest first."""
    ended = [job for job in jobs if job.status != "RUNNING"]
    _, failed = failures(jobs)
    return ended[failed - 1].at if failed else None


def as_moment(text: str) -> datetime | None:
    """An ISO 8601 date or time, in UTC where it has no zone; None for other text."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _run_of(client: Any, version: Any) -> Any:
    """The run that made a version; None if it is gone."""
    try:
        return client.get_run(version.run_id)
    # MLflow's own exception, without its import.
    except Exception as error:
        if getattr(error, "error_code", None) != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def _clock(run: Any) -> datetime:
    """The as-of date of a training, else when it ended."""
    ended = datetime.fromtimestamp((run.info.end_time or run.info.start_time) / 1000, UTC)
    return as_moment(run.data.params.get("dataset.as_of", "")) or ended


def _estimate(tags: Mapping[str, str], metric: str) -> MetricEstimate | None:
    keys = [f"test.{metric}{end}" for end in ("", ".low", ".high")]
    if not tags.keys() >= set(keys):
        return None
    value, low, high = (float(tags[key]) for key in keys)
    return MetricEstimate(metric, value, low, high)


def _job(run: Any) -> JobRun:
    tags = run.data.tags
    dead = run.info.status == "RUNNING" and has_ended(tags)
    return JobRun(
        run_id=run.info.run_id,
        at=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        as_of=tags.get("as_of", ""),
        status="KILLED" if dead else run.info.status,
        due=_TRUTH.get(tags.get("due")),
        triggers=tuple(filter(None, tags.get("triggers", "").split(","))),
        decision=VANISHED if dead else tags.get("error") or tags.get("decision", ""),
        training_run_id=tags.get("training.run_id"),
        version=_number(tags.get("version")),
        promoted=_promoted(tags),
        exit_code=_number(tags.get("exit_code")),
        reason=tags.get("gate.reason", ""),
        data_until=tags.get("data.until", ""),
    )


def _promoted(tags: Mapping[str, str]) -> bool | None:
    """What came of a job's model; earlier releases said it in a tag of their own."""
    if "gate.decision" not in tags:
        return _TRUTH.get(tags.get("promoted", ""))
    return {PROMOTED: True, REFUSED: False}.get(tags["gate.decision"])


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
