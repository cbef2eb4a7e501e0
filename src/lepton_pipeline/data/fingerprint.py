"""Identify the content of a table and of its test rows, and find files whose rows would count twice."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.raw_file import stem_of
from lepton_pipeline.data.rows import Frames
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Features

Hashes = npt.NDArray[np.uint64]
# Fewer rows than this say nothing, unless the names do.
_FEWEST_ROWS = 10
_CHANCE = 1e-6
# Rows repeat where so many rows of the other files are in two of them.
_REPEATING = 0.5
_SHOWN = 3
_SAMPLE = 16
# Names that browsers, desktops and people give to copies.
_MARKS = re.compile(
    r"^(copy of|kopie von|copie de|copia de)\s+|\s*\(\d+\)$|[\s_.-]+(copy|kopie|copie|copia|backup|bak|old|orig|"
    r"checkpoint|duplicate)([\s_.-]*\(?\d+\)?)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class TableIdentity:
    """Rows, columns (name to type) and fingerprint of a table's content."""

    rows: int
    columns: dict[str, str]
    sha256: str


class Fingerprint:
    """Identifies the content of a table, whatever the order of its rows and the form of its file.

    Every row is hashed to 64 bits from its values in column order; the sorted row hashes, behind the names
    and types of the columns, go through SHA-256.
    """

    def __init__(self) -> None:
        self._columns: dict[str, str] = {}
        self._parts: list[Hashes] = []

    def add(self, rows: pd.DataFrame, hashes: Hashes) -> None:
        """Take in typed rows, of the same types in every call, and their `row_hashes`."""
        self._columns = {str(name): str(kind) for name, kind in rows.dtypes.items()}
        self._parts.append(hashes)

    def found(self) -> TableIdentity:
        """The identity of all rows taken in."""
        digest = hashlib.sha256(json.dumps(self._columns).encode())
        hashes = np.sort(np.concatenate(self._parts))
        digest.update(hashes.astype("<u8", copy=False).data)
        return TableIdentity(len(hashes), self._columns, digest.hexdigest())


def fingerprint(table: pd.DataFrame) -> TableIdentity:
    """The fingerprint of a table that is held whole.

    >>> fingerprint(pd.DataFrame({"a": [1, 2]})) == fingerprint(pd.DataFrame({"a": [2, 1]}))
    True
    """
    found = Fingerprint()
    found.add(table, row_hashes(table))
    return found.found()


def row_hashes(table: pd.DataFrame) -> Hashes:
    """Hash every row to 64 bits from its values in column order."""
    return np.asarray(pd.util.hash_pandas_object(table, index=False), np.uint64)


def identify_test_rows(table: pd.DataFrame, split: pd.DataFrame, features: Features) -> dict[str, int | str]:
    """Fingerprint (`rows`, `sha256`) of the test rows by their values and labels, in any order.

    Columns that `features` makes are left out, so that runs with other features still compare.
    """
    labels = split.loc[split["part"] == "test", "label"]
    made = features.names()
    own = sorted(name for name in map(str, table.columns) if name not in made)
    # A column of the table may itself be called "label".
    rows = table.loc[labels.index, own].add_prefix("column ").assign(label=labels)
    found = fingerprint(rows)
    return {"rows": found.rows, "sha256": found.sha256}


@dataclass(frozen=True)
class Copy:
    """A file whose rows are all in another one; `equal` where both hold the same rows, each as often."""

    name: str
    other: str
    rows: int
    equal: bool


class FileCopies:
    """The row hashes of the files of a table, 8 bytes each; `sizes` are their numbers of rows, in order.

    Typed rows are compared, so a CSV file may be the copy of a Parquet file. The order of rows does not
    matter. A file is a copy if all of its rows are in another one and
    - their names differ only in kind or compression (t.csv and t.csv.gz), in the same folder; or
    - one has the name of a copy ("t (1)", "Copy of t", "t_backup") and both hold the same rows; or
    - both hold the same rows, at least 10 different ones; or
    - at least 10 of its rows occur there just once, as in itself, beyond chance: by Good and Turing, rows
      that occur once are expected to recur as often as rows occur there twice (below one in a million, by
      Chernoff's bound on Poisson counts).

    The last two hold only unless rows repeat throughout the folder: half of those of the other files are in
    several.
    """

    def __init__(self, sizes: Mapping[str, int]):
        self._sizes = {name: rows for name, rows in sizes.items() if rows}
        self._parts: list[Hashes] = []

    def watch(self, chunks: Iterable[pd.DataFrame], prints: Fingerprint | None = None) -> Frames:
        """Pass typed rows on, file by file, and keep their hashes; `prints` is given both."""
        for chunk in chunks:
            if prints is not None or len(self._sizes) > 1:
                hashes = row_hashes(chunk)
                if prints is not None:
                    prints.add(chunk, hashes)
                if len(self._sizes) > 1:
                    self._parts.append(hashes)
            yield chunk

    def find(self) -> list[Copy]:
        """The copies, by name."""
        if not self._parts:
            return []
        ends = np.cumsum(list(self._sizes.values()))[:-1]
        files = (np.unique(part, return_counts=True) for part in np.split(np.concatenate(self._parts), ends))
        counted = {name: _Counted(*file) for name, file in zip(self._sizes, files, strict=True)}
        pairs = _pairs(counted)
        involved = {name for copy, _ in pairs for name in (copy.name, copy.other)}
        repeating = pairs and _repeat([each for name, each in counted.items() if name not in involved])
        return sorted((copy for copy, named in pairs if named or not repeating), key=lambda copy: copy.name)

    def check(self) -> None:
        """Refuse tables that hold copies of files."""
        copies = self.find()
        if not copies:
            return
        more = [f"and {len(copies) - _SHOWN:,} more"] if len(copies) > _SHOWN else []
        shown = "; ".join([*map(_said, copies[:_SHOWN]), *more])
        which = copies[0].name if len(copies) == 1 else "the copies"
        raise DataError(
            f"{shown}. Every such row would count twice: remove {which}, or put rows that are meant to be there twice "
            "into one file."
        )


@dataclass(frozen=True)
class _Counted:
    """The distinct row hashes of a file, sorted, with their counts."""

    hashes: Hashes
    counts: npt.NDArray[np.int64]

    @cached_property
    def rows(self) -> int:
        return int(self.counts.sum())

    @cached_property
    def once(self) -> int:
        """Number of rows that occur just once."""
        return int((self.counts == 1).sum())

    @cached_property
    def content(self) -> bytes:
        """Equal for files with the same rows, each as often."""
        return hashlib.sha256(self.hashes.tobytes() + self.counts.tobytes()).digest()


def _pairs(counted: dict[str, _Counted]) -> list[tuple[Copy, bool]]:
    """The copies, and whether their names say so, too; repeating rows are not yet considered."""
    shared = _shared(list(counted.values()))
    suspects = [name for name, each in counted.items() if _all_in(each.hashes, shared)]
    if not suspects:
        return []
    by_name, by_content = defaultdict(list), defaultdict(list)
    for name in suspects:
        by_content[counted[name].content].append(name)
    for name in counted:
        by_name[_plain(name)].append(name)
    # Every row of every file, sorted, and the file that it is in.
    files = list(counted)
    hashes = np.concatenate([each.hashes for each in counted.values()])
    owners = np.repeat(np.arange(len(files)), [len(each.hashes) for each in counted.values()])
    order = np.argsort(hashes)
    hashes, owners = hashes[order], owners[order]
    pairs = []
    for name in suspects:
        file = counted[name]
        others = {*by_name[_plain(name)], *by_content[file.content]}
        if file.once >= _FEWEST_ROWS:
            starts = np.searchsorted(hashes, file.hashes, side="left")
            ends = np.searchsorted(hashes, file.hashes, side="right")
            rarest = int(np.argmin(ends - starts))
            others |= {files[owner] for owner in owners[starts[rarest] : ends[rarest]]}
        if pair := _copied(name, sorted(others - {name}, key=_order), counted):
            pairs.append(pair)
    return pairs


def _copied(name: str, others: list[str], counted: dict[str, _Counted]) -> tuple[Copy, bool] | None:
    """The copy that a file is, and whether its name says so, too."""
    file = counted[name]
    found: tuple[Copy, bool] | None = None
    for other in others:
        equal = file.content == counted[other].content
        # The copy is the one with the less plain name.
        if (equal and _order(name) < _order(other)) or not _all_in(file.hashes, counted[other].hashes):
            continue
        copy = Copy(name, other, file.rows, equal)
        if _plain(name) == _plain(other) and (equal or stem_of(name).lower() == stem_of(other).lower()):
            return copy, True
        if found is None and _beyond_chance(file, counted[other], equal):
            found = copy, False
    return found


def _beyond_chance(file: _Counted, other: _Counted, equal: bool) -> bool:
    if equal and len(file.hashes) >= _FEWEST_ROWS:
        return True
    once = file.hashes[file.counts == 1]
    met = int(np.isin(once, other.hashes[other.counts == 1], assume_unique=True).sum())
    twice = int((other.counts == 2).sum())
    expected = file.once * 2 * (twice + 2 * math.sqrt(twice) + 3) / other.rows
    if met < _FEWEST_ROWS or met <= expected:
        return False
    return met - expected + met * math.log(expected / met) < math.log(_CHANCE)


def _repeat(files: Sequence[_Counted]) -> bool:
    """Whether most rows of files that are no copies are in several of them."""
    if len(files) < 2:
        return False
    shared = _shared(files)
    repeated = sum(int(each.counts[np.isin(each.hashes, shared, assume_unique=True)].sum()) for each in files)
    return repeated >= _REPEATING * sum(each.rows for each in files)


@lru_cache(maxsize=1 << 16)
def _plain(name: str) -> tuple[str, str]:
    """A file's folder, and its name without the marks of a copy."""
    stem = stem_of(name)
    while (shorter := _MARKS.sub("", stem)) != stem and shorter:
        stem = shorter
    return str(PurePosixPath(name).parent), stem.lower().strip()


def _order(name: str) -> tuple[int, int, str]:
    return len(PurePosixPath(name).parts), len(name), name


def _said(copy: Copy) -> str:
    rows = "1 row" if copy.rows == 1 else f"{copy.rows:,} rows"
    if copy.equal:
        return f"{copy.name} holds the same {rows} as {copy.other}"
    return f"all {rows} of {copy.name} are in {copy.other}, too"


def _shared(files: Sequence[_Counted]) -> Hashes:
    found = np.sort(np.concatenate([each.hashes for each in files]))
    return np.unique(found[1:][found[1:] == found[:-1]])


def _all_in(some: Hashes, others: Hashes) -> bool:
    if not len(others):
        return False
    # A sample tells most files apart.
    for part in (some[:: max(1, len(some) // _SAMPLE)], some):
        at = np.minimum(np.searchsorted(others, part), len(others) - 1)
        if not (others[at] == part).all():
            return False
    return True
