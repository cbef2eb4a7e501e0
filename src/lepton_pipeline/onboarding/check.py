"""Check a vertical's configuration, catalog and data without training."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from kedro.framework.project import pipelines, settings
from kedro.io import CatalogProtocol, DatasetError, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.reading import Reading
from lepton_pipeline.data.rows import Rows
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.evaluation.measured_copies import describe_copies
from lepton_pipeline.features.column_record import Column
from lepton_pipeline.features.report import Finding
from lepton_pipeline.parameters.jobs import TRAINING, Job
from lepton_pipeline.project.declaration import require_known
from lepton_pipeline.reporting.report.columns import columns_notes, count_columns
from lepton_pipeline.reporting.report.reading import Counted, reading_facts, waiting_facts
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.terminal.columns import show_columns
from lepton_pipeline.terminal.console import Text, console, facts_grid, figures, table

_RESULTS = (
    *("ingestion_record", "contract_result", ".reading", "split", ".target"),
    *("copies_found", "feature_report", "encoder", "columns"),
)
_PARTS = ("train", "validation", "test", "gap")
_NOTABLE_SECONDS = 0.1


@dataclass(frozen=True)
class Checked:
    """What a check found in a vertical that can be trained.

    Attributes:
        tables: counts of each raw table with a contract of its own.
        parts: rows of each part of the split and what sums up their target; empty for the gap.
        summed_up_by: what that is, see `tasks.task.Task.summed_up_by`.
        findings: leaks, useless features and rows on both sides of the split, as sentences.
        seconds: by stage, in the order of execution.
        reading: how the table was read; None where it is made from raw tables.
        waiting: entries on rows that wait for their label.
    """

    vertical: str
    rows: int
    quarantined: int
    tables: dict[str, Counted]
    warnings: list[str]
    parts: dict[str, tuple[int, str]]
    findings: list[str]
    columns: list[Column]
    seconds: dict[str, float]
    reading: Reading | None = None
    readings: dict[str, Reading] = field(default_factory=dict)
    waiting: list[tuple[str, str]] = field(default_factory=list)
    summed_up_by: tuple[str, str] = Binary.summed_up_by


def check_vertical(name: str, env: str | None = None) -> Checked:
    """Run a vertical's stages up to the encoded rows in memory; nothing is written, no MLflow run is opened.

    Raises:
        ConfigurationError: the vertical is unknown, or its declaration or catalog is invalid.
        Exception: what a stage raises; `errors.user_error` finds the user's error in it.
    """
    logger = logging.getLogger("kedro")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        pipelines.set_requested([name])
        require_known(
            name,
            [each for each in pipelines if each != "__default__" and Job.named(each).purpose == TRAINING],
        )
        with settings.SESSION_CLASS.create(env=env) as session:
            context = session.load_context()
            # As a session's own run does: without it, the typed parameters of every vertical are validated.
            context._pipelines_to_validate = [name]
            try:
                catalog = context.catalog
            except DatasetError as error:
                raise ConfigurationError(f"{error}; correct the entry in the catalog.") from error
        _check_catalog(name, catalog)
        stages = stages_before_training(pipelines[name], name)
        return _collect(name, stages, catalog, _run_in_memory(stages, catalog, name))
    finally:
        logger.setLevel(level)


def stages_before_training(whole: Pipeline, name: str) -> Pipeline:
    """The stages up to the encoded rows and the table of columns, with every raw table's contract."""
    last = f"{name}.encode_rows"
    return whole - whole.from_nodes(last) + whole.only_nodes(last, f"{name}.describe_columns")


def print_check(checked: Checked, *, brief: bool = False) -> None:
    """Print the result of a check; `brief` in a few lines, as one of many verticals."""
    out = console()
    out.print()
    out.print(Text(f"{checked.vertical}: ready to train", style="bold"))
    if brief:
        columns = [("columns", count_columns(checked.columns)), *columns_notes(checked.columns)]
    else:
        parts = table("part", figures("rows"), figures(checked.summed_up_by[0]))
        for part, (rows, summed_up) in checked.parts.items():
            parts.add_row(part, f"{rows:,}", Text(summed_up))
        out.print(parts)
        shown, columns = show_columns(checked.columns)
        if shown is not None:
            out.print(shown)
    out.print(facts_grid(_facts(checked, columns, brief)))


def _check_catalog(name: str, catalog: CatalogProtocol[str, Any]) -> None:
    """Refuse data sets that would not be kept on disk."""
    wrong = []
    # The hook that opens the MLflow run makes its id.
    for dataset in sorted(pipelines[name].datasets() - {f"{name}.run_id"}):
        if dataset.startswith(("params:", "parameters")):
            continue
        try:
            entry = catalog.get(dataset) if dataset in catalog else None
        except DatasetError as error:
            raise ConfigurationError(f"{dataset}: {error}; correct its entry in the catalog.") from error
        if entry is None or isinstance(entry, MemoryDataset):
            why = "has no entry in the catalog" if entry is None else "is declared as a MemoryDataset"
            wrong.append(f"{dataset} {why}, so it would not be kept; declare a file for it in catalog.yml.")
    if wrong:
        raise ConfigurationError("\n".join(wrong))


class _InMemory(MemoryDataset):
    """A stage's output; rows become a frame."""

    def save(self, data: Any) -> None:
        super().save(data.frame() if isinstance(data, Rows) else data)


def _run_in_memory(stages: Pipeline, catalog: CatalogProtocol[str, Any], name: str) -> dict[str, float]:
    """Run the stages one by one, release results without further readers and return the seconds of each."""
    # Stages are pure, so they can share data without copies.
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
    def load(dataset: str) -> Any:
        return catalog.load(f"{name}.{dataset}")

    def of_tables(kind: str) -> Iterator[tuple[str, Any]]:
        for each in sorted(each.removeprefix(f"{name}.") for each in stages.all_outputs()):
            if f".{each}".endswith(f".{kind}"):
                yield each.rpartition(".")[0], load(each)

    contracts: dict[str, ContractResult] = dict(of_tables("contract_result"))
    main = contracts.pop("")
    report, encoder, record = map(load, ("feature_report", "encoder", "ingestion_record"))
    split, task = load("split"), load("target").task
    of_parts = {part: split.loc[split["part"] == part, "label"] for part in _PARTS}
    return Checked(
        vertical=name,
        rows=main.rows,
        quarantined=main.quarantined,
        tables={**contracts},
        warnings=[warning for result in (*contracts.values(), main) for warning in result.warnings],
        parts={
            part: (len(labels), "" if part == "gap" else task.summed_up(labels))
            for part, labels in of_parts.items()
            if len(labels)
        },
        findings=[
            *finding_sentences(report.findings, encoder.dropped),
            *(f"{what}: {said}." for what, said in describe_copies(load("copies_found"))),
        ],
        columns=load("columns").columns,
        seconds=seconds,
        reading=record.reading,
        readings=dict(of_tables("reading")),
        waiting=waiting_facts(main, len(split), record.present, record.since),
        summed_up_by=task.summed_up_by,
    )


def finding_sentences(findings: Sequence[Finding], dropped: Mapping[str, str]) -> list[str]:
    """One sentence for each leak or suspect, and one for useless features with the same finding."""
    leaks = [each for each in findings if each.severity != "noise"]
    said = [f"{each.feature!r}, {each.finding}: {each.evidence}. {each.advice}" for each in leaks]
    useless: dict[tuple[str, str], list[str]] = {}
    for each in findings:
        if each.severity == "noise" and each.feature not in dropped:
            useless.setdefault((each.finding, each.advice), []).append(repr(each.feature))
    return said + [f"{', '.join(names)}: {finding}. {advice}" for (finding, advice), names in useless.items()]


def _facts(checked: Checked, columns: list[tuple[str, str]], brief: bool) -> Iterator[tuple[str, str]]:
    for raw in {} if brief else {**checked.readings, **checked.tables}:
        yield from reading_facts(checked.readings.get(raw), checked.tables.get(raw), raw)
    yield from reading_facts(checked.reading, checked) + checked.waiting
    if brief:
        parts = [
            f"{part} {rows:,}" + (f" ({checked.summed_up_by[1].format(summed_up)})" if summed_up else "")
            for part, (rows, summed_up) in checked.parts.items()
        ]
        yield "parts", ", ".join(parts)
    yield from columns
    yield from (("warning", each) for each in checked.warnings)
    yield from (("finding", each) for each in checked.findings)
    slow = {} if brief else {key: each for key, each in checked.seconds.items() if each >= _NOTABLE_SECONDS}
    stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in slow.items())
    yield "seconds", f"{sum(checked.seconds.values()):.1f}" + (f": {stages}" if stages else "")
