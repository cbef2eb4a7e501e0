"""Deliver alerts by all declared channels, each cause once within `cool_down`."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from lepton_pipeline.operations.alerts.channels import (
    PATIENCE,
    DeliveryError,
    Patience,
    append_line,
    post,
    send_mail,
)
from lepton_pipeline.parameters import Alerts
from lepton_pipeline.parameters.durations import as_timedelta
from lepton_pipeline.system.credentials import masked
from lepton_pipeline.system.files import write_json
from lepton_pipeline.system.locks import FileLock
from lepton_pipeline.system.readable import clipped

logger = logging.getLogger(__name__)
FOLDER = Path("data/.alerts")
_HEADLINES = {
    "failed": "the retraining job failed",
    "refused": "the gate refused a model",
    "drift": "new rows differ from those of the training",
    "decay": "the champion's quality has decayed",
    "turn": "the index has turned",
    "contract": "the data cannot be used",
    "hung": "the retraining job took too long and was stopped",
}
_TEXT_CHARACTERS = 1500
# Delivers an alert by a channel, and returns a remark or None.
_Deliver = Callable[[], str | None]


@dataclass(frozen=True)
class Alert:
    """An alert about a vertical."""

    vertical: str
    cause: str  # one of `_HEADLINES`, or a test
    text: str
    at: datetime  # with a time zone
    details: Mapping[str, Any] = field(default_factory=dict)  # figures and links by name, ready for JSON

    @property
    def subject(self) -> str:
        """The subject line."""
        return f"{self.vertical}: {_HEADLINES.get(self.cause, self.cause)}"

    def content(self) -> dict[str, object]:
        """The alert as JSON: `text` for chat programs, the other keys for programs."""
        return {
            "text": f"{self.subject}\n{self.body()}",
            "vertical": self.vertical,
            "cause": self.cause,
            "at": self.at.astimezone(UTC).isoformat(timespec="seconds"),
            "details": masked(dict(self.details)),
        }

    def body(self) -> str:
        """The text and the details, a line each."""
        details = (f"{name}: {value}" for name, value in masked(dict(self.details)).items())
        return "\n".join([clipped(masked(self.text), _TEXT_CHARACTERS), *details])


@dataclass(frozen=True)
class Delivery:
    """The result of a delivery in one channel."""

    channel: str  # "webhook", "mail" or "file"; "" for all of them
    state: str  # "sent", "failed" or "held back"
    why: str = ""  # without secrets

    def __str__(self) -> str:
        name = self.channel or "all"
        shown = name if self.state == "sent" else f"{name} {self.state}"
        return f"{shown} ({self.why})" if self.why else shown


def send(
    alert: Alert, alerts: Alerts, project: Path, *, anyway: bool = False, patience: Patience = PATIENCE
) -> list[Delivery]:
    """Deliver an alert by every declared channel that has not reported its cause within `cool_down`.

    Deliveries are recorded in `data/.alerts/<vertical>.json` after they succeed, so a process killed in
    between delivers twice rather than never. With `anyway` (a test) neither the record nor `cool_down`
    counts. Every error becomes an outcome; the list is empty where no channel is declared.
    """
    try:
        channels = _channels(alert, alerts, project, patience)
        if not channels:
            return []
        if anyway:
            return _deliver(channels, patience)
        with _alone(project / FOLDER, alert.vertical, 2 * patience.deadline):
            return _send_due(alert, alerts, channels, project, patience)
    # A job must not fail because its alert does.
    except Exception as error:
        logger.debug("the alert was not sent", exc_info=True)
        return [Delivery("", "failed", type(error).__name__)]


def _channels(alert: Alert, alerts: Alerts, project: Path, patience: Patience) -> dict[str, _Deliver]:
    found: dict[str, _Deliver] = {}
    if alerts.webhook is not None:
        found["webhook"] = partial(post, alerts.webhook, alert.content(), patience)
    if alerts.mail is not None:
        subject = f"[lepton] {alert.subject}"
        found["mail"] = partial(send_mail, alerts.mail, subject, alert.body(), alert.at, patience)
    if alerts.file is not None:
        found["file"] = partial(append_line, project / alerts.file, alert.content())
    return found


def _send_due(
    alert: Alert,
    alerts: Alerts,
    channels: Mapping[str, _Deliver],
    project: Path,
    patience: Patience,
) -> list[Delivery]:
    state = project / FOLDER / f"{alert.vertical}.json"
    told = _read(state)
    wait = as_timedelta(alerts.cool_down) if isinstance(alerts.cool_down, str) else timedelta(0)
    held = {}
    for channel in channels:
        last = told.get(alert.cause, {}).get(channel)
        # A time slightly ahead is another process's; a time far ahead means a wrong clock.
        if last is not None and last - wait < alert.at < last + wait:
            held[channel] = Delivery(channel, "held back", f"until {last + wait:%Y-%m-%d %H:%M} UTC")
    outcomes = _deliver({name: tell for name, tell in channels.items() if name not in held}, patience)
    got_through = {outcome.channel: alert.at for outcome in outcomes if outcome.state == "sent"}
    if got_through:
        told[alert.cause] = {**told.get(alert.cause, {}), **got_through}
        try:
            write_json(state, told, indent=1, default=lambda at: at.astimezone(UTC).isoformat())
        except OSError as error:
            logger.warning("%s cannot be written (%s): alerts may be sent again", state, error.strerror)
    return [*outcomes, *held.values()]


def _deliver(channels: Mapping[str, _Deliver], patience: Patience) -> list[Delivery]:
    """Deliver by all channels in parallel, each within the deadline."""
    results: dict[str, Delivery] = {}

    def deliver(name: str, tell: _Deliver) -> None:
        try:
            results[name] = Delivery(name, "sent", tell() or "")
        except DeliveryError as error:
            results[name] = Delivery(name, "failed", str(error).removeprefix(f"{name} "))
        # Its text may quote an address.
        except Exception as error:
            results[name] = Delivery(name, "failed", type(error).__name__)

    # A server that sends a byte now and then defeats every time-out; a daemon thread does not block the exit.
    threads = [threading.Thread(target=deliver, args=each, daemon=True) for each in channels.items()]
    end = datetime.now(UTC) + timedelta(seconds=patience.deadline)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, (end - datetime.now(UTC)).total_seconds()))
    late = f"no answer within {patience.deadline:g} s"
    return [results.get(name, Delivery(name, "failed", late)) for name in channels]


@contextmanager
def _alone(folder: Path, vertical: str, seconds: float) -> Iterator[None]:
    """Lock the alerts of a vertical; without the lock, deliver twice rather than never."""
    lock = FileLock(folder / f"{vertical}.lock", seconds)
    try:
        if not lock.acquire():
            logger.warning("%s: an alert is sent without its lock: it was held for %g s", vertical, seconds)
    except OSError as error:
        logger.warning("%s: an alert is sent without its lock: %s", vertical, error)
    try:
        yield
    finally:
        lock.release()


def _read(path: Path) -> dict[str, dict[str, datetime]]:
    """Times of delivery by cause and channel; empty where they cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            cause: {channel: datetime.fromisoformat(at).astimezone(UTC) for channel, at in channels.items()}
            for cause, channels in content.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        logger.warning("%s cannot be read (%s): no alert counts as sent", path, type(error).__name__)
        return {}
