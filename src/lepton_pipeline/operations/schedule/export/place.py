"""Where exported jobs run, and what the formats share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.schedule.plan import FINAL_CODES, FIRST_RETRY, LONGEST_WAIT, back_off
from lepton_pipeline.operations.schedule.policies import Policy
from lepton_pipeline.operations.schedule.ticks import Cron, Fields

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


def expression(fields: Fields, vertical: str) -> str:
    """A cron expression of plain lists, which every cron reads alike: no 7 for Sunday, no names, no steps.

    Raises:
        ConfigurationError: days and weekdays must both fit, which crons read differently.
    """
    if not (fields.either or fields.every_day or fields.every_weekday):
        raise ConfigurationError(
            f"{vertical}.retraining.schedule: a weekday together with */n days of the month means something else to "
            "each cron; restrict one of the two."
        )
    parts = (fields.minutes, fields.hours, fields.days, fields.months, fields.weekdays)
    counts = (60, 24, 31, 12, 7)
    pairs = zip(parts, counts, strict=True)
    return " ".join("*" if len(values) == count else _ranges(values) for values, count in pairs)


def to_yaml(content: dict[str, Any]) -> str:
    """YAML with literal block scalars, without aliases, with the note on top."""
    return f"# {NOTE}\n{yaml.dump(content, Dumper=_Readable, sort_keys=False, width=1000)}"


def total_seconds(policy: Policy) -> int:
    """The longest time of a job with all its retries and waits."""
    waits = sum(back_off(attempt).total_seconds() for attempt in range(1, policy.retries + 1))
    return int((policy.retries + 1) * (policy.timeout + 60) + waits)


def retry_loop(command: str, retries: str, seconds: str) -> str:
    """Shell lines that run a command with the scheduler's retries, and end with its exit code."""
    final = "|".join(map(str, (0, *FINAL_CODES)))
    first, longest = int(FIRST_RETRY.total_seconds()), int(LONGEST_WAIT.total_seconds())
    return f"""\
attempt=1
wait={first}
while :; do
  code=0
  timeout --kill-after=60 {seconds} {command} || code=$?
  # Done, or what is the same a minute later: bad usage, broken data, a refusal by the gate.
  case "$code" in {final}) exit "$code" ;; esac
  if [ "$attempt" -gt {retries} ]; then exit "$code"; fi
  sleep "$wait"
  attempt=$((attempt + 1))
  wait=$((wait * 2))
  if [ "$wait" -gt {longest} ]; then wait={longest}; fi
done
"""


class _Readable(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def _ranges(values: tuple[int, ...]) -> str:
    """Such as 1-5,7."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    shown = [",".join(map(str, run)) if len(run) < 3 else f"{run[0]}-{run[-1]}" for run in runs]
    return ",".join(shown)
