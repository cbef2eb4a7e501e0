"""Rank the verticals by how well a client's file fits them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from lepton_pipeline.data.expressions.expression import parse_expression
from lepton_pipeline.data.raw import read_header, read_rows
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.data.values import typed_column
from lepton_pipeline.datasets import RawTableDataset
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.onboarding.match_columns import BETWEEN, IN_SET, Column, Kind, describe_column, likeness
from lepton_pipeline.onboarding.profile import first_bytes, profile_files
from lepton_pipeline.parameters import Expectation, Ingestion, Vertical
from lepton_pipeline.project.declaration import find_verticals, read_parameters
from lepton_pipeline.terminal.console import Text, console, figures, fixed, table

FITS = 0.5
"""Smallest score at which a vertical serves a file: half of what it needs, by weight, is in there."""

TARGET, NAMED, PLAIN, IGNORED = 4.0, 2.0, 1.0, 0.25
"""Weights of the columns of a vertical."""

_OTHER_TABLE = 0.25
_SAMPLE = 3000
_TEMPERATURE = 0.1
_LEAST_LIKENESS = 0.4
_SAMPLE_BYTES = 1 << 22
_LONGEST_RECORD = 100
_SHOWN = 5
_NOT_COMPARED = "cannot be compared"
_NEW = "  kedro vertical new NAME --from FILE"


@dataclass(frozen=True)
class Pair:
    """A client's column matched to one of a vertical's, with the likeness in (0, 1].

    `how` is the evidence, some of name, type, values, contract; `weight` the importance to the vertical.
    """

    client: str
    vertical: str
    how: tuple[str, ...]
    likeness: float
    weight: float

    def __str__(self) -> str:
        names = self.client if self.client == self.vertical else f"{self.client} → {self.vertical}"
        return f"{names} ({', '.join(self.how)})" if self.how else names


@dataclass(frozen=True)
class Match:
    """How well a file fits a vertical.

    Attributes:
        score: fraction of the vertical's columns found, by weight; in [0, 1].
        share: softmax of the scores of all verticals; they sum to 1.
        pairs: matched columns, the most important first.
        missing: columns of the target, the contract or the features that were not found.
        question: what a model of the vertical answers.
    """

    vertical: str
    score: float
    share: float
    pairs: list[Pair]
    missing: list[str]
    question: str
    caution: str


def match_file(project: Path, file: Path) -> list[Match]:
    """Compare a client's file with every vertical.

    Columns are compared by name, type, values and contract (see `likeness`) and paired one to one so that the
    sum of weight × likeness is largest (linear assignment problem). With weights w (target 4; columns named
    by the contract, a role or a derived feature 2; others 1; ids and excluded columns 1/4; further raw tables
    a quarter of that):

        score(v) = Σ over pairs w × likeness / Σ over all columns of v of w,     pairs less alike than 0.4 count 0
        share(v) = exp(score(v) / 0.1) / Σ over verticals exp(score / 0.1)

    At temperature 0.1 a lead of 0.1 in the score is a factor of e in the share. Shares compare verticals;
    only the score says whether one fits at all.

    Args:
        project: root of the project.
        file: a table file (CSV, Parquet, JSON, .xlsx), or a folder of such files with the same columns.

    Returns:
        One match per vertical, the best first. A vertical that cannot be read scores 0 and says so in
        `caution`.

    Raises:
        DataError: the file is absent or no table.
        ConfigurationError: the project has no vertical.
    """
    if not file.exists():
        raise DataError(
            f"{file} does not exist; give a table file (CSV, Parquet, JSON, .xlsx), or a folder of such files."
        )
    files = [_beginning(each) for each in RawTableDataset(filepath=str(file.absolute())).load()]
    rows = profile_files(files, whole=False).table.head(_SAMPLE)
    client = [describe_column(rows[name]) for name in rows]
    matches = [_match(name, project, client) for name in find_verticals(project / "conf" / "base")]
    powers = np.exp(np.array([match.score for match in matches]) / _TEMPERATURE)
    shares = (powers / powers.sum()).tolist()
    shared = [replace(match, share=share) for match, share in zip(matches, shares, strict=True)]
    return sorted(shared, key=lambda match: (-match.score, match.vertical))


def print_matches(matches: list[Match]) -> None:
    """Print the ranking, the reasons and the next step."""
    out = console()
    rows = table(fixed("vertical"), figures("score"), figures("share"), "why")
    for match in matches:
        style = "bold" if match.score >= FITS else None
        reasons = Text("\n").join(map(Text, _reasons(match)))
        rows.add_row(Text(match.vertical, style or ""), f"{match.score:.2f}", f"{match.share:.0%}", reasons)
    out.print(rows)
    out.print(Text(_advice(matches)))


def _advice(matches: list[Match]) -> str:
    best = matches[0]
    if best.score < FITS:
        return (
            f"No vertical fits: the best score is {best.score:.2f} ({best.vertical}). Below {FITS:g}, less than half "
            f"of what a vertical needs is in the file.\n\nDraft a vertical for it:\n{_NEW}"
        )
    lines = [f"{best.vertical} fits."]
    if any(pair.client != pair.vertical for pair in best.pairs):
        lines.append("Column names differ: check the pairs, and rename them in the client's file.")
    if best.missing:
        lines.append("Columns are missing: the client may name them differently, or not have them.")
    return "\n".join(lines) + (
        "\n\nIf the client asks this question, put the file into the vertical's raw data and check it:\n"
        f"  kedro vertical check {best.vertical}\n"
        f"If it is another question, draft a vertical for it:\n{_NEW}"
    )


def _reasons(match: Match) -> Iterator[str]:
    fits = match.score >= FITS
    if fits and match.question:
        yield match.question
    if match.pairs:
        found = "1 column" if len(match.pairs) == 1 else f"{len(match.pairs)} columns"
        yield f"{found}: {_listed([str(pair) for pair in match.pairs])}"
    if fits and match.missing:
        yield f"missing: {_listed(match.missing)}"
    if match.caution and (fits or match.caution.startswith(_NOT_COMPARED)):
        yield f"caution: {match.caution}"


def _listed(texts: list[str]) -> str:
    more = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _match(name: str, project: Path, client: list[Column]) -> Match:
    from scipy.optimize import linear_sum_assignment

    try:
        vertical, needs = read_needs(project, name)
    except (ConfigurationError, DataError) as error:
        return Match(name, 0.0, 0.0, [], [], "", f"{_NOT_COMPARED}: {error}")
    columns, weights = [column for column, _ in needs], np.array([weight for _, weight in needs])
    rules = _rules(vertical)
    compared = [[likeness(own, each, rules.get(each.name, [])) for each in columns] for own in client]
    gains = np.array([[each.value for each in row] for row in compared])
    gains[gains < _LEAST_LIKENESS] = 0.0
    assigned = zip(*linear_sum_assignment(gains * weights, maximize=True), strict=True)
    pairs = [
        Pair(client[i].name, columns[j].name, compared[i][j].reasons, float(gains[i, j]), float(weights[j]))
        for i, j in assigned
        if gains[i, j] > 0
    ]
    met = {pair.vertical for pair in pairs}
    wanted = sorted(needs, key=lambda each: -each[1])
    return Match(
        vertical=name,
        score=sum(pair.likeness * pair.weight for pair in pairs) / float(weights.sum()),
        share=0.0,
        pairs=sorted(pairs, key=lambda pair: -pair.likeness * pair.weight),
        missing=[column.name for column, weight in wanted if weight >= NAMED and column.name not in met],
        question=vertical.about.question,
        caution=vertical.about.caution,
    )


def _beginning(file: RawFile) -> RawFile:
    """The first rows of a file as a file, to profile it without reading all of it."""
    if file.is_document:
        return file
    if file.is_parquet:
        names = read_header(file, Ingestion())
        buffer = io.BytesIO()
        read_rows(file, names, Ingestion(), _SAMPLE).to_parquet(buffer)
        return RawFile(file.name, lambda: io.BytesIO(buffer.getvalue()), file.partitions)
    start = first_bytes(file, _SAMPLE_BYTES)
    lines = start.split(b"\n")
    whole = len(start) < _SAMPLE_BYTES and len(lines) <= _SAMPLE + 2
    if whole or start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return file
    # Cut where a record ends: at the end of a line that is not within quotes.
    last = min(len(lines) - 1, _SAMPLE + 1)
    ends = range(last, max(0, last - _LONGEST_RECORD), -1)
    cut = next((kept for end in ends if (kept := b"\n".join(lines[:end])).count(b'"') % 2 == 0), None)
    return file if cut is None else RawFile(file.name, lambda: io.BytesIO(cut + b"\n"), file.partitions)


def read_needs(project: Path, name: str) -> tuple[Vertical, list[tuple[Column, float]]]:
    """Read a vertical's declaration and the first rows of its bundled raw tables.

    Returns the declaration, and the tables' columns with their weights; without raw data, the declared ones.

    Raises:
        ConfigurationError: the declaration is invalid.
        DataError: a raw table cannot be read.
    """
    vertical = read_parameters(project / "conf" / "base", name)
    folder, ingestion = project / "data" / "01_raw" / name, vertical.ingestion
    # Files with the same columns are one table.
    tables: dict[frozenset[str], list[Column]] = {}
    for file in RawTableDataset(filepath=str(folder)).load() if folder.is_dir() else ():
        names = read_header(file, ingestion)
        if frozenset(names) not in tables:
            rows = read_rows(file, names, ingestion, _SAMPLE)
            columns = [describe_column(typed_column(rows[name], ingestion)) for name in names]
            tables[frozenset(names)] = columns
    importance = _importance(vertical)
    compared = list(tables.values()) or [_declared_columns(vertical, importance)]
    weighed = [[(column, importance.get(column.name, PLAIN)) for column in columns] for columns in compared]
    first, *others = sorted(weighed, key=lambda columns: -sum(weight for _, weight in columns))
    found = {column.name: (column, weight) for column, weight in first}
    for column, weight in chain.from_iterable(others):
        found.setdefault(column.name, (column, weight * _OTHER_TABLE))
    return vertical, list(found.values())


def _importance(vertical: Vertical) -> dict[str, float]:
    roles, features = vertical.dataset.roles(), vertical.features
    named = [column for expectation in _expectations(vertical) for column in expectation.columns()]
    for role in ("time", "group", "sensitive", "numeric", "categorical", "text"):
        named += roles.get(role, [])
    for name, text in features.derive.items():
        named += parse_expression(text, f"features.derive.{name}").columns
    for window in features.windows.values():
        named += [column for column in (window.of, window.known, *window.by) if column is not None]
    weights = dict.fromkeys(named, NAMED)
    weights |= dict.fromkeys([*roles["id"], *roles["exclude"]], IGNORED)
    return {**weights, vertical.dataset.target: TARGET}


def _declared_columns(vertical: Vertical, importance: Mapping[str, float]) -> list[Column]:
    kinds: dict[str, Kind] = dict.fromkeys(vertical.dataset.numeric, "number")
    kinds |= dict.fromkeys(vertical.dataset.categorical, "text")
    kinds |= dict.fromkeys(vertical.dataset.text, "language")
    kinds |= dict.fromkeys(vertical.ingestion.dates, "date")
    made = vertical.features.names()
    return [Column(name, kinds.get(name, "unknown")) for name in importance if name not in made]


def _rules(vertical: Vertical) -> dict[str, list[Expectation]]:
    """By column, the expectations that a sample can be checked against."""
    rules: dict[str, list[Expectation]] = {}
    for rule in _expectations(vertical):
        bounds = [bound for bound in (rule.min_value, rule.max_value) if bound is not None]
        numeric = bounds and all(isinstance(bound, int | float) for bound in bounds)
        checked = (rule.expect == BETWEEN and numeric) or (rule.expect == IN_SET and rule.value_set)
        if rule.column is not None and checked:
            rules.setdefault(rule.column, []).append(rule)
    return rules


def _expectations(vertical: Vertical) -> list[Expectation]:
    contracts = (vertical.contract, *vertical.tables.values())
    return [rule for contract in contracts for rule in contract.expectations]
