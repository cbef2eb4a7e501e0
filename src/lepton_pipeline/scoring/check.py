"""Check the rows to score against the contract, before any of them is scored."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from lepton_pipeline.data.contracts.checks import Check
from lepton_pipeline.data.contracts.chunks import (
    EXAMPLES,
    Evaluation,
    Found,
    Rows,
    quarantining,
    scoring_checks,
)
from lepton_pipeline.data.contracts.contract import REASONS, report_check, report_checks
from lepton_pipeline.data.contracts.expectations import check_declarations
from lepton_pipeline.data.contracts.validation import Verdict
from lepton_pipeline.data.ingest import key_columns
from lepton_pipeline.data.kinds import Kinds, Wanted
from lepton_pipeline.data.source import Raw, Source
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.features.raw_values import is_infinite
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion, Scoring
from lepton_pipeline.scoring.result import ScoringContract

ROW = "input_row"
_SIGNATURE = "the signature of the model"
_NAMES_CHARACTERS = 1000


@dataclass(frozen=True)
class Declared:
    """Declarations of a vertical for scoring.

    Rows that are `ready` are made by the vertical's own code: windows are computed, and only what the model
    reads must be there.
    """

    dataset: Dataset
    ingestion: Ingestion
    contract: Contract
    features: Features
    scoring: Scoring
    ready: bool = False


def check_input(
    raw: Raw, model: Artefact, declared: Declared, on_rows: Callable[[int], None] | None = None
) -> tuple[ScoringContract, pd.DataFrame, QuarantinedRows]:
    """Check rows against the part of the contract that needs no labels.

    Kinds of columns and the result are as if the rows were read at once. `on_rows` is called with the number
    of rows checked so far. Returns the result, and the quarantined rows: by numbers `input_row`, counted from
    0 over all files, and whole, to be written by chunks.

    Raises:
        ConfigurationError: a declared expectation cannot be understood.
        DataError: there is no row, a file repeats the rows of another one, a column is absent, or values
            cannot be read as declared or as the model needs them.
    """
    dataset, contract, features = declared.dataset, declared.contract, declared.features
    if problems := check_declarations(contract):
        raise ConfigurationError("\n".join(problems))
    ingestion = as_trained(declared.ingestion, model)
    source = Source.open(raw, ingestion, _needed(model, declared))
    if taken := [name for name in source.names if name in (ROW, REASONS)]:
        raise DataError(f"the rows have a column {taken[0]!r}, which the quarantine adds; rename it.")
    keys = key_columns(dataset, contract, features)
    numbers = {name for name, kind in model.inputs.items() if kind == "number"} | set(dataset.numeric)
    numbers |= {window.of for window in features.windows.values() if window.of is not None}
    texts = {name for name, kind in model.inputs.items() if kind == "text"}
    texts |= set() if ingestion.mask is None else set(ingestion.mask.names())
    wanted = Wanted(keys, numbers - keys, texts, model.derivation.zones)
    survey = source.survey(wanted, rows=declared.scoring.chunk_rows)
    survey.require_whole(contract.max_quarantined, "contract.max_quarantined")
    kinds, rows = survey.kinds.of, survey.kinds.rows
    _refuse_texts(model, dataset, survey.kinds, keys)

    def chunks(show: Callable[[int], None] | None = None) -> Iterator[pd.DataFrame]:
        for chunk in source.chunks(declared.scoring.chunk_rows):
            yield chunk.typed(kinds, ingestion)
            if show is not None:
                show(chunk.stop)

    files = source.fingerprints()
    checks, left_out = scoring_checks(contract, dataset, source.names)
    counts = model.unseen_counts()
    copies = survey.copies()
    infinite: dict[str, list[int]] = {}
    evaluation = Evaluation(checks)
    for each in counts.watch(copies.watch(chunks(on_rows))):
        evaluation.add(each)
        # Windows are computed later, of finite values.
        for name in model.numbers:
            if name in each and (marked := is_infinite(each[name])).any():
                infinite.setdefault(name, []).extend(each.index[marked])
    found = evaluation.found()
    copies.check()
    for name, positions in infinite.items():
        checks.append(Check(_SIGNATURE, "finite", {}, "quarantine", (name,), f"{name} is finite"))
        verdict = Verdict(False, unexpected=len(positions))
        found.append(Found(verdict, np.array(positions, np.int64)))
    quarantine = QuarantinedRows(chunks, checks, _flags(checks, found))
    if counts.derives:
        # A quarantined row may not have what they are computed of.
        for chunk in chunks():
            counts.add_derived(chunk[~chunk.index.isin(quarantine.rows)])
    unseen = [each for each in counts.found() if each.certain or each.share >= declared.scoring.unseen_share]

    def column(name: str) -> pd.Series:
        return pd.Series(pd.concat([chunk[name] for chunk in chunks()]))

    examples = _examples(found, chunks)
    reported = [
        report_check(examples.loc[each.rows[:EXAMPLES]], check, each.verdict, rows, column)
        for check, each in zip(checks, found, strict=True)
    ]
    kept = report_checks(reported, "contract", rows, len(quarantine.rows), contract.max_quarantined)
    result = ScoringContract(
        **vars(kept),
        kinds=kinds,
        reading=survey.record(),
        files=files,
        file_names=", ".join(file["name"] for file in files)[:_NAMES_CHARACTERS],
        sha256=hashlib.sha256(json.dumps(files).encode()).hexdigest(),
        reasons=quarantine.reasons(),
        left_out=[f"{check.sentence} ({check.key})" for check in left_out],
        unseen={each.column: each for each in unseen},
    )
    return result, pd.DataFrame({ROW: quarantine.rows}), quarantine


@dataclass(frozen=True)
class CheckedRows:
    """Checked rows to score; `left_out` has the `input_row` of quarantined ones."""

    raw: Raw
    result: ScoringContract
    left_out: pd.DataFrame


def as_trained(ingestion: Ingestion, model: Artefact) -> Ingestion:
    """Add the formats of columns that were dates, and what was masked, when the model was trained."""
    dates = {**model.derivation.dates, **ingestion.dates}
    trained = None if model.raw_values is None else model.raw_values.ingestion.mask
    # What is declared now is masked, too, whatever an older version knows of it.
    mask = ingestion.mask if trained is None else trained.joined(ingestion.mask)
    return ingestion.model_copy(update={"dates": dates, "mask": mask})


@dataclass(frozen=True)
class QuarantinedRows:
    """The quarantined rows, chunk by chunk; `flags` has `row` and `check` (its position) for every reason."""

    chunks: Callable[[], Iterator[pd.DataFrame]]
    checks: list[Check]
    flags: pd.DataFrame

    @property
    def rows(self) -> Rows:
        """Their numbers, ascending."""
        return np.unique(self.flags["row"].to_numpy(np.int64))

    def reasons(self) -> dict[str, int]:
        """Number of rows by reason, the most frequent first."""
        counted = Counter(self.flags["check"].tolist())
        return {self.checks[at].sentence: count for at, count in counted.most_common()}

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Chunks with `input_row` first and `quarantine_reasons` last; at least an empty frame."""
        wanted = self.rows
        # A frame without rows would not say that they are lists of texts.
        kind: Any = pd.ArrowDtype(pa.list_(pa.string()))
        sentences = np.array([check.sentence for check in self.checks], dtype=object)
        reasons = self.flags.assign(text=sentences[self.flags["check"].to_numpy(np.int64)])
        for chunk in self.chunks():
            first, stop = chunk.index[0], chunk.index[-1] + 1
            inside = wanted[slice(*np.searchsorted(wanted, [first, stop]))]
            if len(inside) or first == 0:
                named = reasons.iloc[slice(*np.searchsorted(reasons["row"], [first, stop]))]
                texts = named.groupby("row")["text"].agg(list).reindex(inside).to_numpy(dtype=object)
                rows = chunk.loc[inside]
                values = {name: rows[name].array for name in rows}
                yield pd.DataFrame({ROW: inside, **values, REASONS: pd.array(list(texts), dtype=kind)})
            if not len(wanted) or stop > wanted[-1]:
                return


def _needed(model: Artefact, declared: Declared) -> dict[str, list[str]]:
    """Required columns by what needs them."""
    dataset, features = declared.dataset, declared.features
    if declared.ready:
        return {_SIGNATURE: list(model.inputs)}
    # Windows are computed here, of the rows' own columns.
    needed = {_SIGNATURE: [name for name in model.inputs if name not in features.windows]}
    roles = dataset.roles()
    unneeded = {
        name for role in ("target", "group", "exclude", "sensitive", "weight") for name in roles.get(role, ())
    }
    unneeded |= set(features.names())
    named = {f"dataset.{role}": roles[role] for role in ("id", "time")}
    named |= {
        f"contract.expectations[{at}]": each.columns()
        for at, each in enumerate(declared.contract.expectations)
        if each.expect != "column_to_exist"
        and not each.expect.startswith("table_")
        # One that reads the target is left out as a whole.
        and dataset.target not in each.columns()
    }
    return needed | {key: [name for name in names if name not in unneeded] for key, names in named.items()}


def _refuse_texts(model: Artefact, dataset: Dataset, kinds: Kinds, keys: set[str]) -> None:
    """Refuse texts where the model needs numbers; declared numeric columns are checked with the contract."""
    for name, kind in model.inputs.items():
        if kind == "number" and name not in {*dataset.numeric, *keys} and kinds.of.get(name) == "text":
            raise DataError(
                f"column {name!r} held numbers when the model was trained, but here is {'; '.join(kinds.notes[name])}."
            )


def _flags(checks: list[Check], found: list[Found]) -> pd.DataFrame:
    none = pd.DataFrame({"row": [], "check": []}, dtype=np.int64)
    flags = [pd.DataFrame({"row": rows, "check": at}) for at, rows in quarantining(checks, found)]
    return pd.concat([none, *flags]).sort_values(["row", "check"], ignore_index=True)


def _examples(found: list[Found], chunks: Callable[[], Iterator[pd.DataFrame]]) -> pd.DataFrame:
    """The rows that a report shows."""
    wanted = np.unique(np.concatenate([np.empty(0, np.int64), *(each.rows[:EXAMPLES] for each in found)]))
    parts: list[pd.DataFrame] = []
    for chunk in chunks():
        parts.append(chunk[chunk.index.isin(wanted)])
        if not len(wanted) or chunk.index[-1] >= wanted[-1]:
            break
    return pd.concat(parts)
