"""When a vertical is trained again, what is watched meanwhile, and who is told."""

from __future__ import annotations

from operator import not_
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, FiniteFloat

from lepton_pipeline.parameters.base import Declaration, Duration, Fraction, Share
from lepton_pipeline.system.cron import require_cron


def _require_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"{value!r} is no time zone; write a name such as Europe/Berlin or UTC")
    return value


def _require_web_address(value: str) -> str:
    try:
        address = urlsplit(value)
        fits = address.scheme in ("http", "https") and bool(address.hostname) and (address.port or 1) > 0
    except ValueError:
        fits = False
    if not fits:
        # Not the value, which may be a secret.
        raise ValueError("what is declared is no web address; write https://, a host and a path")
    return value


class Decay(Declaration):
    """When the quality that labels show afterwards counts as decayed."""

    at_least: Share | None = Field(
        None, description="bound of the gate's metric; None: the worse end of the champion's test interval"
    )
    # Excluded if absent, to keep recorded declarations of others.
    at_most: float | None = Field(
        None,
        exclude_if=lambda most: most is None,
        description="the same, of a metric that is better if lower",
    )
    windows: int = Field(2, ge=1, description="windows wholly worse than it, of the last `of`")
    of: int = Field(3, ge=1, description="last windows that are looked at")


class Index(Declaration):
    """A mean of predictions that people follow over time, such as opinion."""

    values: dict[bool | int | float | str, FiniteFloat] = Field(
        {}, description="what each of several classes counts, others 0; not for two classes, or a number"
    )
    every: Literal["batch", "day", "week", "month", "quarter", "year"] | None = Field(
        None,
        description="how long a period is; None: a month where there is a time, else all new rows are one",
    )
    time: str | None = Field(None, description="column of dates that tells periods; None: dataset.time")
    shift: Literal["inputs", "labels"] = Field(
        "inputs",
        description="what changes: inputs, and errors stay as on the test; or labels, and how each looks stays",
    )
    smallest_change: float = Field(
        0.1, ge=0, description="change that counts, in standard deviations of the value of a row"
    )


class Monitoring(Declaration):
    """What new rows are compared with the champion's training rows by."""

    window: Duration | None = Field(None, description="length of a window (30d); None: a tenth of the time")
    smallest_psi: float = Field(0.1, gt=0, description="population stability index that counts as drift")
    level: Fraction = Field(0.05, description="chance of a false alarm in a whole comparison")
    sample: int = Field(5000, ge=200, description="rows of the domain classifier, at most")
    ignore: list[str] = Field([], description="features known to change (the month), never flagged")
    # Excluded if absent, to keep recorded declarations of others.
    seasonal: bool = Field(
        False,
        exclude_if=not_,
        description="whether new rows are compared with training rows of the same calendar months alone",
    )
    index: Index | None = Field(
        None,
        exclude_if=lambda index: index is None,
        description="mean of predictions by period, such as opinion",
    )
    served: str | None = Field(
        None,
        exclude_if=lambda folder: folder is None,
        description="folder of the log of served rows, which count as new rows; see dataset.served_log",
    )


class Retraining(Declaration):
    """When a vertical is trained again; a trigger that is not declared never holds."""

    schedule: Annotated[str, AfterValidator(require_cron)] | None = Field(None, description="cron expression")
    zone: Annotated[str, AfterValidator(_require_zone)] = Field("UTC", description="zone of the schedule")
    max_age: Duration | None = Field(None, description="age at which the champion is replaced (90d)")
    on_new_rows: int | float | None = Field(
        None, gt=0, description="new labelled rows: number, or fraction below 1"
    )
    on_drift: bool = Field(False, description="whether drift of the inputs or of the scores is a reason")
    on_decay: Decay | None = Field(None, description="when realised quality is a reason")
    cool_down: Duration = Field("0d", description="time after a training without triggers")
    window: Duration | None = Field(None, description="latest period to train on; None: all")
    retries: int = Field(1, ge=0, le=10, description="restarts of a failed job, ever later")
    timeout: Duration = Field("12h", description="time after which a job is stopped")


class Mail(Declaration):
    """Where alerts are mailed; user and password come from LEPTON_SMTP_USER and LEPTON_SMTP_PASSWORD."""

    to: list[str] = Field(min_length=1, description="addresses")
    sender: str = Field(description="address it comes from")
    host: str = Field(description="SMTP server")
    port: int = Field(587, ge=1, le=65535, description="its port")
    starttls: bool = Field(True, description="whether the connection is encrypted before anything is sent")


class Alerts(Declaration):
    """Who is told of a failed job, a refused model, drift, decay, a turned index and broken contracts."""

    webhook: Annotated[str, AfterValidator(_require_web_address)] | None = Field(
        None, description="takes a POST of JSON; ${oc.env:NAME} keeps it secret"
    )
    mail: Mail | None = Field(None, description="SMTP")
    file: str | None = Field(None, description="file that gets a line of JSON for each alert")
    cool_down: Duration = Field("1d", description="time in which the same cause is not told again")
