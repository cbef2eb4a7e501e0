"""A crontab and its script."""

from __future__ import annotations

from shlex import quote

from lepton_pipeline.operations.schedule.export.place import NOTE, Place, cron_of, retry_loop
from lepton_pipeline.operations.schedule.policies import Policy

SCRIPT = "retrain.sh"
# No word of a command can be this one.
_VERTICAL = "\0"


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
        command = f"{quote(str(place.out / SCRIPT))} {policy.vertical} {policy.retries} {policy.timeout:g}"
        # In a crontab, % ends the command unless it is escaped, quoted or not.
        lines += [
            "",
            f"CRON_TZ={cron.zone}",
            f"{cron.expression} /bin/sh {command.replace('%', chr(92) + '%')}",
        ]
    return {"lepton.crontab": "\n".join(lines) + "\n", SCRIPT: retrain_script(place)}


def retrain_script(place: Place) -> str:
    """A shell script that runs a job with its time-out and retries."""
    command = " ".join('"$1"' if word == _VERTICAL else quote(word) for word in place.command(_VERTICAL))
    return (
        f"#!/bin/sh\n# {NOTE}\n# Usage: {SCRIPT} VERTICAL RETRIES SECONDS\n"
        f"cd {quote(place.project)} || exit 2\n" + retry_loop(command, '"$2"', '"$3"')
    )
