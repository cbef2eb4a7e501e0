"""A workflow of GitHub Actions for each vertical, whose cron knows UTC only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil
from shlex import quote
from typing import Any
from zoneinfo import ZoneInfo

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.schedule.export.place import Place, cron_of, expression, retry_loop, to_yaml, total_seconds
from lepton_pipeline.schedule.policies import Policy
from lepton_pipeline.schedule.ticks import Cron, Fields

_DAY = 24 * 60


def github_files(policies: list[Policy], place: Place) -> dict[str, str]:
    """Files for `.github/workflows`."""
    files = {}
    for policy in policies:
        cron = cron_of(policy)
        note = (
            f"# GitHub's cron knows UTC only: {cron.expression} in {cron.zone} is written in UTC below, once for "
            "each offset of\n# the zone; the first step lets only the one through that holds at the time.\n"
        )
        files[f"retrain-{policy.vertical}.yml"] = note + to_yaml(_workflow(policy, place))
    return files


def in_utc(cron: Cron, vertical: str, now: datetime | None = None) -> dict[str, list[str]]:
    """Expressions in UTC for each offset that the zone has in the two years to come.

    Args:
        cron: the schedule in its zone.
        vertical: whose it is, for the message.
        now: start of the two years.

    Returns:
        Expressions by offset as `date +%z` shows it.

    Raises:
        ConfigurationError: a tick falls on another date in UTC, and the schedule restricts dates.
    """
    begin = now or datetime.now(UTC)
    moments = ((begin + timedelta(days=days)).astimezone(ZoneInfo(cron.zone)) for days in range(0, 2 * 366, 3))
    offsets = {f"{moment:%z}": moment.utcoffset() or timedelta() for moment in moments}
    return {
        shown: _shifted(cron.fields, round(offset.total_seconds() / 60), vertical)
        for shown, offset in sorted(offsets.items())
    }


def _shifted(fields: Fields, minutes: int, vertical: str) -> list[str]:
    """The fields `minutes` earlier: lists of hours by minute and by the day that they fall on."""
    any_day = fields.every_day and fields.every_weekday and len(fields.months) == 12
    by_day: dict[tuple[int, int], list[int]] = {}
    for hour in fields.hours:
        for minute in fields.minutes:
            day, rest = divmod(hour * 60 + minute - minutes, _DAY)
            by_day.setdefault((0 if any_day else day, rest % 60), []).append(rest // 60)
    together: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    for (day, minute), hours in by_day.items():
        together.setdefault((day, tuple(sorted(hours))), []).append(minute)
    if any(day for day, _ in together) and not (fields.every_day and len(fields.months) == 12):
        raise ConfigurationError(
            f"{vertical}.retraining.schedule: in UTC, which is all that GitHub knows, some ticks fall on another date, "
            "and the schedule restricts dates or months; choose other hours, or the zone UTC."
        )
    return [
        expression(
            replace(
                fields,
                minutes=tuple(sorted(at)),
                hours=hours,
                weekdays=tuple(sorted((weekday + day) % 7 for weekday in fields.weekdays)),
            ),
            vertical,
        )
        for (day, hours), at in sorted(together.items())
    ]


def _workflow(policy: Policy, place: Place) -> dict[str, Any]:
    by_offset = in_utc(cron_of(policy), policy.vertical)
    expressions = sorted({each for meant in by_offset.values() for each in meant})
    steps: list[dict[str, Any]] = [
        {"uses": "actions/checkout@v4"},
        {"uses": "actions/setup-python@v5", "with": {"python-version": "3.11", "cache": "pip"}},
        {"run": "python -m pip install --constraint constraints.txt --editable ."},
        {"name": "Retrain", "shell": "bash", "run": _script(policy, place), "env": _secrets()},
    ]
    when = "steps.when.outputs.run == 'true'"
    return {
        "name": f"retrain {policy.vertical}",
        "on": {"schedule": [{"cron": each} for each in expressions], "workflow_dispatch": {}},
        "permissions": {"contents": "read"},
        "concurrency": {"group": f"retrain-{policy.vertical}", "cancel-in-progress": False},
        "jobs": {
            "retrain": {
                "runs-on": "${{ vars.LEPTON_RUNNER || 'ubuntu-latest' }}",
                "timeout-minutes": ceil(total_seconds(policy) / 60) + 15,
                "steps": [_guard(cron_of(policy).zone, by_offset), *({"if": when, **step} for step in steps)],
            }
        },
    }


def _guard(zone: str, by_offset: dict[str, list[str]]) -> dict[str, Any]:
    cases = "\n".join(f"  {offset}) meant={quote('|'.join(meant))} ;;" for offset, meant in by_offset.items())
    script = f"""\
case "$(TZ={quote(zone)} date +%z)" in
{cases}
  *) meant="$TICK" ;;
esac
run=false
case "|$meant|" in *"|$TICK|"*) run=true ;; esac
if [ "$EVENT" != schedule ]; then run=true; fi
echo "run=$run" >> "$GITHUB_OUTPUT"
"""
    context = {"EVENT": "${{ github.event_name }}", "TICK": "${{ github.event.schedule }}"}
    return {"id": "when", "name": "Is it time in the policy's zone?", "shell": "bash", "env": context, "run": script}


def _script(policy: Policy, place: Place) -> str:
    command = " ".join(map(quote, place.command(policy.vertical)))
    move = "" if place.project == "." else f"cd {quote(place.project)}\n"
    # GitHub's bash ends at the first command that fails; the loop asks for itself.
    return f"set +e\n{move}" + retry_loop(command, str(policy.retries), f"{policy.timeout:g}")


def _secrets() -> dict[str, str]:
    return {name: f"${{{{ secrets.{name} }}}}" for name in ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN")}
