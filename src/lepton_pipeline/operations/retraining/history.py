"""What the registry and the runs tell of a vertical: its champion, its trainings, the jobs that decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lepton_pipeline.operations.retraining.facts import Champion, Estimate
from lepton_pipeline.parameters.jobs import RETRAINING, Job, is_partial
from lepton_pipeline.registry.champion import champion_of, history
from lepton_pipeline.system.processes import has_ended
from lepton_pipeline.tracking.runs import VANISHED

_LOOKED_AT = 200
_FAILED = ("FAILED", "KILLED")


@dataclass(frozen=True)
class JobRun:
    """One job as its run in MLflow tells of it.

    Attributes:
        run_id: the job's own run.
        at: when it began.
        as_of: the date that it decided for, as text; "" for the moment it began.
        status: "RUNNING", "FINISHED", "FAILED" or "KILLED", also where its process ended without a word.
        due: whether training was due; None where it did not come so far.
        triggers: those that held.
        decision: in one sentence; or why it failed.
        training_run_id: the run that trained; None where none did.
        version: of the model; None where none was registered.
        promoted: whether that became champion; None where the champion is the same model, or it did not come
            so far.
        exit_code: of the process; None where it could not say.
        reason: of the gate; "" where it was not asked.
        data_until: time of the latest row with a known label that it saw, as text; "" where no time is
            declared.
    """

    run_id: str
    at: datetime
    as_of: str
    status: str
    due: bool | None
    triggers: tuple[str, ...]
    decision: str
    training_run_id: str | None
    version: int | None
    promoted: bool | None
    exit_code: int | None
    reason: str = ""
    data_until: str = ""


def job_runs(client: Any, vertical: str, most: int = _LOOKED_AT) -> list[JobRun]:
    """The latest jobs of a vertical, the latest first; none where no store or no job is there."""
    name = Job(vertical, RETRAINING).name
    return [_job(run) for run in _runs(client, name, most=most)]


def read_champion(client: Any, vertical: str, metric: str) -> Champion | None:
    """The version in use, with what its tags tell; None where there is none.

    Args:
        client: of the store; None where nothing ever ran.
        vertical: the name of its registered model.
        metric: the gate's.
    """
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
    """When a training last came to a decision of the gate, before `now`; for one as of a date, that date."""
    runs = _runs(client, vertical, "attributes.status = 'FINISHED' AND tags.`gate.decision` LIKE '%'")
    return max(
        (at for run in runs if not is_partial(run.data.tags) and (at := _clock(run)) <= now), default=None
    )


def failures(jobs: list[JobRun]) -> tuple[datetime | None, int]:
    """When a job last failed, and how many failed since one last ended well; a job at work is not counted.

    Args:
        jobs: the latest first.
    """
    ended = [job for job in jobs if job.status != "RUNNING"]
    last = next((job.at for job in ended if job.status in _FAILED), None)
    well = next((position for position, job in enumerate(ended) if job.status not in _FAILED), len(ended))
    return last, well


def failing_since(jobs: list[JobRun]) -> datetime | None:
    """When the first of the jobs began that have failed since one last ended well; None where the last one did.

    Args:
        jobs: the latest first.
    """
    ended = [job for job in jobs if job.status != "RUNNING"]
    _, failed = failures(jobs)
    return ended[failed - 1].at if failed else None


def as_moment(text: str) -> datetime | None:
    """A date or time in ISO 8601, in UTC where it names no zone; None where the text is none, a number say."""
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
    """The moment that a training belongs to: the date as of which it ran, else when it ended."""
    milliseconds = run.info.end_time or run.info.start_time
    return as_moment(run.data.params.get("dataset.as_of", "")) or datetime.fromtimestamp(
        milliseconds / 1000, UTC
    )


def _estimate(tags: Mapping[str, str], metric: str) -> Estimate | None:
    key = f"test.{metric}"
    figures = [tags.get(name) for name in (key, f"{key}.low", f"{key}.high")]
    if None in figures:
        return None
    value, low, high = (float(str(figure)) for figure in figures)
    return Estimate(metric, value, low, high)


def _job(run: Any) -> JobRun:
    tags = run.data.tags
    dead = run.info.status == "RUNNING" and has_ended(tags)
    return JobRun(
        run_id=run.info.run_id,
        at=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        as_of=tags.get("as_of", ""),
        # Whoever lists them must not take a job for one at work that nobody will ever end.
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
