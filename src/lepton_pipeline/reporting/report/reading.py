"""What a run reports of its files: names, rows, malformed records and guesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lepton_pipeline.data.reading import Reading

Facts = list[tuple[str, str]]  # label and text
_SHOWN = 3


class Counted(Protocol):
    """The result of a contract, or the record of a scoring: checked rows, and quarantined ones among them."""

    @property
    def rows(self) -> int:
        """All that were checked."""

    @property
    def quarantined(self) -> int:
        """Those of them that were set apart."""


def reading_facts(reading: Reading | None, contract: Counted | None, table: str = "") -> Facts:
    """Files that were read and what became of their rows, as pairs of a label and a text.

    `reading` is None for a table made of others, `contract` if it was not reached; `table` names one raw
    table.
    """
    prefix = f"{table}: " if table else ""
    facts = []
    if reading:
        if reading.files:
            named = [f"{file.name} {file.rows:,} row{'s' * (file.rows != 1)}" for file in reading.files]
            facts.append(("read", prefix + shorten(named, _SHOWN, " files")))
        for why in dict.fromkeys(file.why for file in reading.skipped):
            named = [file.name for file in reading.skipped if file.why == why]
            facts.append(("skipped", f"{prefix}{shorten(named, _SHOWN, ' files')}: {why}"))
    if rows := _rows(reading, contract):
        facts.append(("raw table" if table else "rows", prefix + rows))
    return facts


def waiting_facts(contract: Counted, used: int, present: object, since: object = None) -> Facts:
    """How many rows have no label at `present`, or lie before `since`; `used` rows were split."""
    left = contract.rows - contract.quarantined - used
    if not left:
        return []
    earlier = "" if since is None else f", or lie before dataset.since ({since})"
    return [("waiting", f"{left:,} wait for their label, which is not known at {present}{earlier}")]


def note_facts(notes: Mapping[str, Sequence[str]], table: str = "") -> Facts:
    """Decisions and guesses about columns (sentences by column), equal ones once."""
    prefix = f"{table}: " if table else ""
    sentences = dict.fromkeys(sentence for said in notes.values() for sentence in said)
    return [
        ("note", f"{prefix}{', '.join(name for name, said in notes.items() if sentence in said)}: {sentence}")
        for sentence in sentences
    ]


def shorten(names: Sequence[str], most: int, unit: str = "") -> str:
    """List the first few names, and the number of others.

    >>> shorten(["a", "b", "c", "d"], 2)
    'a, b and 2 more'
    """
    # The last name takes no more room than "1 more".
    shown = names if len(names) <= most + 1 else names[:most]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more{unit}" if rest else "")


def _rows(reading: Reading | None, contract: Counted | None) -> str:
    parts = []
    if reading:
        known = reading.records - reading.set_apart
        parts += [f"{reading.records:,} in files", f"{reading.set_apart:,} set apart{_reasons(reading)}"]
        if contract and contract.rows != known:
            parts.append(f"{known - contract.rows:,} left out (later than dataset.as_of)")
        if not contract:
            parts.append(f"{known:,} in")
    if contract:
        parts += [f"{contract.rows:,} in", f"{contract.quarantined:,} quarantined"]
    return ", ".join(parts)


def _reasons(reading: Reading) -> str:
    """Why records were malformed, each with an example."""
    places: dict[str, str] = {}
    for example in reading.examples:
        places.setdefault(example.reason, f", e.g. {example.file} line {example.line}")
    said = [f"{count:,} {reason}{places.get(reason, '')}" for reason, count in reading.reasons.items()]
    return f" ({'; '.join(said)})" if said else ""
