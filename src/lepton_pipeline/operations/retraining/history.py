"""History of a vertical in MLflow: its champion, trainings and retraining jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lepton_pipeline.operations.monitoring.findings import MetricEstimate
from lepton_pipeline.operations.retraining.facts import Champion
from lepton_pipeline.parameters.jobs import RETRAINING, Job, is_partial
from lepton_pipeline.registry.champion import champion_of, history
from lepton_pipeline.system.processes import has_ended
from lepton_pipeline.tracking.runs import VANISHED

_LOOKED_AT = 200
_FAILED = ("FAILED", "KILLED")


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
    return [_job(run) for run in _runs(client, Job(vertical, RETRAINING).name, most=most)]


def read_champion(client: Any, vertical: str, metric: str) -> Champion | None:
    """The version in use, from the registry's tags; None where `client` is None or no version is in use."""
    number = None if client is None else champion_of(client, vertical)
    if number is None:
        return None
    version = client.get_model_version(vertical, str(number))
    tags, reigns = version.tags, history(client, vertical)
    return Champion(
        version=number,
        trained_until=tags.get("trained.until"),
        data_until=tags.get("data.until"),
        data_rows=_number(tags.get("data.rows")),
        trained_at=_trained_at(client, version),
        promoted_at=reigns[-1].since if reigns else None,
        training_rows=_number(tags.get("trained.rows")),
        estimate=_estimate(tags, metric),
    )


def last_training(client: Any, vertical: str, now: datetime) -> datetime | None:
    """End of the last training before `now` that the gate decided on, or its as-of date."""
    runs = _runs(client, vertical, "attributes.status = 'FINISHED' AND tags.`gate.decision` LIKE '%'")
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


def _runs(client: Any, experiment_name: str, where: str = "", most: int = _LOOKED_AT) -> list[Any]:
    experiment = None if client is None else client.get_experiment_by_name(experiment_name)
    if experiment is None:
        return []
    order = ["attributes.start_time DESC"]
    return list(client.search_runs([experiment.experiment_id], where, order_by=order, max_results=most))


def _trained_at(client: Any, version: Any) -> datetime:
    try:
        return _clock(client.get_run(version.run_id))
    # MLflow's own exception, without its import.
    except Exception as error:
        if getattr(error, "error_code", None) != "RESOURCE_DOES_NOT_EXIST":
            raise
        return datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)


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
        due=_truth(tags.get("due")),
        triggers=tuple(filter(None, tags.get("triggers", "").split(","))),
        decision=VANISHED if dead else tags.get("error") or tags.get("decision", ""),
        training_run_id=tags.get("training.run_id"),
        version=_number(tags.get("version")),
        promoted=_truth(tags.get("promoted")),
        exit_code=_number(tags.get("exit_code")),
        reason=tags.get("gate.reason", ""),
        data_until=tags.get("data.until", ""),
    )


def _truth(text: str | None) -> bool | None:
    return {"true": True, "false": False}.get(text or "")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
