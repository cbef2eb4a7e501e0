"""Where exported jobs run, and what the formats share."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.schedule.policies import Cron, Policy

NOTE = "Written by `kedro schedule export`; write it again when the policy changes."


@dataclass(frozen=True)
class Place:
    """Where the jobs run."""

    out: Path  # folder of the files
    project: str  # its root there
    python: str  # interpreter there
    env: str | None = None  # configuration environment
    image: str | None = None  # container image of project and interpreter, for Kubernetes

    def __post_init__(self) -> None:
        """Raises ConfigurationError: a path holds a control character."""
        for path in (self.project, self.python, str(self.out)):
            if not path.isprintable():
                raise ConfigurationError(f"{path!r} holds a control character; use another path.")

    def command(self, vertical: str) -> list[str]:
        """The command of a job."""
        return [self.python, "-m", "kedro", "retrain", vertical, *(["--env", self.env] if self.env else [])]


def cron_of(policy: Policy) -> Cron:
    """The schedule of a policy; ConfigurationError where it has none."""
    if policy.cron is None:
        raise ConfigurationError(f"{policy.vertical}.retraining.schedule: not declared.")
    return policy.cron


def expression(policy: Policy) -> str:
    """The cron expression of plain lists, which every cron reads alike: no 7 for Sunday, no names, no steps.

    Raises ConfigurationError if days and weekdays must both fit, which crons read differently.
    """
    fields = cron_of(policy).fields
    if not (fields.either or len(fields.days) == 31 or len(fields.weekdays) == 7):
        raise ConfigurationError(
            f"{policy.vertical}.retraining.schedule: a weekday together with */n days of the month means something "
            "else to each cron; restrict one of the two."
        )
    parts = (fields.minutes, fields.hours, fields.days, fields.months, fields.weekdays)
    pairs = zip(parts, (60, 24, 31, 12, 7), strict=True)
    return " ".join("*" if len(values) == count else _ranges(values) for values, count in pairs)


def _ranges(values: tuple[int, ...]) -> str:
    """Such as 1-5,7."""
    pairs = groupby(enumerate(values), lambda pair: pair[1] - pair[0])
    runs = ([value for _, value in run] for _, run in pairs)
    return ",".join(",".join(map(str, run)) if len(run) < 3 else f"{run[0]}-{run[-1]}" for run in runs)
