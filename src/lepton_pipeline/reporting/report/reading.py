"""What a run says of reading its files: which, how many rows, what was set apart and what was guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lepton_pipeline.data.reading import ReadFile, Reading, SkippedFile

_SHOWN = 3


class Counted(Protocol):
    """What counts rows: the result of a contract, or the record of a scoring."""

    @property
    def rows(self) -> int:
        """That were checked."""

    @property
    def quarantined(self) -> int:
        """Among them."""


def reading_facts(
    reading: Reading | None, contract: Counted | None, table: str = ""
) -> list[tuple[str, str]]:
    """Say which files were read and what became of their rows.

    Args:
        reading: record of reading the table; None where it was made of others.
        contract: result of its contract, for `rows` and `quarantined`; None where it was not reached.
        table: name of a raw table of several; empty for the table of the vertical.

    Returns:
        Pairs of a label ("read", "skipped", "rows", "raw table") and a text; none where neither is there.
    """
    prefix = f"{table}: " if table else ""
    facts = []
    if reading:
        if reading.files:
            facts.append(("read", prefix + _files(reading.files)))
        facts.extend(("skipped", f"{prefix}{names}: {why}") for why, names in _skipped(reading.skipped))
    if rows := _rows(reading, contract):
        facts.append(("raw table" if table else "rows", prefix + rows))
    return facts


def waiting_facts(
    contract: Counted, used: int, present: object, since: object = None
) -> list[tuple[str, str]]:
    """Say how many rows of the table nothing is learnt from, if any.

    Args:
        contract: result of its contract.
        used: rows that were divided into parts.
        present: moment at which labels are known or not.
        since: `dataset.since`.
    """
    left = contract.rows - contract.quarantined - used
    if not left:
        return []
    earlier = "" if since is None else f", or lie before dataset.since ({since})"
    return [("waiting", f"{left:,} wait for their label, which is not known at {present}{earlier}")]


def note_facts(notes: Mapping[str, Sequence[str]], table: str = "") -> list[tuple[str, str]]:
    """Say what was decided or guessed about columns, once for all columns of which it is the same.

    Args:
        notes: sentences by column.
        table: name of a raw table of several.
    """
    prefix = f"{table}: " if table else ""
    sentences = dict.fromkeys(sentence for said in notes.values() for sentence in said)
    return [
        ("note", f"{prefix}{', '.join(name for name, said in notes.items() if sentence in said)}: {sentence}")
        for sentence in sentences
    ]


def shorten(names: Sequence[str], most: int, unit: str = "") -> str:
    """List names, the first few of them where there are more.

    >>> shorten(["a", "b", "c", "d"], 2)
    'a, b and 2 more'
    """
    # One name instead of "1 more" takes no more room.
    shown = names if len(names) <= most + 1 else names[:most]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more{unit}" if rest else "")


def _files(files: Sequence[ReadFile]) -> str:
    named = [f"{file.name} {_count(file.rows, 'row')}" for file in files]
    return shorten(named, _SHOWN, " files")


def _skipped(skipped: Sequence[SkippedFile]) -> list[tuple[str, str]]:
    reasons = dict.fromkeys(file.why for file in skipped)
    return [
        (why, shorten([file.name for file in skipped if file.why == why], _SHOWN, " files"))
        for why in reasons
    ]


def _rows(reading: Reading | None, contract: Counted | None) -> str:
    parts = []
    if reading:
        known = reading.records - reading.set_apart
        parts.append(f"{reading.records:,} in files")
        parts.append(f"{reading.set_apart:,} set apart{_reasons(reading)}")
        if contract and contract.rows != known:
            parts.append(f"{known - contract.rows:,} left out (later than dataset.as_of)")
        if not contract:
            parts.append(f"{known:,} in")
    if contract:
        parts += [f"{contract.rows:,} in", f"{contract.quarantined:,} quarantined"]
    return ", ".join(parts)


def _reasons(reading: Reading) -> str:
    """Why records were set apart, each with the place of one."""
    places: dict[str, str] = {}
    for example in reading.examples:
        places.setdefault(example.reason, f", e.g. {example.file} line {example.line}")
    said = [f"{count:,} {reason}{places.get(reason, '')}" for reason, count in reading.reasons.items()]
    return f" ({'; '.join(said)})" if said else ""


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
