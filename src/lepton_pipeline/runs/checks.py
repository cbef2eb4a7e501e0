"""Checks before a run is reproduced, and the comparison of its values after; nothing is run here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.evaluation.costs import Costs
from lepton_pipeline.parameters.jobs import is_partial
from lepton_pipeline.tracking.artefacts import (
    COSTS,
    HISTORY,
    read_artifact,
    read_facts,
    read_metrics,
    read_record,
)
from lepton_pipeline.tracking.flat import flat_intervals, flat_metrics

Declared = dict[str, Any]  # a declaration as its run recorded it
# Metrics that depend on more than the model, of earlier releases.
_NOT_OF_THE_MODEL = ("seconds.", "gate.", "champion.", "system/")
_BY_EPOCH = (".loss", "validation.auc", "validation.log_loss")
_SHORT = 12


@dataclass(frozen=True)
class Check:
    """One precondition of reproducing a run; a difference stops the reproduction only if it is `decisive`."""

    name: str
    same: bool
    text: str
    remedy: str = ""
    decisive: bool = True


@dataclass(frozen=True)
class Value:
    """A figure or hash of the run and of its reproduction; None if one lacks it."""

    name: str
    then: float | str | None
    now: float | str | None

    @property
    def equal(self) -> bool:
        """Whether both are the same to the last bit."""
        both_nan = self.then != self.then and self.now != self.now
        return self.then is not None and (self.then == self.now or both_nan)


def check_run(run: Any) -> Check:
    """Check that the run is whole: a resumed one may hold results of other code or parameters."""
    if run.info.status != "FINISHED":
        why = f" ({error})" if (error := run.data.tags.get("error")) else ""
        text = f"{run.info.status.lower()}{why}: only what it recorded before can be compared"
        return Check("run", False, text, "choose a finished run")
    if run.data.tags.get("resumed") == "true":
        text = "resumed: results of earlier runs, perhaps of other code, data or parameters, are in it"
        return Check("run", False, text, "choose a run that was made in one go")
    if is_partial(run.data.tags):
        text = "partial: it made only a part of what its pipeline makes"
        return Check("run", False, text, "choose a whole run")
    return Check("run", True, "finished, made in one go")


def check_code(then: Mapping[str, str], now: Mapping[str, str], run_id: str) -> Check:
    """Compare the code of a run with the current code, by the lineage of the run and the same facts now.

    The same package is the same code, whatever else of the project has changed; a run without its hash needs
    equal commit and difference.
    """
    keys = ("git.commit", "git.diff.sha256")
    unknown = "code.sha256" not in then and then.get("git.commit", "none") == "none"
    if "code.sha256" in then:
        same = then["code.sha256"] == now["code.sha256"]
    else:
        clean = then.get("git.dirty") == "false" and now.get("git.dirty") == "false"
        recorded = clean or "git.diff.sha256" in then
        same = not unknown and recorded and all(then.get(key) == now.get(key) for key in keys)
    if same:
        moved = then.get("git.commit") != now.get("git.commit")
        since = f"the package is that of {_code(then)}" if moved else "unchanged"
        return Check("code", True, f"{_code(now)}, {since}")
    if unknown:
        return Check("code", False, "not known: made outside a git checkout, before code was recorded")
    return Check("code", False, f"{_code(then)} then, {_code(now)} now", _checkout(then, run_id))


def check_environment(then: str | None, now: str, tags: Mapping[str, str], python: str, run_id: str) -> Check:
    """Compare installed packages (one `name==version` a line) and the interpreter.

    Packages added since are listed but are no difference, since unchanged code does not import them.
    """
    remedy = (
        "install those versions into an environment of their own "
        f"(mlflow artifacts download --run-id {run_id} --artifact-path environment.txt)"
    )
    if then is None:
        return Check("environment", False, "not known: the run's environment.txt is gone")
    before, after = _versions(then), _versions(now)
    if "python" in tags:
        before["python"], after["python"] = tags["python"], python
    names = [name for name in sorted(before) if before[name] != after.get(name)]
    changed = [f"{name} {before[name]} then, {after.get(name, 'absent')} now" for name in names]
    if not changed:
        added = ", ".join(f"{name} {after[name]}" for name in sorted(after.keys() - before.keys()))
        beside = f"; new since then: {added}" if added else ""
        return Check("environment", True, f"{len(before)} packages, all of the same version{beside}")
    return Check("environment", False, "; ".join(changed), remedy)


def check_data(then: Mapping[str, str], now: Mapping[str, str] | None, problem: str = "") -> Check:
    """Compare table and test rows by the lineage of the run and of one now, None if that failed by `problem`."""
    was = then.get("data.sha256")
    remedy = "restore the raw data of that time (its place: the vertical's raw entry in the catalog)"
    if was is None:
        return Check("data", False, "not known: the run ended before its table was read")
    if now is None or "data.sha256" not in now:
        return Check("data", False, f"cannot be read: {problem}", remedy)
    tested = then.get("rows.sha256")
    if was == now["data.sha256"] and tested in (None, now.get("rows.sha256")):
        known = "" if tested else "; the run does not say which its test rows were: told by data and split"
        return Check("data", True, f"{_rows(now)} rows, sha256 {was[:_SHORT]}{known}")
    if was == now["data.sha256"]:
        text = f"the same {_rows(now)} rows, of which others are test rows now: their order has changed, or the code"
        return Check("data", False, text, remedy)
    texts = (f"{_rows(tags)} rows, sha256 {tags['data.sha256'][:_SHORT]}" for tags in (then, now))
    return Check("data", False, "{} then; {} now".format(*texts), remedy)


def check_device(then: Mapping[str, str], now: str) -> Check:
    """Compare where torch computes: "cpu", "cuda", or the reason why there is no such device now."""
    was = then.get("device") or now
    if was == now:
        return Check("device", True, now)
    return Check("device", False, f"{was} then, {now} now", f"use a machine where torch computes on {was}")


def check_processor(then: Mapping[str, str], now: str) -> Check:
    """Compare processors, by which libraries choose instructions that may change the last bits."""
    was = then.get("processor", now)
    if was == now:
        return Check("processor", True, now, decisive=False)
    return Check("processor", False, f"{was} then, {now} now; last bits may differ", decisive=False)


def read_parameters(client: Any, run: Any) -> Declared:
    """The declaration of a run with its overrides; raises ConfigurationError if missing or malformed."""
    text = read_artifact(client, run, "parameters.json")
    file = f"parameters.json of run {run.info.run_id}"
    if text is None:
        raise ConfigurationError(
            f"run {run.info.run_id} has no parameters.json, or it is gone, so it cannot be made again; "
            "choose a run of kedro run whose artefacts are there."
        )
    try:
        declared = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{file} is no JSON: {error}; restore it.") from error
    if not isinstance(declared, dict):
        raise ConfigurationError(f"{file} is no declaration: {declared!r}; restore it.")
    return declared


def compare_values(then: tuple[Any, str], now: tuple[Any, str]) -> list[Value]:
    """Compare every figure, every epoch, and hashes of configuration, test rows and weights, of two runs.

    Each run is a client and an id. Figures and epochs are those of its JSON artefacts; where an earlier
    release stored none, those that it logged. Times and what the gate found in the registry are left out,
    since they do not depend on the model alone.
    """
    runs = [(client, client.get_run(run_id)) for client, run_id in (then, now)]
    one, other = (read_facts(*run) for run in runs)
    values = [
        Value(key, one[key], other.get(key))
        for key in ("configuration.sha256", "rows.sha256", "weights.sha256")
        if key in one
    ]
    histories = [read_artifact(*run, HISTORY) for run in runs]
    # What was logged of epochs lacks those without validation rows.
    whole = None not in histories
    before, after = (
        _figures(*run) | _epochs(*run, history, whole=whole)
        for run, history in zip(runs, histories, strict=True)
    )
    names = sorted({name for name, _ in (*before, *after)})
    steps = {name: sorted(step for key, step in {*before, *after} if key == name) for name in names}
    return values + [
        Value(f"{name} [epoch {step}]" if step else name, before.get((name, step)), after.get((name, step)))
        for name in names
        for step in steps[name]
    ]


_Figures = dict[tuple[str, int], float]  # by name and epoch, 0 where there are no epochs


def _figures(client: Any, run: Any) -> _Figures:
    found = {
        name: value
        for name, value in run.data.metrics.items()
        if not name.startswith(_NOT_OF_THE_MODEL) and not _is_by_epoch(name)
    }
    if (metrics := read_metrics(client, run)) is not None:
        found |= flat_metrics(metrics)
    if (costs := read_record(client, run, COSTS, Costs)) is not None:
        found |= flat_intervals("cost", costs.policies)
    return {(name, 0): value for name, value in found.items()}


def _epochs(client: Any, run: Any, history: str | None, *, whole: bool) -> _Figures:
    """Losses of all networks by epoch; not `whole` means without epochs that lack validation rows."""
    if history is None:
        names = filter(_is_by_epoch, run.data.metrics)
        points = ((name, client.get_metric_history(run.info.run_id, name)) for name in names)
        return {(name, point.step): point.value for name, found in points for point in found}
    columns = json.loads(history)
    measured = [name for name in columns if name not in ("network", "epoch")]
    found: _Figures = {}
    for row, (network, epoch) in enumerate(zip(columns["network"], columns["epoch"], strict=True)):
        values = {name: columns[name][row] for name in measured}
        if whole or None not in values.values():
            prefix = "" if network == 1 else f"network_{network}."
            for name, value in values.items():
                shown = f"{prefix}{name.replace('_', '.', 1)}"
                found[shown, epoch] = float("nan") if value is None else value
    return found


def _is_by_epoch(name: str) -> bool:
    return name.endswith(_BY_EPOCH) and not name.startswith(("test.", "baseline.", "network."))


def _code(tags: Mapping[str, str]) -> str:
    commit = tags.get("git.commit", "none")
    if commit == "none":
        package = tags.get("code.sha256")
        return f"package {package[:_SHORT]}" if package else "code outside a checkout"
    changes = tags.get("git.diff.sha256")
    if tags.get("git.dirty") != "true":
        return f"commit {commit[:_SHORT]}"
    return f"commit {commit[:_SHORT]} with changes {changes[:_SHORT] if changes else 'not recorded'}"


def _checkout(tags: Mapping[str, str], run_id: str) -> str:
    commit = tags.get("git.commit", "none")
    if commit == "none":
        return "the run was made outside a checkout; its model version holds its code (code/)"
    steps = [f"git checkout {commit}"]
    if tags.get("git.dirty") == "true":
        if "git.diff.sha256" not in tags:
            return f"{steps[0]}; the tree differed from it, and how was not recorded"
        if "git.diff.bytes" in tags:
            return f"{steps[0]}; its changes, {tags['git.diff.bytes']} bytes, were too many to be stored"
        fetched = f"mlflow artifacts download --run-id {run_id} --artifact-path code.diff --dst-path ."
        steps += [fetched, "git apply --allow-empty code.diff"]
    return " && ".join(steps)


def _rows(tags: Mapping[str, str]) -> str:
    rows = tags.get("data.rows", "")
    return f"{int(rows):,}" if rows.isdigit() else "an unknown number of"


def _versions(text: str) -> dict[str, str]:
    pairs: Sequence[tuple[str, str, str]] = [line.partition("==") for line in text.splitlines()]
    return {name: version for name, _, version in pairs if name}
