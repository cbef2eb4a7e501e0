"""`kedro vertical new`: write the declaration of a new vertical from its data."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.reading import Reading
from lepton_pipeline.features.column_record import Column
from lepton_pipeline.features.columns import kind_of, list_columns
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.features.encode import fit_columns
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.onboarding.new.comments import NO_FEATURE, RANGES, Decision, comments, decisions
from lepton_pipeline.onboarding.new.declaration import Plan, declare
from lepton_pipeline.onboarding.new.files import (
    check_name,
    find_files,
    find_source,
    source_text,
    write_vertical,
)
from lepton_pipeline.onboarding.new.items_plan import plan_items
from lepton_pipeline.onboarding.new.items_text import items_decisions, items_outcome, items_text
from lepton_pipeline.onboarding.new.plan import Wanted, plan_vertical
from lepton_pipeline.onboarding.new.records_text import catalog_text
from lepton_pipeline.onboarding.new.render import render
from lepton_pipeline.onboarding.new.series_plan import plan_series, require_rows
from lepton_pipeline.onboarding.new.series_text import series_decisions, series_outcome, series_text
from lepton_pipeline.onboarding.profile import Profile, profile_files
from lepton_pipeline.parameters import Dataset, Vertical
from lepton_pipeline.parameters.recommendation import LABEL
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.reporting.report.reading import reading_facts
from lepton_pipeline.tasks.find import find_task
from lepton_pipeline.terminal.columns import show_columns
from lepton_pipeline.terminal.console import Text, console, facts_grid, fixed, table

MOST_LINES = 60
NOTHING = Wanted()


@dataclass(frozen=True)
class NewVertical:
    """What `new_vertical` has written.

    `outcome` sums up the target of the rows that have one, `table` is what a training would make of every
    column.
    """

    name: str
    rows: int
    columns: int
    outcome: str
    decisions: list[Decision]
    table: list[Column]
    reading: Reading | None


def new_vertical(project: Path, name: str, files: list[Path], wanted: Wanted = NOTHING) -> NewVertical:
    """Write conf/base/<name> and data/01_raw/<name> from raw files, both or neither.

    The former holds parameters.yml, and catalog.yml where series are to be forecast or items offered.

    Args:
        project: root of the Kedro project.
        name: a letter, then letters, digits and underscores, all lower-case.
        files: table files, or folders of them; all with the same columns.
        wanted: what is not to be inferred.

    Raises:
        ConfigurationError: the name is taken or invalid, a file or column does not exist, or the target or
            what is asked about it cannot be inferred.
        DataError: a file is no table, or its rows cannot be learnt from or split as asked for.
    """
    check_name(project, name)
    sources = find_files(project, name, files)
    profile = profile_files([source.raw for source in sources], wanted.target)
    table = profile.table
    origin = ", ".join(source.raw.name for source in sources[:3]) + " .." * (len(sources) > 3)
    kinds = {str(column): kind_of(table[column]) for column in table}

    drafted = _of_items if wanted.recommends else _of_series if wanted.forecasts else _of_rows
    draft = drafted(name, profile, wanted, origin)
    source = find_source(files) or source_text(name, sources, len(table), kinds, draft.target)
    write_vertical(project, name, draft.files, source, sources)
    return NewVertical(name, *table.shape, draft.outcome, draft.decisions, draft.columns, profile.reading)


@dataclass(frozen=True)
class _Draft:
    """Texts of the files by their names, the target, and what is printed; see `NewVertical`."""

    files: dict[str, str]
    target: str
    outcome: str
    decisions: list[Decision]
    columns: list[Column] = field(default_factory=list)


def _of_rows(name: str, profile: Profile, wanted: Wanted, origin: str) -> _Draft:
    plan = plan_vertical(name, profile, wanted)
    files = {"parameters.yml": _declaration_text(name, plan, origin)}
    outcome = _outcome(plan.rows(), plan.vertical(name).dataset)
    return _Draft(files, plan.target.column, outcome, decisions(plan), _columns(name, plan))


def _of_series(name: str, profile: Profile, wanted: Wanted, origin: str) -> _Draft:
    plan = plan_series(profile, wanted)
    text = series_text(name, plan, origin)
    require_rows(plan, _read_text(name, text))
    files = {"parameters.yml": text, "catalog.yml": catalog_text(name)}
    return _Draft(files, plan.target, series_outcome(plan), series_decisions(plan))


def _of_items(name: str, profile: Profile, wanted: Wanted, origin: str) -> _Draft:
    plan = plan_items(profile, wanted)
    text = items_text(name, plan, origin)
    _read_text(name, text)
    files = {"parameters.yml": text, "catalog.yml": catalog_text(name)}
    return _Draft(files, LABEL, items_outcome(plan), items_decisions(plan))


def _outcome(rows: pd.DataFrame, dataset: Dataset) -> str:
    task = find_task(rows, dataset)
    return task.summed_up_by[1].format(task.summed_up(task.read(rows, dataset)))


def _columns(name: str, plan: Plan) -> list[Column]:
    """Every column of the table, then the derived ones, as a training would treat them.

    The rules are those of a training, over all rows; only a training tries whole numbers as categories, and learns
    from texts.
    """
    vertical = plan.vertical(name)
    rows = plan.rows(plan.keys())
    table = derive_features(rows, vertical.dataset, vertical.features)
    encoded, dropped = fit_columns(table.drop(columns=vertical.dataset.text), vertical.dataset)
    unlearnt = np.empty(0, np.float32)
    encoded += [TextColumn(name, (), unlearnt, unlearnt, unlearnt) for name in vertical.dataset.text]
    decided = plan.unused() | dict.fromkeys(plan.leaks, "likely a leak")
    return list_columns(table, vertical.dataset, vertical.features, encoded, dropped | decided)


def _declaration_text(name: str, plan: Plan, origin: str) -> str:
    """A plan as a parameters file; beyond `MOST_LINES` lines, the least important expectations are left out."""
    said, expectations = comments(plan), plan.expectations
    head = (
        f"Drafted by `kedro vertical new` from {origin} ({len(plan.profile.table):,} rows): read and correct it. "
        f"See data/01_raw/{name}/SOURCE.md."
    )

    def text(kept: int) -> str:
        about = list(dict.fromkeys(str(each.column) for each in expectations[kept:]))
        more = f"{len(expectations) - kept} more were left out for length, about {', '.join(about[:3])} .."
        left_out = {f"{RANGES}[]": [more]} if about else {}
        return render(name, declare(plan, kept), said | left_out, head)

    kept = range(len(expectations) + 1)
    chosen = text(bisect_right(kept, MOST_LINES, lo=1, key=lambda kept: text(kept).count("\n")) - 1)
    _read_text(name, chosen)
    return chosen


def _read_text(name: str, text: str) -> Vertical:
    """Read a parameters file as a run does."""
    from omegaconf import OmegaConf

    loaded: Any = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    return read_vertical(name, loaded[name])


def print_new(result: NewVertical) -> None:
    """Print what was decided and written, and the next step."""
    out = console()
    out.print()
    size = f"{result.rows:,} rows, {result.columns} columns, {result.outcome}"
    out.print(Text(f"{result.name}: {size}", style="bold"))
    decided = table(fixed("decision", style="dim"), "value", "reason")
    # The table of columns shows those that are no features.
    for decision in (each for each in result.decisions if each.what != NO_FEATURE):
        decided.add_row(decision.what, Text(decision.choice), Text(decision.reason))
    out.print(decided)
    columns, more = show_columns(result.table)
    if columns is not None:
        out.print(columns)
    written = f"conf/base/{result.name}/parameters.yml, data/01_raw/{result.name}/"
    todo = [("written", f"{written}: read them, and fill in SOURCE.md")]
    todo += [("next", f"kedro run --pipelines {result.name}")]
    out.print(facts_grid([*reading_facts(result.reading, None), *more, *todo]))
