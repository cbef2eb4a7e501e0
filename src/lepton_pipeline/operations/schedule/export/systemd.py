"""A systemd service and timer for each vertical."""

from __future__ import annotations

from lepton_pipeline.operations.schedule.export.cron import SCRIPT, retrain_script
from lepton_pipeline.operations.schedule.export.place import NOTE, Place, cron_of
from lepton_pipeline.operations.schedule.policies import Policy
from lepton_pipeline.operations.schedule.ticks import Cron

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def systemd_files(policies: list[Policy], place: Place) -> dict[str, str]:
    """Units by name, and the script that the services start."""
    files = {SCRIPT: retrain_script(place)}
    for policy in policies:
        name = f"lepton-retrain-{policy.vertical}"
        files[f"{name}.service"] = _service(policy, place)
        files[f"{name}.timer"] = _timer(policy)
    return files


def on_calendar(cron: Cron) -> list[str]:
    """A cron expression as calendar events: two where the day fits by month or by week."""
    fields = cron.fields
    weekdays = "" if fields.every_weekday else ",".join(_DAYS[day] for day in fields.weekdays) + " "
    days = "*" if fields.every_day else _list(fields.days)
    months = "*" if len(fields.months) == 12 else _list(fields.months)
    hours = "*" if len(fields.hours) == 24 else _list(fields.hours)
    minutes = "*" if len(fields.minutes) == 60 else _list(fields.minutes)
    time = f"{hours}:{minutes}:00 {cron.zone}"
    if fields.either:
        return [f"*-{months}-{days} {time}", f"{weekdays}*-{months}-* {time}"]
    return [f"{weekdays}*-{months}-{days} {time}"]


def _service(policy: Policy, place: Place) -> str:
    return f"""\
# {NOTE}
[Unit]
Description=Retraining of {policy.vertical}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=/bin/sh {_quoted(str(place.out / SCRIPT))} {policy.vertical} {policy.retries} {policy.timeout:g}
# The script ends each attempt in time; these are for its stop.
TimeoutStartSec=infinity
TimeoutStopSec=90
"""


def _timer(policy: Policy) -> str:
    events = "\n".join(f"OnCalendar={event}" for event in on_calendar(cron_of(policy)))
    return f"""\
# {NOTE}
[Unit]
Description=Retraining of {policy.vertical}: {cron_of(policy).expression} in {cron_of(policy).zone}

[Timer]
{events}
# What was missed while the machine was off is made up for, once.
Persistent=true
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def _quoted(path: str) -> str:
    """A word of a systemd command line, with %, $ and backslashes escaped."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _list(values: tuple[int, ...]) -> str:
    return ",".join(f"{value:02d}" for value in values)
