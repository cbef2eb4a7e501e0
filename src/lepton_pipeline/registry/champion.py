"""The champion, its history and its replacement, kept as tags of the model versions; and its report."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from pydantic import AwareDatetime

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.registry.versions import all_versions, find_version, load_artefact, name_filter
from lepton_pipeline.system.credentials import masked
from lepton_pipeline.system.permissions import user_name
from lepton_pipeline.system.records import from_plain

CHAMPION, CHALLENGER = "champion", "challenger"
EVENT = "champion.event."
_REASON_CHARACTERS = 1000
REPORTS = Path("data/08_reporting")
# Tag of a version: the run with its report, if another run registered it.
REPORT_RUN = "report.run_id"
_REPORT = "report/report.html"
_KEPT = ("report", "evaluation", "explanation")

How = Literal["gate", "rollback", "promote"]


@dataclass(frozen=True)
class Move:
    """A move of the alias `champion`, in UTC; `from_version` is None if there was no champion.

    `run_id` is the run of the gate.
    """

    at: AwareDatetime
    version: int
    from_version: int | None
    how: How
    reason: str
    run_id: str | None
    user: str


@dataclass(frozen=True)
class Reign:
    """A period in which a version was champion.

    `since` and `move` are None where the alias was moved by other means; `until` is None where it is unknown,
    or where the version is champion still.
    """

    version: int
    since: datetime | None
    until: datetime | None
    move: Move | None
    current: bool


def require_model(client: Any, name: str) -> None:
    """Raise ConfigurationError for a vertical without a registered model, before its name is part of a query.

    `client` is None where nothing was ever registered.
    """
    # No other name is a vertical's.
    possible = client is not None and re.fullmatch("[a-z][a-z0-9_]*", name)
    if possible and client.search_registered_models(name_filter(name)):
        return
    known = [] if client is None else sorted(str(model.name) for model in client.search_registered_models())
    there = f"there are models of {', '.join(known)}" if known else "no model was registered yet"
    raise ConfigurationError(f"{name!r} has no registered model; {there}.")


def champion_of(client: Any, name: str) -> int | None:
    """The version with the alias `champion`; None if there is no such version or model."""
    for model in client.search_registered_models(name_filter(name)):
        if version := model.aliases.get(CHAMPION):
            return int(version)
    return None


def read_moves(client: Any, name: str) -> list[Move]:
    """Every recorded move of the alias, the earliest first; malformed tags are skipped."""
    found = []
    for version in all_versions(client, name):
        for key, text in version.tags.items():
            # Anyone may edit a tag.
            with suppress(DataError, TypeError, ValueError):
                if key.startswith(EVENT):
                    at = {"at": key.removeprefix(EVENT), "version": version.version}
                    found.append(from_plain(Move, {"run_id": None, **json.loads(text), **at}))
    return sorted(found, key=lambda move: move.at)


def move_champion(
    client: Any, name: str, version: int, how: How, reason: str, run_id: str | None = None
) -> Move:
    """Write the event, then move the alias, so that an alias never lacks its reason.

    A process killed in between leaves an event that did not happen; `history` skips it.
    """
    moves, current = read_moves(client, name), champion_of(client, name)
    now = datetime.now(UTC)
    if moves:
        # Keep the order of events even if clocks differ.
        now = max(now, moves[-1].at + timedelta(microseconds=1))
    move = Move(now, version, current, how, reason, run_id, user_name())
    event = {key: getattr(move, key) for key in ("how", "from_version", "reason", "run_id", "user")}
    text = json.dumps({**event, "at": now.isoformat()}, ensure_ascii=False)
    client.set_model_version_tag(name, str(version), f"{EVENT}{now:%Y-%m-%dT%H:%M:%S.%fZ}", text)
    client.set_registered_model_alias(name, CHAMPION, str(version))
    return move


def history(client: Any, name: str) -> list[Reign]:
    """Periods of all champions, the earliest first; moves made in the MLflow UI have no `move`."""
    current = champion_of(client, name)
    moves = _happened(read_moves(client, name), current)
    reigns: list[Reign] = []
    for move, follower in zip_longest(moves, moves[1:]):
        before = reigns[-1].version if reigns else None
        if move.from_version is not None and move.from_version != before:
            reigns.append(Reign(move.from_version, None, move.at, None, current=False))
        until = follower.at if follower is not None and follower.from_version == move.version else None
        still = follower is None and current == move.version
        reigns.append(Reign(move.version, move.at, until, move, current=still))
    if current is not None and not (reigns and reigns[-1].current):
        reigns.append(Reign(current, None, None, None, current=True))
    return reigns


def roll_back(client: Any, name: str, reason: str, to: int | None = None) -> Move:
    """Make an earlier champion, `to`, the champion again.

    By default that is the one which the current champion replaced by gate or promotion, so a second rollback
    goes one further back. Raises ConfigurationError if there is no such champion, DataError if its artefact
    cannot be used.
    """
    reason = _checked_reason(reason)
    current = champion_of(client, name)
    if current is None:
        raise ConfigurationError(f"{name} has no champion, so there is nothing to roll back.")
    if to is None:
        moves = _happened(read_moves(client, name), current)
        own = [move for move in moves if move.version == current and move.how != "rollback"]
        to = own[-1].from_version if own else None
        if to is None:
            raise ConfigurationError(
                f"no champion before version {current} of {name} is known; name one with --to."
            )
    tags = find_version(client, name, to).tags
    if to == current:
        raise ConfigurationError(f"version {to} of {name} is the champion already; name another with --to.")
    reigned = {reign.version for reign in history(client, name)}
    if to not in reigned and tags.get("gate.decision") != "promoted":
        raise ConfigurationError(
            f"version {to} of {name} was never champion; to make it that: "
            f"kedro champion promote {name} {to} --force --reason TEXT"
        )
    _require_loadable(client, name, to)
    return move_champion(client, name, to, "rollback", reason)


def promote(client: Any, name: str, version: int, reason: str) -> Move:
    """Make a version champion whatever the gate decided.

    Raises ConfigurationError if it does not exist or is champion already, DataError if its artefact cannot be
    used.
    """
    reason = _checked_reason(reason)
    find_version(client, name, version)
    if champion_of(client, name) == version:
        raise ConfigurationError(f"version {version} of {name} is the champion already.")
    _require_loadable(client, name, version)
    move = move_champion(client, name, version, "promote", reason)
    challenger = client.get_registered_model(name).aliases.get(CHALLENGER)
    if challenger is not None and int(challenger) == version:
        client.delete_registered_model_alias(name, CHALLENGER)
    return move


def keep_champion_pages(client: Any, name: str, version: int, project: Path, run_id: str = "") -> Path | None:
    """Copy report, card and figures of a version to `data/08_reporting/<name>/champion`; return the report.

    The folder is replaced as a whole, and removed (None is returned) if no run has the version's report any
    more. `run_id` is the run that wrote the report, by default the one that the registry names.
    """
    from lepton_pipeline.datasets import FolderDataset

    registered = client.get_model_version(name, str(version))
    folder = FolderDataset(filepath=str(project / REPORTS / name / "champion"))
    for each in dict.fromkeys([run_id, registered.tags.get(REPORT_RUN), registered.run_id]):
        pages = _pages(client, each) if each else {}
        if _REPORT in pages:
            if each != registered.run_id:
                client.set_model_version_tag(name, str(version), REPORT_RUN, each)
            folder.save(pages)
            return folder.path / _REPORT
    folder.remove()
    return None


def _happened(moves: Sequence[Move], current: int | None) -> list[Move]:
    """Skip events whose alias never moved: the next one found the same champion as before."""
    followers = [*(move.from_version for move in moves[1:]), current]
    return [move for move, found in zip(moves, followers, strict=bool(moves)) if found != move.from_version]


def _checked_reason(reason: str) -> str:
    words = masked(" ".join(reason.split()))
    if not words or len(words) > _REASON_CHARACTERS:
        raise ConfigurationError(
            f"--reason: {len(words):,} characters; say in 1 to {_REASON_CHARACTERS:,} why the champion changes."
        )
    return words


def _require_loadable(client: Any, name: str, version: int) -> None:
    try:
        load_artefact(client, name, version)
    except DataError as error:
        raise DataError(f"version {version} of {name} cannot become champion: {error}") from error


def _pages(client: Any, run_id: str) -> dict[str, bytes]:
    """Files to keep of a run's artefacts; empty if they are gone."""
    from mlflow import MlflowException

    from lepton_pipeline.datasets import FolderDataset

    with TemporaryDirectory() as brought:
        try:
            for artefact in client.list_artifacts(run_id):
                if artefact.path in _KEPT:
                    client.download_artifacts(run_id, artefact.path, brought)
        except (OSError, MlflowException):
            return {}
        return dict(FolderDataset(filepath=brought).load())
