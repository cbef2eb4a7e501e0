"""Tell people what needs one: each cause once in a while, by every declared channel, and never at the job's cost."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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

logger = logging.getLogger(__name__)
FAILED, REFUSED, DRIFT, DECAY, CONTRACT, HUNG = "failed", "refused", "drift", "decay", "contract", "hung"
CAUSES = (FAILED, REFUSED, DRIFT, DECAY, CONTRACT, HUNG)
FOLDER = Path("data/.alerts")
_HEADLINES = {
    FAILED: "the retraining job failed",
    REFUSED: "the gate refused a model",
    DRIFT: "new rows differ from those of the training",
    DECAY: "the champion's quality has decayed",
    CONTRACT: "the data cannot be used",
    HUNG: "the retraining job took too long and was stopped",
}
_TEXT_CHARACTERS = 1500


@dataclass(frozen=True)
class Alert:
    """Something that needs a person.

    Attributes:
        vertical: whose job it is.
        cause: one of `CAUSES`; anything else is a trial.
        text: what happened, in a sentence or a few.
        at: when, with a time zone.
        details: figures and places by name, ready for JSON; what is an address is a link.
    """

    vertical: str
    cause: str
    text: str
    at: datetime
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """In a line."""
        return f"{self.vertical}: {_HEADLINES.get(self.cause, self.cause)}"

    def content(self) -> dict[str, Any]:
        """As it is posted and written: `text` for people, which chat programs show, the rest for programs."""
        return {
            "text": f"{self.subject}\n{self.body()}",
            "vertical": self.vertical,
            "cause": self.cause,
            "at": self.at.astimezone(UTC).isoformat(timespec="seconds"),
            "details": masked(dict(self.details)),
        }

    def body(self) -> str:
        """What happened, and the details, a line each."""
        text = masked(self.text)
        text = text if len(text) <= _TEXT_CHARACTERS else f"{text[: _TEXT_CHARACTERS - 1]}…"
        return "\n".join([text, *(f"{name}: {value}" for name, value in masked(dict(self.details)).items())])


@dataclass(frozen=True)
class Outcome:
    """What became of an alert in one channel.

    Attributes:
        channel: "webhook", "mail" or "file"; "" for all of them.
        state: "sent", "failed" or "held back".
        why: in words, without any secret; "" where there is nothing to say.
    """

    channel: str
    state: str
    why: str = ""

    def __str__(self) -> str:
        """In words: "webhook", "webhook failed (..)", "webhook held back (..)"."""
        name = self.channel or "all"
        shown = name if self.state == "sent" else f"{name} {self.state}"
        return f"{shown} ({self.why})" if self.why else shown


def send(
    alert: Alert, alerts: Alerts, project: Path, *, anyway: bool = False, patience: Patience = PATIENCE
) -> list[Outcome]:
    """Tell of an alert by every declared channel that has not been told of its cause within `cool_down`.

    What was told, when and by which channel lies in `data/.alerts/<vertical>.json`. It is written after an
    alert got through, so whoever is killed in between tells twice rather than never. Whatever goes wrong is
    an outcome.

    Args:
        alert: what to tell.
        alerts: channels and `cool_down`.
        project: root of the project, where a relative file starts from.
        anyway: tell it whatever was told before, and do not count it as told: a trial.
        patience: time-outs and tries.

    Returns:
        One outcome for each declared channel; none where none is declared.
    """
    try:
        channels = _channels(alert, alerts, project, patience)
        if not channels:
            return []
        if anyway:
            return _deliver(channels, patience)
        with _alone(project / FOLDER, alert.vertical, 2 * patience.deadline):
            return _send_what_is_due(
                alert, alerts, channels, project / FOLDER / f"{alert.vertical}.json", patience
            )
    # A job must not fail because nobody can be told of it.
    except Exception as error:
        logger.debug("the alert was not sent", exc_info=True)
        return [Outcome("", "failed", type(error).__name__)]


def summary(alert: Alert, outcomes: list[Outcome]) -> str:
    """What became of an alert, in a line."""
    return f"{alert.cause}: {', '.join(map(str, outcomes))}"


def _channels(
    alert: Alert, alerts: Alerts, project: Path, patience: Patience
) -> dict[str, Callable[[], str | None]]:
    """What tells by each declared channel, and says what is to be said of it."""
    address, letter, file = alerts.webhook, alerts.mail, alerts.file
    found: dict[str, Callable[[], str | None]] = {}
    if address is not None:
        found["webhook"] = lambda: post(address, alert.content(), patience)
    if letter is not None:
        found["mail"] = lambda: send_mail(
            letter, f"[lepton] {alert.subject}", alert.body(), alert.at, patience
        )
    if file is not None:
        found["file"] = lambda: append_line(project / file, alert.content())
    return found


def _send_what_is_due(
    alert: Alert,
    alerts: Alerts,
    channels: Mapping[str, Callable[[], str | None]],
    state: Path,
    patience: Patience,
) -> list[Outcome]:
    told = _read(state)
    wait = as_timedelta(alerts.cool_down) if isinstance(alerts.cool_down, str) else timedelta(0)
    held = {}
    for channel in channels:
        last = told.get(alert.cause, {}).get(channel)
        # One a little ahead is of somebody who began later and was first; one far ahead, of a clock that was
        # wrong.
        if last is not None and last - wait < alert.at < last + wait:
            held[channel] = Outcome(channel, "held back", f"until {last + wait:%Y-%m-%d %H:%M} UTC")
    outcomes = _deliver({name: tell for name, tell in channels.items() if name not in held}, patience)
    got_through = {outcome.channel: alert.at for outcome in outcomes if outcome.state == "sent"}
    if got_through:
        _write(state, {**told, alert.cause: {**told.get(alert.cause, {}), **got_through}})
    return [*outcomes, *held.values()]


def _deliver(channels: Mapping[str, Callable[[], str | None]], patience: Patience) -> list[Outcome]:
    """Tell by all channels at the same time, and wait for none of them longer than the deadline."""
    results: dict[str, Outcome] = {}

    def deliver(name: str, tell: Callable[[], str | None]) -> None:
        try:
            results[name] = Outcome(name, "sent", tell() or "")
        except DeliveryError as error:
            results[name] = Outcome(name, "failed", str(error).removeprefix(f"{name} "))
        # Its text may quote an address.
        except Exception as error:
            results[name] = Outcome(name, "failed", type(error).__name__)

    # A server that answers a byte now and then keeps every time-out from passing; the process may end before
    # it does.
    threads = [threading.Thread(target=deliver, args=each, daemon=True) for each in channels.items()]
    end = datetime.now(UTC) + timedelta(seconds=patience.deadline)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, (end - datetime.now(UTC)).total_seconds()))
    late = f"no answer within {patience.deadline:g} s"
    done = dict(results)
    return [done.get(name, Outcome(name, "failed", late)) for name in channels]


@contextmanager
def _alone(folder: Path, vertical: str, seconds: float) -> Iterator[None]:
    """Let no other process tell of the vertical meanwhile; rather tell twice than never where that cannot be had."""
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
    """What was told, by cause and channel; nothing where that is not known."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            cause: {channel: datetime.fromisoformat(at).astimezone(UTC) for channel, at in channels.items()}
            for cause, channels in content.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        logger.warning("%s cannot be read (%s): nothing counts as told", path, type(error).__name__)
        return {}


def _write(path: Path, told: Mapping[str, Mapping[str, datetime]]) -> None:
    try:
        write_json(path, told, indent=1, default=lambda at: at.astimezone(UTC).isoformat())
    except OSError as error:
        logger.warning("%s cannot be written (%s): the same may be told again", path, error.strerror)
