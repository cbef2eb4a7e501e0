"""Score the rows that keep the contract, a chunk at a time."""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.contracts.contract import require_kept
from lepton_pipeline.data.source import Chunk, Source
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.derive import add_features, window_delays
from lepton_pipeline.features.unseen import require_seen
from lepton_pipeline.features.windows import window_feature
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.parameters import Dataset, Features
from lepton_pipeline.scoring.check import ROW, CheckedRows, Declared, as_trained
from lepton_pipeline.scoring.chunk import SHADOW, ChunkColumns
from lepton_pipeline.scoring.engine import Engine, open_engine
from lepton_pipeline.scoring.result import ScoringRecord
from lepton_pipeline.scoring.shadow import Shadow, compare_shadow, require_readable
from lepton_pipeline.system.files import write_bytes, write_text
from lepton_pipeline.tracking.lineage import package_sha256

_ROWS_AT_ONCE = 100_000
_WITHOUT_REASONS = (
    "no row has reasons, which stand beside positive decisions, and this task has none; "
    "scoring.reasons_for: all gives every row some"
)


def score_input(
    rows: CheckedRows,
    model: Artefact,
    version: ModelVersion,
    folder: Path,
    declared: Declared,
    on_rows: Callable[[int], None] | None = None,
    shadow: Shadow | None = None,
) -> tuple[FinishedRows, ScoringRecord]:
    """Score all rows that are not quarantined.

    Windows are computed of all rows at once, in order of time; everything else chunk by chunk, by the declared
    engine. Finished chunks are kept in `folder`, and not scored again for the same rows, model, declaration and
    code, by whichever engine.
    `on_rows` is called with the number of rows done.

    Returns the record, and the scored rows, to be written by chunks: `input_row` (counted from 0 over all
    files), the columns of `dataset.id` and `dataset.time` if present, those of `Artefact.predict`, `reasons`
    (text, if asked for and there are positive decisions; else empty), `model_version` (int64). A `shadow` adds its
    predictions, named with `shadow_`, and to the record how they differ.

    Raises:
        ContractError: the rows break the contract, see `require_kept`.
        DataError: values are new to the model, see `require_seen`; the rows have changed since they were
            checked, or a model cannot read them.
        ConfigurationError, LeptonError: the engine cannot be used, or was lost, see `open_engine`.
    """
    started = perf_counter()
    checked, dataset, features, scoring = rows.result, declared.dataset, declared.features, declared.scoring
    require_kept(checked, checked.reasons, declared.contract.max_quarantined)
    if scoring.unseen == "stop":
        require_seen(checked.unseen.values(), scoring.unseen_share, version.name, checked.file_names)
    source = Source.open(rows.raw, as_trained(declared.ingestion, model), {"the signature of the model": []})
    if source.fingerprints() != checked.files:
        raise DataError("the rows to score have changed since they were checked; run again without options.")
    names = [name for name in (dataset.id, dataset.time) if name is not None and name in checked.kinds]
    task, beside = model.task, None
    added = [ROW, *model.prediction_types, "reasons", "model_version"]
    if shadow is not None:
        require_readable(shadow, model, {**checked.kinds, **dict.fromkeys(features.windows, "number")})
        beside = shadow.model
        added += [f"{SHADOW}{name}" for name in beside.prediction_types]
    if taken := [name for name in names if name in added]:
        raise DataError(f"column {taken[0]!r} has a name that scoring needs; rename it, or declare another.")
    # Where chunks are scored changes none of them, so another engine resumes from them.
    anywhere = replace(declared, scoring=scoring.model_copy(update={"engine": "local", "address": None}))
    parts = {part: each.model_dump(mode="json") for part, each in vars(anywhere).items() if part != "ready"}
    manifest = {"files": checked.files, "model": vars(version), "declared": parts, "code": package_sha256()}
    if shadow is not None:
        manifest["shadow"] = vars(shadow.version)
    done = FinishedRows.resume(folder, manifest)
    windows = features if features.windows and not declared.ready else None
    kept = _KeptRows(source, checked.kinds, rows.left_out[ROW].to_numpy(), dataset, windows)

    read: deque[tuple[Path, int]] = deque()

    def unfinished() -> Iterator[pd.DataFrame | None]:
        for number, chunk in enumerate(source.chunks(scoring.chunk_rows)):
            path = done.path(number)
            read.append((path, chunk.stop))
            yield None if path.exists() else kept.of(chunk)

    def chunks(engine: Engine) -> Iterator[pd.DataFrame]:
        for made in engine(unfinished()):
            # An engine may read ahead.
            path, stop = read.popleft()
            if made is not None:
                write_bytes(path, made, alone=True)
            yield pd.read_parquet(path)
            if on_rows is not None:
                on_rows(stop)

    with open_engine(model, ChunkColumns.of(scoring, version.version, names), scoring, beside) as engine:
        summary = task.summarise(chunks(engine))
    without_reasons = scoring.reasons and scoring.reasons_for == "positive" and summary.positives is None
    return done, ScoringRecord(
        **vars(summary),
        model=version,
        threshold=model.threshold,
        files=checked.files,
        rows=checked.rows,
        quarantined=checked.quarantined,
        unseen=checked.unseen,
        without_history=kept.without_history(),
        shadow=None if shadow is None else compare_shadow(done, shadow, task),
        remark=_WITHOUT_REASONS if without_reasons else None,
        seconds=round(perf_counter() - started, 1),
    )


@dataclass(frozen=True, eq=False)
class _KeptRows:
    """The typed rows that are not quarantined; `windows` is None without windows to compute."""

    source: Source
    kinds: dict[str, str]
    left_out: npt.NDArray[np.int64]
    dataset: Dataset
    windows: Features | None

    def of(self, chunk: Chunk) -> pd.DataFrame:
        """The rows of a chunk."""
        return self._kept(chunk) if self.windows is None else self._whole.loc[chunk.start : chunk.stop - 1]

    def _kept(self, chunk: Chunk) -> pd.DataFrame:
        gone = self.left_out[slice(*np.searchsorted(self.left_out, [chunk.start, chunk.stop]))]
        typed = chunk.typed(self.kinds, self.source.ingestion)
        return typed[~typed.index.isin(gone)]

    def without_history(self) -> dict[str, int]:
        """Rows without earlier rows, by window."""
        found, features = dict[str, int](), self.windows or Features()
        delays = window_delays(features, self.dataset)
        for name, window in features.windows.items():
            # A sum of nothing is 0, as that of a nought is.
            if window.statistic in ("count", "sum"):
                counting = window.model_copy(update={"statistic": "count"})
                values = window_feature(self._whole, name, counting, self.dataset, delays[name])
                found[name] = int((values.isna() | (values == 0)).sum())
            else:
                found[name] = int(self._whole[name].isna().sum())
        return found

    @cached_property
    def _whole(self) -> pd.DataFrame:
        whole = pd.concat([self._kept(chunk) for chunk in self.source.chunks(_ROWS_AT_ONCE)])
        return add_features(whole, self.dataset, self.windows or Features())


@dataclass(frozen=True)
class FinishedRows:
    """The scored rows, chunk by chunk: Parquet files in a folder, each written whole or not at all.

    They stay until a data set has saved all of them, so that a killed process can resume.
    """

    folder: Path

    @classmethod
    def resume(cls, folder: Path, manifest: Mapping[str, object]) -> FinishedRows:
        """Resume from the folder, or empty it where its `manifest`, ready for JSON, differs."""
        file = folder / "manifest.json"
        text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
        if not file.exists() or file.read_text("utf-8") != text:
            shutil.rmtree(folder, ignore_errors=True)
            write_text(file, text, alone=True)
        return cls(folder)

    def path(self, number: int) -> Path:
        """The file of a chunk."""
        return self.folder / f"chunk-{number:08d}.parquet"

    def __iter__(self) -> Iterator[pd.DataFrame]:
        return (pd.read_parquet(path) for path in sorted(self.folder.glob("chunk-*.parquet")))

    def written(self) -> None:
        """Called when they are saved elsewhere: removes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
