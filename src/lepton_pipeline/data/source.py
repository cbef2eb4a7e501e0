"""The rows of a table, read as often as needed, a chunk at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from hashlib import file_digest
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.data.delimited import EMPTY, EXAMPLES, HARMLESS, SetApart, find_lines
from lepton_pipeline.data.files import EMPTY as EMPTY_FILE
from lepton_pipeline.data.files import ONLY_A_HEADER
from lepton_pipeline.data.fingerprint import FileCopies, fingerprint
from lepton_pipeline.data.kinds import Kinds, Wanted, find_kinds, kind_name
from lepton_pipeline.data.mask import Counts, Masker, masked_note
from lepton_pipeline.data.raw import explained, read_blocks, read_header
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.data.reading import BrokenRecord, ReadFile, Reading, SkippedFile
from lepton_pipeline.data.values import arrow_table, typed_block
from lepton_pipeline.errors import DataError, EmptyFileError
from lepton_pipeline.parameters import Ingestion

Raw = list[RawFile] | pd.DataFrame
CHUNK_ROWS = 100_000
# Separators other than the declared one; a comma also where it is a decimal mark.
_SEPARATORS = ";\t|,"


@dataclass(frozen=True)
class Chunk:
    """Rows as they were read; `start` is the number of the first, counted over all files."""

    start: int
    block: Any

    @property
    def stop(self) -> int:
        """Number of the row behind the last one."""
        return self.start + len(self.block)

    def typed(self, kinds: dict[str, str], ingestion: Ingestion) -> pd.DataFrame:
        """The rows with their types, indexed by their numbers; see `typed_block`."""
        return typed_block(self.block, kinds, ingestion, self.start)


@dataclass(frozen=True)
class Known:
    """What was known at a date: which rows existed, and of which the value in the column `hidden`."""

    rows: npt.NDArray[np.bool_]
    hidden: str | None
    values: npt.NDArray[np.bool_]

    def apply(self, block: Any, start: int) -> Any:
        """The Arrow table without what was not known; `start` is the number of its first row."""
        here = slice(start, start + len(block))
        if self.hidden in block.column_names and not self.values[here].all():
            at = block.column_names.index(self.hidden)
            column = block.column(at)
            shown = pc.if_else(pa.array(self.values[here]), column, pa.scalar(None, column.type))
            block = block.set_column(at, self.hidden, shown)
        return block.filter(pa.array(self.rows[here]))


@dataclass(frozen=True)
class Survey:
    """Result of the first pass over all rows; `examples` are the first records set apart."""

    kinds: Kinds
    files: list[SetApart]
    skipped: list[SkippedFile]
    examples: list[BrokenRecord]

    def copies(self, known: npt.NDArray[np.bool_] | None = None) -> FileCopies:
        """A detector of file copies for the typed rows; `known` marks the rows that count (None: all)."""
        sizes = {file.file: file.rows for file in self.files}
        if known is not None:
            parts = np.split(known, np.cumsum(list(sizes.values()))[:-1])
            sizes = {name: int(part.sum()) for name, part in zip(sizes, parts, strict=True)}
        return FileCopies(sizes)

    def record(self) -> Reading:
        """The record of the reading."""
        reasons = _reasons(self.files)
        rows = sum(file.rows for file in self.files) if self.files else self.kinds.rows
        read = [ReadFile(file.file, file.rows, sum(file.reasons.values())) for file in self.files]
        return Reading(
            files=[file for file in read if file.rows or file.set_apart],
            skipped=self.skipped,
            records=rows + sum(reasons.values()),
            set_apart=sum(reasons.values()),
            reasons=dict(reasons.most_common()),
            examples=self.examples,
            kinds={name: kind_name(kind) for name, kind in self.kinds.of.items()},
            missing=self.kinds.missing,
            notes=self.kinds.notes,
        )

    def require_whole(self, largest_share: float, key: str) -> None:
        """Refuse a table in which more than a share of the records is broken; empty ones do not count."""
        broken = {reason: count for reason, count in _reasons(self.files).items() if reason not in HARMLESS}
        records, count = self.record().records, sum(broken.values())
        if not count or count <= largest_share * records:
            return
        counted = ", ".join(f"{each:,} {reason}" for reason, each in broken.items())
        seen = [each for each in self.examples if each.reason in broken][:3]
        shown = "\n".join(f"  - {each.file} line {each.line} ({each.reason}): {each.text!r}" for each in seen)
        raise DataError(
            f"{count:,} of {records:,} records ({count / records:.1%}) are broken ({counted}), more than {key} = "
            f"{largest_share:g} allows:\n{shown}\nCorrect the file or ingestion.separator, or raise {key}."
        )


@dataclass(frozen=True)
class Source:
    """Table files, or a table in memory, with all needed columns in the order of the first of `headers`."""

    raw: Raw
    ingestion: Ingestion
    headers: list[list[str]]
    skipped: list[SkippedFile] = field(default_factory=list)

    @classmethod
    def open(cls, raw: Raw, ingestion: Ingestion, needed: dict[str, list[str]]) -> Source:
        """Read the headers; `needed` lists column names by what needs them.

        Raises a DataError where a column is absent, files differ in their columns, or a header cannot be
        used.
        """
        if isinstance(raw, pd.DataFrame):
            names = [str(name).strip() for name in raw.columns]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise DataError(f"the raw table has several columns named {twice[0]!r}; rename all but one.")
            check_columns(names, needed, "the raw table")
            if raw.empty:
                raise DataError(
                    "the raw table has no rows; check the source of the vertical's raw catalog entry."
                )
            return cls(raw.set_axis(names, axis="columns").reset_index(drop=True), ingestion, [names])
        skipped = list(getattr(raw, "skipped", []))
        files, headers = _headers(raw, ingestion, needed, skipped)
        return cls(files, ingestion, headers, skipped)

    @property
    def names(self) -> list[str]:
        """The columns, in order."""
        return self.headers[0] + (_added(self._files[0], self.headers[0]) if self._files else [])

    @cached_property
    def _masker(self) -> Masker | None:
        return Masker.of(self.ingestion)

    @property
    def _files(self) -> list[RawFile]:
        return [] if isinstance(self.raw, pd.DataFrame) else self.raw

    def survey(
        self,
        wanted: Wanted | None = None,
        *,
        rows: int = CHUNK_ROWS,
        known: Known | None = None,
        only: Sequence[str] | None = None,
    ) -> Survey:
        """Infer the kinds of all columns, or those in `only`, reading all rows once."""
        files = [SetApart(file.name) for file in self._files]
        counts: Counts = {}
        chunks = self.chunks(rows, known=known, only=only, seen=files, counts=counts)
        kinds = find_kinds((chunk.block for chunk in chunks), self.ingestion, wanted)
        bare = [SkippedFile(file.file, ONLY_A_HEADER) for file in files if len(files) > 1 and not file.rows]
        for name, doubt in ((name, doubt) for file in files for name, doubt in file.doubts.items()):
            kinds.notes[name] = [*kinds.notes.get(name, []), doubt]
        for name, hits in counts.items():
            kinds.notes[name] = [*kinds.notes.get(name, []), masked_note(hits)]
        return Survey(kinds, files, [*self.skipped, *bare], self._examples(files))

    def chunks(
        self,
        rows: int = CHUNK_ROWS,
        *,
        known: Known | None = None,
        only: Sequence[str] | None = None,
        seen: list[SetApart] | None = None,
        counts: Counts | None = None,
    ) -> Iterator[Chunk]:
        """Rows as they were read, at most `rows` at a time, numbered from 0; a DataError without any.

        What `ingestion.mask` declares is masked, and counted in `counts`. What is no row is recorded in
        `seen`, by file.
        """
        read = start = 0
        for whole in _of_size(self._blocks(seen), rows):
            block = whole if only is None else whole.select(list(only))
            if known is not None:
                block = known.apply(block, read)
            read += len(whole)
            if self._masker is not None:
                block = self._masker.block(block, self.ingestion, counts)
            if len(block):
                yield Chunk(start, block)
                start += len(block)
        if read == 0 and self._files:
            if seen is not None:
                self._refuse_broken(seen)
            raise DataError(
                f"{', '.join(file.name for file in self._files)}: only a header, no rows; put data below it."
            )

    def fingerprints(self) -> list[dict[str, str]]:
        """`name` and `sha256` of each file, of its bytes once decompressed."""
        if isinstance(self.raw, pd.DataFrame):
            return [{"name": "table", "sha256": fingerprint(self.raw).sha256}]
        return [{"name": file.name, "sha256": self._hash(file)} for file in self.raw]

    def _hash(self, file: RawFile) -> str:
        with explained(file, self.ingestion), file.open() as stream:
            return file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]  # each has readinto

    def _blocks(self, seen: list[SetApart] | None) -> Iterator[Any]:
        if isinstance(self.raw, pd.DataFrame):
            yield arrow_table(self.raw)
            return
        logs: Sequence[SetApart | None] = seen or [None] * len(self.raw)
        for file, own, log in zip(self.raw, self.headers, logs, strict=True):
            for block in read_blocks(file, own, self.ingestion, log):
                rows = _without_empty(block, log) if file.is_parquet or file.is_document else block
                if log is not None:
                    log.rows += len(rows)
                for key in _added(file, own):
                    rows = rows.append_column(key, pa.array([file.partitions[key]] * len(rows), pa.string()))
                yield rows.select(self.names)

    def _refuse_broken(self, files: list[SetApart]) -> None:
        if examples := [each for each in self._examples(files) if each.reason not in HARMLESS]:
            first = examples[0]
            counted = ", ".join(f"{count:,} {reason}" for reason, count in _reasons(files).items())
            raise DataError(
                f"{first.file}: no record is a row ({counted}), such as line {first.line}: {first.text!r}; "
                f"the header has {len(self.headers[0])} fields. Correct the file or ingestion.separator."
            )

    def _examples(self, files: list[SetApart]) -> list[BrokenRecord]:
        found: list[BrokenRecord] = []
        for log, file in zip(files, self._files, strict=True):
            if log.records and len(found) < EXAMPLES:
                with explained(file, self.ingestion):
                    found += find_lines(file, log.records, self.ingestion)
        return found[:EXAMPLES]


def _headers(
    raw: list[RawFile], ingestion: Ingestion, needed: dict[str, list[str]], skipped: list[SkippedFile]
) -> tuple[list[RawFile], list[list[str]]]:
    """The files that have a header, and the names in each; adds the others to `skipped`."""
    files: list[RawFile] = []
    headers: list[list[str]] = []
    for file in raw:
        try:
            own = read_header(file, ingestion)
        except EmptyFileError as error:
            if len(raw) == 1:
                raise
            skipped.append(SkippedFile(file.name, EMPTY_FILE))
            if len(skipped) == len(raw):
                shown = ", ".join(each.name for each in raw)
                raise DataError(f"{shown}: all are empty; put a table there.") from error
            continue
        other = next((mark for mark in _SEPARATORS if mark in own[0]), None)
        if len(own) == 1 and other is not None and not file.is_parquet:
            raise DataError(
                f"{file.name} has a single column, {own[0]!r}; declare ingestion.separator, which seems to "
                f"be {other!r}."
            )
        names = own + _added(file, own)
        check_columns(names, needed, file.name)
        first = headers[0] + _added(files[0], headers[0]) if headers else names
        if set(names) != set(first):
            differing = ", ".join(repr(name) for name in sorted(set(names) ^ set(first)))
            raise DataError(
                f"{files[0].name} and {file.name} differ in the column(s) {differing}; give all files the same columns."
            )
        files.append(file)
        headers.append(own)
    return files, headers


def _reasons(files: list[SetApart]) -> Counter[str]:
    return sum((file.reasons for file in files), Counter())


def _added(file: RawFile, own: list[str]) -> list[str]:
    """The partition columns of a file that are not in the file itself."""
    return [name for name in file.partitions if name not in own]


def _of_size(blocks: Iterator[Any], rows: int) -> Iterator[Any]:
    """Divide blocks anew into `rows` each; the last one of a schema may be shorter."""
    waiting: list[Any] = []
    count = 0
    for block in blocks:
        if waiting and block.schema != waiting[0].schema:
            # A file that holds its values in other types.
            yield pa.concat_tables(waiting)
            waiting, count = [], 0
        waiting.append(block)
        count += len(block)
        if count >= rows:
            whole = pa.concat_tables(waiting)
            for start in range(0, count - count % rows, rows):
                yield whole.slice(start, rows)
            count %= rows
            waiting = [whole.slice(len(whole) - count)] if count else []
    if waiting:
        yield pa.concat_tables(waiting)


def _without_empty(block: Any, seen: SetApart | None) -> Any:
    """Leave out rows, of a file that is not text, in which no column has a value."""
    if block.num_columns < 2 or not block.column(0).null_count:
        return block
    empty = reduce(pc.and_, map(pc.is_null, block.columns))
    count = pc.sum(empty).as_py()
    if seen is not None and count:
        seen.reasons[EMPTY] += count
    return block.filter(pc.invert(empty)) if count else block
