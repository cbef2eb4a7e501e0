"""Remove old versions of a registered model, and the files of their runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime

from lepton_pipeline.errors import DataError
from lepton_pipeline.registry.prune_plan import PRUNED, Plan, Remainder
from lepton_pipeline.registry.versions import name_filter
from lepton_pipeline.system.permissions import user_name
from lepton_pipeline.system.records import from_plain
from lepton_pipeline.tracking.artefact_folders import folder_bytes, remove_folder, require_removable

EVENT = "prune.event."
_TEXT_CHARACTERS = 500


@dataclass(frozen=True)
class Removed:
    """What went, or would go, with the size of its files."""

    what: Remainder
    size: int  # bytes


@dataclass(frozen=True)
class Pruning:
    """A pruning as the registered model records it, in UTC; `versions` as `ranges` writes them."""

    at: AwareDatetime
    keep: int
    versions: str
    runs: int
    freed: int  # bytes
    user: str


def measure(plan: Plan) -> Iterator[Removed]:
    """What `prune` would remove, with the present size of its files."""
    for item in plan.remove:
        yield Removed(item, sum(map(folder_bytes, item.folders)))


def prune(client: Any, plan: Plan) -> Iterator[Removed]:
    """Remove what a plan names, one run after the other, and record it; yields what went.

    The caller holds the locks of the vertical. A version goes before its files, and its run last and with a tag
    from the beginning, so that after an interruption the next plan names what is left. Raises ConfigurationError,
    before anything is removed, if this user may not.
    """
    require_removable(folder for item in plan.remove for folder in item.folders)
    done: list[Removed] = []
    try:
        for item in plan.remove:
            removed = Removed(item, _remove(client, plan.name, item))
            done.append(removed)
            yield removed
    finally:
        if done:
            _record(client, plan, done)


def read_prunings(client: Any, name: str) -> list[Pruning]:
    """Every recorded pruning of a model, the earliest first; malformed tags are skipped."""
    found = []
    tags = [tag for model in client.search_registered_models(name_filter(name)) for tag in model.tags.items()]
    for key, text in tags:
        # Anyone may edit a tag.
        with suppress(DataError, TypeError, ValueError):
            if key.startswith(EVENT):
                found.append(from_plain(Pruning, {**json.loads(text), "at": key.removeprefix(EVENT)}))
    return sorted(found, key=lambda each: each.at)


def ranges(numbers: Sequence[int]) -> str:
    """Numbers as a text, neighbours joined.

    >>> ranges([1, 2, 3, 5, 8, 9])
    '1-3, 5, 8-9'
    """
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in spans)


def _remove(client: Any, name: str, item: Remainder) -> int:
    """Remove one run with its versions and return the bytes freed."""
    if item.run_id is not None:
        whose = f", version {ranges(item.versions)}" if item.versions else ""
        text = f"{datetime.now(UTC).isoformat(timespec='seconds')} by {user_name()}{whose}"
        client.set_tag(item.run_id, PRUNED, text)
    for version in item.versions:
        client.delete_model_version(name, str(version))
    freed = sum(map(remove_folder, item.folders))
    for model in item.models:
        client.delete_logged_model(model)
    if item.run_id is not None:
        client.delete_run(item.run_id)
    return freed


def _record(client: Any, plan: Plan, done: Sequence[Removed]) -> None:
    earlier, now = read_prunings(client, plan.name), datetime.now(UTC)
    if earlier:
        # Keep the order of events even if clocks differ.
        now = max(now, earlier[-1].at + timedelta(microseconds=1))
    versions = [version for each in done for version in each.what.versions]
    event = {
        "keep": plan.keep,
        "versions": ranges(versions)[:_TEXT_CHARACTERS],
        "runs": sum(each.what.run_id is not None for each in done),
        "freed": sum(each.size for each in done),
        "user": user_name(),
    }
    key = f"{EVENT}{now:%Y-%m-%dT%H:%M:%S.%fZ}"
    client.set_registered_model_tag(plan.name, key, json.dumps(event, ensure_ascii=False))
