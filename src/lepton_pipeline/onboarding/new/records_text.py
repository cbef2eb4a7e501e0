"""What drafts of records share as text: the raw table, its contract, and how it was read."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lepton_pipeline.onboarding.new.comments import Decision
from lepton_pipeline.onboarding.new.declaration import padded_range
from lepton_pipeline.onboarding.profile import Profile
from lepton_pipeline.parameters import Contract

RECORDS = "records"


def head_text(name: str, origin: str, profile: Profile) -> str:
    """The comment of the whole parameters file."""
    return (
        f"Drafted by `kedro vertical new` from {origin} ({len(profile.table):,} records): read and correct it. See "
        f"data/01_raw/{name}/SOURCE.md."
    )


def catalog_text(name: str) -> str:
    """The catalog file: where the records are."""
    return (
        f"# The files of the raw table {RECORDS}; without this, they would be data/01_raw/{name}/{RECORDS}.*\n"
        f"{name}.{RECORDS}.raw:\n"
        "  type: lepton_pipeline.datasets.RawTableDataset\n"
        f"  filepath: data/01_raw/{name}\n"
        "  metadata: {kedro-viz: {layer: raw}}\n"
    )


def declare_records(
    time: str | None, lost: float, expectations: Sequence[dict[str, object]]
) -> dict[str, object]:
    """The raw table's declaration; `lost` is the share of records that a run quarantines for lack of a key."""
    declared: dict[str, object] = {} if time is None else {"time": time}
    # Where these alone come near the default, more may be quarantined.
    allowed = Contract().max_quarantined
    if lost > allowed / 2:
        declared["max_quarantined"] = min(0.99, round(lost + allowed, 2))
    return declared | {"expectations": [*expectations]}


def expect_present(name: str) -> dict[str, object]:
    """That a column has a value, or the record is quarantined."""
    return {"expect": "column_values_to_not_be_null", "column": name, "on_failure": "quarantine"}


def expect_in_range(column: pd.Series) -> dict[str, object]:
    """That a number is not far from those observed, or the record is quarantined."""
    low, high = padded_range(column)
    return {
        "expect": "column_values_to_be_between",
        "column": str(column.name),
        "min_value": low,
        "max_value": high,
        "on_failure": "quarantine",
    }


def reading_decisions(profile: Profile) -> list[Decision]:
    """How text became values."""
    read = profile.ingestion.model_dump(exclude={"missing", "dates"})
    found = [Decision(key, repr(read[key]), why) for key, why in profile.reasons.items() if key in read]
    found += [
        Decision("missing", text, f"no value in {', '.join(names)}") for text, names in profile.odd.items()
    ]
    found += [Decision("date", name, form) for name, form in profile.ingestion.dates.items()]
    return [*found, *(Decision("codes", name, why) for name, why in profile.codes.items())]


def set_apart(lost: float, keys: str) -> list[Decision]:
    """Which share of the records lacks one of the `keys`; nothing where none does."""
    if not lost:
        return []
    return [Decision("set apart", f"{lost:.1%}", f"records without a {keys}, by the contract")]


def sentence(text: str) -> str:
    """With a capital at its beginning."""
    return text[:1].upper() + text[1:]
