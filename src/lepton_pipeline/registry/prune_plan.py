"""What of a registered model and its runs may be removed, and what is kept and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lepton_pipeline.evaluation.decision import PROMOTED
from lepton_pipeline.parameters.jobs import MONITORING, RETRAINING, SCORING, Job
from lepton_pipeline.registry.champion import REPORT_RUN, champion_of, history, read_moves
from lepton_pipeline.registry.versions import name_filter
from lepton_pipeline.system.processes import has_ended
from lepton_pipeline.tracking.store import pages, recent_runs

# Tag of a run whose files are being removed, or were.
PRUNED = "pruned"
_ENDED = ("FINISHED", "FAILED", "KILLED")
_OPEN = "attributes.status = 'RUNNING'"
_MOST_OPEN = 1000
_IN_USE = "named by a job: one at work, or the latest of scoring, monitoring or retraining"
_ELSEWHERE = "a version of another registered model has its files"
_OPEN_RUN = "its run is still open"
_YOUNG = "younger than --older-than"
_REFERRED = "holds the report or the decision of a kept version"


@dataclass(frozen=True)
class Rule:
    """What is kept beside champions: the `keep` latest versions, what is younger, and `pinned` versions."""

    keep: int
    older_than: timedelta | None = None
    pinned: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Remainder:
    """A run with its versions, to be removed together; without a run, where it stays or is gone."""

    versions: tuple[int, ...]
    run_id: str | None
    at: datetime  # registration, else start of the run, in UTC
    status: str  # of the run, in MLflow's words
    models: tuple[str, ...] = ()  # ids of MLflow's logged models
    folders: tuple[str, ...] = ()  # addresses of their artefacts and the run's


@dataclass(frozen=True)
class Plan:
    """What to remove, the oldest first; versions kept, and numbers of runs without a version kept, by reason."""

    name: str
    keep: int
    remove: list[Remainder]
    kept: dict[str, list[int]]
    kept_runs: dict[str, int]


@dataclass
class _Found:
    """The state of a model in the store: versions by number, and runs of its experiment by id."""

    versions: Mapping[int, Any]
    runs: Mapping[str, Any]
    models: Mapping[str, Any]  # logged models of the experiment, by id
    elsewhere: list[Any]  # versions of all other models
    held: set[str] = field(default_factory=set)  # runs to keep

    def is_held(self, number: int) -> bool:
        return self.versions[number].run_id in self.held

    def run_of(self, number: int) -> Any:
        return self.runs.get(self.versions[number].run_id)


def plan_pruning(client: Any, name: str, rule: Rule) -> Plan:
    """Decide what of a model to remove; nothing is changed.

    Kept are champions of all times, what an alias, `rule.pinned`, a job, another registered model or an open run
    refers to, and the latest versions. Runs without a version go if they began before the latest `rule.keep`
    versions, and are neither open nor referred to by a kept version.
    """
    found = _read(client, name)
    kept = _kept_versions(client, name, rule, found)
    more: list[int] | None = None
    # A version that is kept for its run may refer to another one.
    while more is None or more:
        found.held |= _referred(client, name, [found.versions[number] for number in kept], found)
        more = [number for number in found.versions if number not in kept and found.is_held(number)]
        kept |= dict.fromkeys(more, _REFERRED)
    by_reason: dict[str, list[int]] = {}
    for number in sorted(kept):
        by_reason.setdefault(kept[number], []).append(number)
    remove = _of_versions(found, kept)
    runs, kept_runs = _of_runs(rule, found)
    return Plan(name, rule.keep, sorted([*remove, *runs], key=lambda each: each.at), by_reason, kept_runs)


def _read(client: Any, name: str) -> _Found:
    everything = list(pages(client.search_model_versions))
    versions = {int(each.version): each for each in everything if each.name == name}
    elsewhere = [each for each in everything if each.name != name]
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return _Found(dict(sorted(versions.items())), {}, {}, elsewhere)
    own = [experiment.experiment_id]
    runs = {run.info.run_id: run for run in pages(client.search_runs, own)}
    models = {model.model_id: model for model in pages(client.search_logged_models, own)}
    return _Found(dict(sorted(versions.items())), runs, models, elsewhere)


def _kept_versions(client: Any, name: str, rule: Rule, found: _Found) -> dict[int, str]:
    """The reason to keep a version, by its number; the first that holds."""
    versions, champion = found.versions, champion_of(client, name)
    (model,) = client.search_registered_models(name_filter(name))
    named, runs = _named_by_jobs(client, name)
    copied = {
        int(matched[1])
        for each in found.elsewhere
        if (matched := re.fullmatch(rf"models:/{re.escape(name)}/(\d+)", each.source or ""))
    }
    shared = {each.run_id for each in found.elsewhere if each.run_id}
    copied |= {number for number, each in versions.items() if each.run_id in shared}
    found.held |= runs | shared
    promoted = {number for number, each in versions.items() if each.tags.get("gate.decision") == PROMOTED}
    reasons: list[tuple[str, Iterable[int]]] = [
        ("champion", () if champion is None else (champion,)),
        ("champion before", promoted | {reign.version for reign in history(client, name)}),
        *((f"alias {alias}", (int(of),)) for alias, of in sorted(model.aliases.items())),
        (f"among the latest {rule.keep}", list(versions)[-rule.keep :]),
        ("declared as scoring.version", rule.pinned),
        (_IN_USE, named),
        (_ELSEWHERE, copied),
        (_OPEN_RUN, [number for number in versions if _is_open(found.run_of(number))]),
        (_YOUNG, [number for number, each in versions.items() if _young(_registered(each), rule)]),
    ]
    kept: dict[int, str] = {}
    for reason, numbers in reasons:
        for number in numbers:
            if number in versions:
                kept.setdefault(number, reason)
    return kept


def _named_by_jobs(client: Any, name: str) -> tuple[set[int], set[str]]:
    """Versions and runs that jobs refer to which are at work, or the latest of their kind."""
    versions, runs = set(), set()
    for purpose in (SCORING, MONITORING, RETRAINING):
        experiment = Job(name, purpose).name
        at_work = recent_runs(client, experiment, _MOST_OPEN, _OPEN)
        for run in [*at_work, *recent_runs(client, experiment, 1)]:
            told = (run.data.tags.get("version"), run.data.params.get("scoring.version"))
            versions |= {int(text) for text in told if text and text.isdecimal()}
            runs |= {run.data.tags["training.run_id"]} if "training.run_id" in run.data.tags else set()
    return versions, runs


def _referred(client: Any, name: str, kept: Iterable[Any], found: _Found) -> set[str]:
    """Runs with the files, report or decision of kept versions."""
    runs = {move.run_id for move in read_moves(client, name) if move.run_id}
    for version in kept:
        runs |= {each for key in ("gate.run_id", REPORT_RUN) if (each := version.tags.get(key))}
    for version in [*kept, *found.elsewhere]:
        model = found.models.get(_model_of(version))
        if model is not None and model.source_run_id and model.source_run_id != version.run_id:
            runs.add(model.source_run_id)
    return runs


def _of_versions(found: _Found, kept: Mapping[int, str]) -> list[Remainder]:
    """Versions that go, those of one run together; a run that is held stays."""
    going = [number for number in found.versions if number not in kept]
    still_used = {found.versions[number].run_id for number in kept}
    groups: dict[str, list[int]] = {}
    for number in going:
        version, run = found.versions[number], found.run_of(number)
        alone = run is None or run.info.run_id in still_used
        key = _model_of(version) or f"version {number}" if alone else version.run_id
        groups.setdefault(key, []).append(number)
    spared = {_model_of(each) for each in [*(found.versions[number] for number in kept), *found.elsewhere]}
    items = []
    for key, numbers in groups.items():
        own = {_model_of(found.versions[number]) for number in numbers}
        at = min(_registered(found.versions[number]) for number in numbers)
        items.append(_remainder(found, found.runs.get(key), tuple(numbers), at, own - spared))
    return items


def _of_runs(rule: Rule, found: _Found) -> tuple[list[Remainder], dict[str, int]]:
    """Runs without a version that go, and numbers of those that stay by reason."""
    registered = {version.run_id for version in found.versions.values()}
    latest = list(found.versions)[-rule.keep :]
    times = [_registered(found.versions[number]) for number in latest]
    times += [_began(run) for number in latest if (run := found.run_of(number)) is not None]
    # Failures since then tell why there is no later version.
    since = min(times) if len(latest) == rule.keep else datetime.min.replace(tzinfo=UTC)
    going: list[Remainder] = []
    kept: dict[str, int] = {}
    for run_id, run in found.runs.items():
        if run_id in registered:
            continue
        if _is_open(run):
            reason = "still open"
        elif run_id in found.held:
            reason = _REFERRED
        elif PRUNED not in run.data.tags and _began(run) >= since:
            reason = f"began since the oldest of the latest {rule.keep} versions"
        elif _young(_began(run), rule):
            reason = _YOUNG
        else:
            going.append(_remainder(found, run, (), _began(run), set()))
            continue
        kept[reason] = kept.get(reason, 0) + 1
    return going, kept


def _remainder(
    found: _Found, run: Any, versions: tuple[int, ...], at: datetime, models: set[str]
) -> Remainder:
    own = {key for key in models if key in found.models}
    if run is not None:
        own |= {each.model_id for each in found.models.values() if each.source_run_id == run.info.run_id}
    folders = [found.models[key].artifact_location for key in sorted(own)]
    if run is None:
        return Remainder(versions, None, at, "", tuple(sorted(own)), tuple(folders))
    info = run.info
    return Remainder(
        versions, info.run_id, at, info.status, tuple(sorted(own)), (*folders, info.artifact_uri)
    )


def _model_of(version: Any) -> str:
    """The id of the logged model that a version has; of earlier releases ""."""
    matched = re.fullmatch(r"models:/(m-[0-9a-f]+)", version.source or "")
    return matched[1] if matched else version.model_id or ""


def _is_open(run: Any) -> bool:
    return run is not None and run.info.status not in _ENDED and not has_ended(run.data.tags)


def _young(at: datetime, rule: Rule) -> bool:
    return rule.older_than is not None and datetime.now(UTC) - at < rule.older_than


def _registered(version: Any) -> datetime:
    return datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)


def _began(run: Any) -> datetime:
    return datetime.fromtimestamp(run.info.start_time / 1000, UTC)
