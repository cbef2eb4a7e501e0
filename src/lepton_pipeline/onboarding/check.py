"""Hold a vertical's configuration and catalog, and its data, to what it declares, without training."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

from kedro.framework.project import pipelines, settings
from kedro.io import CatalogProtocol, DatasetError, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from lepton_pipeline.data.reading import Reading
from lepton_pipeline.data.rows import Rows
from lepton_pipeline.errors import ConfigurationError, did_you_mean
from lepton_pipeline.evaluation.copies_text import describe_found_copies
from lepton_pipeline.features.column_record import Column, read_columns
from lepton_pipeline.features.report import Finding
from lepton_pipeline.reporting.report.columns import columns_notes, count_columns
from lepton_pipeline.reporting.report.reading import reading_facts, waiting_facts
from lepton_pipeline.terminal.columns import show_columns
from lepton_pipeline.terminal.console import Table, Text, console, facts_grid, figures, table

_LAST_STAGE, _AND_THEN = "encode_rows", "describe_columns"
# Made by the hook that opens the MLflow run.
_RUN_ID = "run_id"
_RESULTS = (
    "ingestion_record",
    "contract_result",
    ".reading",
    "split",
    "copies_found",
    "feature_report",
    "encoder",
    "columns",
)
_NOTABLE_SECONDS = 0.1


@dataclass(frozen=True)
class Checked:
    """What a check found in a vertical that may be trained.

    Attributes:
        vertical: its name.
        rows: of the table, before quarantine.
        quarantined: rows among them that the contract takes out.
        tables: the same two numbers for each raw table that has a contract of its own.
        warnings: what the contracts warn of.
        parts: rows and base rate (fraction of positive rows) of each part of the split; rows of a gap have no
            rate.
        findings: what the feature check found, and rows on both sides of the split, in sentences.
        columns: what became of every column.
        seconds: by stage, in the order in which they ran.
        reading: record of reading the table; None where it was made of others.
        readings: records of reading the raw tables.
        waiting: how many rows wait for their label, if any.
    """

    vertical: str
    rows: int
    quarantined: int
    tables: dict[str, tuple[int, int]]
    warnings: list[str]
    parts: dict[str, tuple[int, float | None]]
    findings: list[str]
    columns: list[Column]
    seconds: dict[str, float]
    reading: Reading | None = None
    readings: dict[str, Reading] = field(default_factory=dict)
    waiting: list[tuple[str, str]] = field(default_factory=list)


def check_vertical(
    name: str,
    env: str | None = None,
    conf_source: str | None = None,
    runtime_params: dict[str, Any] | None = None,
) -> Checked:
    """Run a vertical's stages up to the encoded rows, in memory: no file is written and no MLflow run opened.

    Args:
        name: the vertical, of the project that is bootstrapped.
        env: configuration environment, as `kedro run --env`.
        conf_source: configuration folder, as `kedro run --conf-source`.
        runtime_params: values of single keys, as `kedro run --params`.

    Raises:
        ConfigurationError: the vertical is unknown, its declaration or its catalog cannot be followed.
        Exception: what a stage raises, as in a run; `errors.user_error` finds the error a user can mend in
            it.
    """
    with _quiet():
        pipelines.set_requested([name])
        _require_known(name)
        session = settings.SESSION_CLASS.create(
            env=env, conf_source=conf_source, runtime_params=runtime_params
        )
        with session:
            context = session.load_context()
            # As a session's own run does: without it, the typed parameters of every vertical are validated.
            context._pipelines_to_validate = [name]
            try:
                catalog = context.catalog
            except DatasetError as error:
                raise ConfigurationError(f"{error}; correct the entry in the catalog.") from error
        _check_catalog(name, catalog)
        stages = stages_before_training(pipelines[name], name)
        seconds = _run_in_memory(stages, catalog, name)
        return _collect(name, stages, catalog, seconds)


def stages_before_training(whole: Pipeline, name: str) -> Pipeline:
    """The stages of a vertical's pipeline up to the encoded rows and the table of columns.

    Those whose results no later stage reads are among them: a run holds a raw table to its contract, too,
    where nothing is made of it.
    """
    last = [f"{name}.{stage}" for stage in (_LAST_STAGE, _AND_THEN)]
    return whole - whole.from_nodes(last[0]) + whole.only_nodes(*last)


def print_check(checked: Checked, *, brief: bool = False) -> None:
    """Print what a check found.

    Args:
        checked: what it found.
        brief: in few lines, as one of many verticals.
    """
    out = console()
    out.print()
    out.print(Text(f"{checked.vertical}: may be trained", style="bold"))
    if not brief:
        out.print(_parts_table(checked))
    shown, columns = show_columns(checked.columns)
    if shown is not None and not brief:
        out.print(shown)
    out.print(facts_grid([*(_brief_facts(checked) if brief else _facts(checked, columns))]))


def _require_known(name: str) -> None:
    known = [each for each in pipelines if each != "__default__"]
    if name not in known:
        hint = did_you_mean(name, known)
        raise ConfigurationError(f"no vertical {name!r}; {hint}there are {', '.join(known)}.")


def _check_catalog(name: str, catalog: CatalogProtocol[str, Any]) -> None:
    """Refuse a data set of the whole pipeline that no entry keeps on disk.

    Raises:
        ConfigurationError: one line for each.
    """
    problems = []
    for dataset in sorted(pipelines[name].datasets() - {f"{name}.{_RUN_ID}"}):
        if dataset.startswith(("params:", "parameters")):
            continue
        try:
            entry = catalog.get(dataset) if dataset in catalog else None
        except DatasetError as error:
            raise ConfigurationError(f"{dataset}: {error}; correct its entry in the catalog.") from error
        if entry is None or isinstance(entry, MemoryDataset):
            why = "has no entry in the catalog" if entry is None else "is declared as a MemoryDataset"
            problems.append(
                f"{dataset} {why}, so it would be lost with the run; declare a file for it in catalog.yml."
            )
    if problems:
        raise ConfigurationError("\n".join(problems))


class _InMemory(MemoryDataset):
    """What a stage has made; rows as a frame."""

    def save(self, data: Any) -> None:
        super().save(data.frame() if isinstance(data, Rows) else data)


def _run_in_memory(stages: Pipeline, catalog: CatalogProtocol[str, Any], name: str) -> dict[str, float]:
    """Run the stages one by one and return the seconds of each; results that nobody needs any more are let go."""
    # Stages are pure, so none has to be protected by a copy from what another does to its data.
    for output in stages.all_outputs():
        catalog[output] = _InMemory(copy_mode="assign")
    readers = Counter(dataset for node in stages.nodes for dataset in node.inputs)
    seconds = {}
    for node in stages.nodes:
        started = perf_counter()
        SequentialRunner().run(Pipeline([node]), catalog)
        seconds[node.name.removeprefix(f"{name}.")] = perf_counter() - started
        readers.subtract(node.inputs)
        for dataset in {*node.inputs, *node.outputs} & stages.all_outputs():
            if not readers[dataset] and not dataset.endswith(_RESULTS):
                catalog.release(dataset)
    return seconds


def _collect(
    name: str, stages: Pipeline, catalog: CatalogProtocol[str, Any], seconds: dict[str, float]
) -> Checked:
    contracts = {
        dataset.removeprefix(f"{name}.").rpartition(".")[0]: catalog.load(dataset)
        for dataset in sorted(stages.all_outputs())
        if dataset.endswith(".contract_result")
    }
    main = contracts.pop("")
    encoder = catalog.load(f"{name}.encoder")
    readings = {
        dataset.split(".")[-2]: catalog.load(dataset)
        for dataset in sorted(stages.all_outputs())
        if dataset.endswith(".reading")
    }
    report = catalog.load(f"{name}.feature_report")
    record, split = catalog.load(f"{name}.ingestion_record"), catalog.load(f"{name}.split")
    return Checked(
        vertical=name,
        rows=main.rows,
        quarantined=main.quarantined,
        tables={table: (result.rows, result.quarantined) for table, result in contracts.items()},
        warnings=[warning for result in (*contracts.values(), main) for warning in result.warnings],
        parts=_split_parts(split),
        findings=[
            *said_findings(report.findings, encoder.dropped),
            *describe_found_copies(catalog.load(f"{name}.copies_found")),
        ],
        columns=read_columns(catalog.load(f"{name}.columns")),
        seconds=seconds,
        reading=record.reading,
        readings=readings,
        waiting=waiting_facts(main, len(split), record.present, record.since),
    )


def said_findings(findings: Sequence[Finding], dropped: Mapping[str, str]) -> list[str]:
    """One sentence for each leak or suspect; one for all that add nothing alike and were not dropped for it."""
    leaks = [each for each in findings if each.severity != "noise"]
    said = [f"{each.feature!r}, {each.finding}: {each.evidence}. {each.advice}" for each in leaks]
    useless: dict[tuple[str, str], list[str]] = {}
    for each in findings:
        if each.severity == "noise" and each.feature not in dropped:
            useless.setdefault((each.finding, each.advice), []).append(repr(each.feature))
    return said + [f"{', '.join(names)}: {finding}. {advice}" for (finding, advice), names in useless.items()]


def _split_parts(split: Any) -> dict[str, tuple[int, float | None]]:
    labels = {
        part: split.loc[split["part"] == part, "label"] for part in ("train", "validation", "test", "gap")
    }
    return {
        part: (len(own), None if part == "gap" else float(own.mean()))
        for part, own in labels.items()
        if len(own)
    }


def _parts_table(checked: Checked) -> Table:
    parts = table("part", figures("rows"), figures("base rate"))
    for part, (rows, rate) in checked.parts.items():
        parts.add_row(part, f"{rows:,}", "" if rate is None else f"{rate:.1%}")
    return parts


def _brief_facts(checked: Checked) -> Iterator[tuple[str, str]]:
    yield from _rows(checked)
    rates = {
        part: "" if rate is None else f" ({rate:.1%} positive)" for part, (_, rate) in checked.parts.items()
    }
    yield "parts", ", ".join(f"{part} {rows:,}{rates[part]}" for part, (rows, _) in checked.parts.items())
    yield "columns", count_columns(checked.columns)
    yield from columns_notes(checked.columns)
    for warning in checked.warnings:
        yield "warning", warning
    for finding in checked.findings:
        yield "finding", finding
    yield "seconds", f"{sum(checked.seconds.values()):.1f}"


def _facts(checked: Checked, columns: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for raw in {**checked.readings, **checked.tables}:
        counts = checked.tables.get(raw)
        yield from reading_facts(checked.readings.get(raw), None if counts is None else _Counts(*counts), raw)
    yield from _rows(checked)
    yield from columns
    for warning in checked.warnings:
        yield "warning", warning
    for finding in checked.findings:
        yield "finding", finding
    yield "seconds", _seconds(checked.seconds)


def _rows(checked: Checked) -> list[tuple[str, str]]:
    return reading_facts(checked.reading, _Counts(checked.rows, checked.quarantined)) + checked.waiting


class _Counts(NamedTuple):
    rows: int
    quarantined: int


def _seconds(seconds: Mapping[str, float]) -> str:
    shown = [f"{stage} {value:.1f}" for stage, value in seconds.items() if value >= _NOTABLE_SECONDS]
    return ": ".join(filter(None, [f"{sum(seconds.values()):.1f}", ", ".join(shown)]))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Kedro's news of single data sets and nodes back; what goes wrong is raised."""
    logger = logging.getLogger("kedro")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
