"""Find runs in the store by page or id prefix, without creating anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from lepton_pipeline.errors import ConfigurationError, did_you_mean
from lepton_pipeline.parameters.jobs import is_partial
from lepton_pipeline.system.credentials import masked
from lepton_pipeline.tracking.local_store import SQLITE
from lepton_pipeline.tracking.runs import Access, Tracking, existing_store

_PAGE = 1000
_ID_CHARACTERS = 32
_SHORTEST = 4


def open_store(tracking: Tracking, project: Path, access: Access = "load") -> Any:
    """A client of the store of `mlflow.yml`; for `access` see `RunLog`.

    Raises ConfigurationError if it is a SQLite file that does not exist yet, or cannot be used.
    """
    client = existing_store(tracking, project, access)
    if client is None:
        raise ConfigurationError(
            f"no run yet: {tracking.tracking_uri.removeprefix(SQLITE)} does not exist; make one with kedro run, "
            "or name another environment with --env."
        )
    return client


def latest_runs(client: Any, vertical: str, most: int) -> list[Any]:
    """The latest runs of a vertical, at most `most`, the newest first, without deleted and partial ones.

    Raises ConfigurationError if no vertical of that name ever ran.
    """
    names = [experiment.name for experiment in client.search_experiments()]
    if vertical not in names:
        hint = did_you_mean(vertical, names)
        known = ", ".join(sorted(name for name in names if name != "Default")) or "none"
        raise ConfigurationError(f"no run of {vertical!r}; {hint}there are runs of: {known}.")
    experiment = client.get_experiment_by_name(vertical).experiment_id
    order = {"order_by": ["attributes.start_time DESC"], "max_results": min(_PAGE, most)}
    # A filter of MLflow would drop runs without the tag.
    whole = (run for run in pages(client.search_runs, [experiment], **order) if not is_partial(run.data.tags))
    return list(islice(whole, most))


def pages(search: Callable[..., Any], *arguments: Any, **options: Any) -> Iterator[Any]:
    """All results of a search of MLflow, one page after the other."""
    token = None
    while True:
        page = search(*arguments, **options, page_token=token)
        yield from page
        if not (token := page.token):
            return


def recent_runs(client: Any, experiment_name: str, most: int, where: str = "") -> list[Any]:
    """The latest runs of an experiment, the newest first; none without a client (no store yet) or experiment."""
    experiment = None if client is None else client.get_experiment_by_name(experiment_name)
    if experiment is None:
        return []
    order = ["attributes.start_time DESC"]
    return list(client.search_runs([experiment.experiment_id], where, order_by=order, max_results=most))


def find_run(client: Any, text: str) -> Any:
    """The run with an id or unique id prefix; raises ConfigurationError if none or several match."""
    if not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST},{_ID_CHARACTERS}}}", text):
        raise ConfigurationError(
            f"{text!r} is no id of a run; give at least the first {_SHORTEST} of its 32 characters 0-9 and a-f, "
            "as kedro compare and the MLflow UI show them."
        )
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    begins_so = f"attributes.run_id LIKE '{text}%'"
    found = list(client.search_runs(experiments, begins_so, max_results=3))
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigurationError(
            f"no run {text!r} in {masked(str(client.tracking_uri))}; kedro compare VERTICAL lists "
            "the runs there are. A deleted run must be restored first."
        )
    ids = ", ".join(run.info.run_id for run in found)
    raise ConfigurationError(f"{text!r} begins the ids of several runs ({ids}); give more characters.")
