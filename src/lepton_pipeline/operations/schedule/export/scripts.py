"""A crontab, or a systemd service and timer for each vertical, and the script that they start."""

from __future__ import annotations

from shlex import quote

from lepton_pipeline.operations.schedule.export.place import NOTE, Place, cron_of
from lepton_pipeline.operations.schedule.policies import Cron, Policy
from lepton_pipeline.operations.schedule.state import FINAL_CODES, FIRST_RETRY, LONGEST_WAIT

_SCRIPT = "retrain.sh"
# No word of a command can be this one.
_VERTICAL = "\0"
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def cron_files(policies: list[Policy], place: Place) -> dict[str, str]:
    """`lepton.crontab` for `crontab`, and `retrain.sh` beside it."""
    lines = [
        f"# {NOTE}",
        "# CRON_TZ is understood by cronie (Fedora, RHEL, Arch, SUSE). Debian's and Ubuntu's cron takes it for a",
        "# variable and goes by the machine's own zone: use systemd there, or declare that zone.",
        "# Cron does not make up for what it missed while the machine was off.",
    ]
    for policy in policies:
        cron = cron_of(policy)
        command = f"{quote(str(place.out / _SCRIPT))} {_arguments(policy)}"
        # In a crontab, % ends the command unless it is escaped, quoted or not.
        lines += [
            "",
            f"CRON_TZ={cron.zone}",
            f"{cron.expression} /bin/sh {command.replace('%', chr(92) + '%')}",
        ]
    return {"lepton.crontab": "\n".join(lines) + "\n", _SCRIPT: _retrain_script(place)}


def systemd_files(policies: list[Policy], place: Place) -> dict[str, str]:
    """Units by name, and the script that the services start."""
    files = {_SCRIPT: _retrain_script(place)}
    for policy in policies:
        name = f"lepton-retrain-{policy.vertical}"
        files[f"{name}.service"] = _service(policy, place)
        files[f"{name}.timer"] = _timer(policy)
    return files


def on_calendar(cron: Cron) -> list[str]:
    """A cron expression as calendar events: two where the day fits by month or by week."""
    fields = cron.fields
    weekdays = "" if len(fields.weekdays) == 7 else ",".join(_DAYS[day] for day in fields.weekdays) + " "
    parts = ((fields.days, 31), (fields.months, 12), (fields.hours, 24), (fields.minutes, 60))
    days, months, hours, minutes = (
        "*" if len(values) == count else ",".join(f"{value:02d}" for value in values)
        for values, count in parts
    )
    time = f"{hours}:{minutes}:00 {cron.zone}"
    if fields.either:
        return [f"*-{months}-{days} {time}", f"{weekdays}*-{months}-* {time}"]
    return [f"{weekdays}*-{months}-{days} {time}"]


def _arguments(policy: Policy) -> str:
    return f"{policy.vertical} {policy.retries} {policy.timeout:g}"


def _retrain_script(place: Place) -> str:
    command = " ".join('"$1"' if word == _VERTICAL else quote(word) for word in place.command(_VERTICAL))
    final = "|".join(map(str, (0, *FINAL_CODES)))
    first, longest = int(FIRST_RETRY.total_seconds()), int(LONGEST_WAIT.total_seconds())
    return f"""\
#!/bin/sh
# {NOTE}
# Usage: {_SCRIPT} VERTICAL RETRIES SECONDS
cd {quote(place.project)} || exit 2
attempt=1
wait={first}
while :; do
  code=0
  timeout --kill-after=60 "$3" {command} || code=$?
  # Done, or what is the same a minute later: bad usage, broken data, a refusal by the gate.
  case "$code" in {final}) exit "$code" ;; esac
  if [ "$attempt" -gt "$2" ]; then exit "$code"; fi
  sleep "$wait"
  attempt=$((attempt + 1))
  wait=$((wait * 2))
  if [ "$wait" -gt {longest} ]; then wait={longest}; fi
done
"""


def _service(policy: Policy, place: Place) -> str:
    # A word of a systemd command line.
    script = str(place.out / _SCRIPT).replace("\\", "\\\\").replace('"', '\\"')
    return f"""\
# {NOTE}
[Unit]
Description=Retraining of {policy.vertical}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=/bin/sh "{script.replace("%", "%%").replace("$", "$$")}" {_arguments(policy)}
# The script ends each attempt in time; these are for its stop.
TimeoutStartSec=infinity
TimeoutStopSec=90
"""


def _timer(policy: Policy) -> str:
    cron = cron_of(policy)
    events = "\n".join(f"OnCalendar={event}" for event in on_calendar(cron))
    return f"""\
# {NOTE}
[Unit]
Description=Retraining of {policy.vertical}: {cron.expression} in {cron.zone}

[Timer]
{events}
# What was missed while the machine was off is made up for, once.
Persistent=true
AccuracySec=1s

[Install]
WantedBy=timers.target
"""
