"""Where exported jobs run, and what they do there."""

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
    """Where the jobs run.

    Attributes:
        out: folder of the files.
        project: root of the project there.
        python: interpreter there.
        env: configuration environment; None for the default.
        image: container image that holds both; only Kubernetes needs it.
    """

    out: Path
    project: str
    python: str
    env: str | None = None
    image: str | None = None

    def __post_init__(self) -> None:
        """Raises ConfigurationError: a path holds what no file of these formats can say."""
        for path in (self.project, self.python, str(self.out)):
            if not path.isprintable():
                raise ConfigurationError(f"{path!r} holds a control character; use another path.")

    def command(self, vertical: str) -> list[str]:
        """The job as words."""
        return [self.python, "-m", "kedro", "retrain", vertical, *(["--env", self.env] if self.env else [])]


def cron_of(policy: Policy) -> Cron:
    """The schedule of a policy that has one."""
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
    parts = (
        (fields.minutes, 60),
        (fields.hours, 24),
        (fields.days, 31),
        (fields.months, 12),
        (fields.weekdays, 7),
    )
    return " ".join("*" if len(values) == count else _ranges(values) for values, count in parts)


def to_yaml(content: dict[str, Any]) -> str:
    """YAML for readers: scripts as they are, nothing by reference, the note on top."""
    return f"# {NOTE}\n{yaml.dump(content, Dumper=_Readable, sort_keys=False, width=1000)}"


def total_seconds(policy: Policy) -> int:
    """The longest that a job can take with all its retries and waits."""
    waits = sum(back_off(attempt).total_seconds() for attempt in range(1, policy.retries + 1))
    return int((policy.retries + 1) * (policy.timeout + 60) + waits)


def retry_loop(command: str, retries: str, seconds: str) -> str:
    """Shell lines that start a command again as the project's own scheduler would; they end with its exit code."""
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
