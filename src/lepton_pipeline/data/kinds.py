"""Infer one kind a column in a first pass over all rows, so that a second one gives every chunk its types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lepton_pipeline.data.expressions.dates import are_of_zone, is_zone, offsets_of
from lepton_pipeline.data.texts import (
    DECIMAL,
    INT64,
    WHOLE,
    TextClasses,
    Writing,
    clean_texts,
    fits,
    is_text,
    missing_numbers,
    plain_numbers,
    without_codes,
)
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion

SINGLE = "single"
NUMBERS = {"whole": "int64", "unsigned": "uint64", "number": "float64", SINGLE: "float32"}
NUMBERS |= {"whole or missing": "Int64", "unsigned or missing": "UInt64"}
IN_ZONE = "date in "
# Whole numbers up to here are floats, too, without a loss.
EXACT = 2**53


@dataclass(frozen=True)
class Wanted:
    """What is known of columns before their values are read.

    Attributes:
        keys: ids, groups, categories: numbers only where their text can be restored.
        numbers: numbers even if no row has a value.
        texts: texts even if every one looks like a number.
        zones: the time zone of dates that a model was trained on; None for times without one.
    """

    keys: Collection[str] = ()
    numbers: Collection[str] = ()
    texts: Collection[str] = ()
    zones: Mapping[str, str | None] = field(default_factory=dict)


class _Column:
    """What is known of one column so far."""

    def __init__(self, name: str, ingestion: Ingestion, wanted: Wanted) -> None:
        self.name = name
        self.missing = 0
        self._ingestion, self._wanted = ingestion, wanted
        self._writing = Writing(ingestion)
        self._codes = missing_numbers(ingestion.missing, self._writing)
        self._is_key = name in wanted.keys
        self._layout = ingestion.dates.get(name)
        # How the file holds the values: "text", "whole", "number", "single", "truth", "date", "seconds".
        self._forms: Counter[str] = Counter()
        self._texts = TextClasses(is_key=self._is_key)
        self._zones: Counter[str | None] = Counter()
        # Winter's times alone have one offset, but are those of the declared zone all the same.
        self._keeps_declared_zone = ingestion.zone is not None

    def add(self, column: Any, start: int) -> None:
        """Take in further values; the first one is row `start`."""
        kind = column.type
        if pa.types.is_dictionary(kind):
            if not is_text(kind.value_type):
                # Unsupported types are refused before the cast, which may fail.
                self._form(kind.value_type)
            column, kind = column.cast(kind.value_type), kind.value_type
        if is_text(kind):
            self._add_texts(column, start)
            return
        if pa.types.is_null(kind):
            self.missing += len(column)
            return
        form = self._form(kind)
        values = without_codes(column, self._ingestion, self._layout)
        self.missing += values.null_count
        present = len(values) - values.null_count
        if present:
            self._forms[form] += present
        if form == "whole" and present:
            self._texts.reach(*map(int, pc.min_max(values).as_py().values()))
        elif form in ("number", "single") and self._is_key:
            bits = 24 if pa.types.is_float32(values.type) else 53
            largest = pc.max(pc.abs(values)).as_py()
            if largest is not None and largest > 2**bits:
                raise DataError(
                    f"column {self.name!r} tells rows or groups apart, but holds floats beyond 2^{bits} "
                    f"({largest:.0f}), which have lost their last digits; write it as text or as whole numbers."
                )
        elif form == "date":
            zone = getattr(kind, "tz", None)
            if zone is not None and not is_zone(zone):
                raise DataError(f"column {self.name!r} has times in the unknown zone {zone!r}; write UTC.")
            self._zones[zone] += present

    def kind(self) -> str:
        """Infer the kind of the column from all its values."""
        forms = set(self._forms)
        if self._layout is not None and forms <= {"text", "date", "whole", "number"}:
            return self._date()
        text = None if "text" not in forms else "number" if self._texts.are_numbers() else "text"
        if self.name in self._wanted.texts and forms <= {"text", "whole", "number", "single"}:
            return "text"
        if not forms:
            return "number" if self.name in self._wanted.numbers else "empty"
        others = forms - {"text"}
        if others == {"whole"} and text in (None, "number") and not self._texts.fits_64_bits:
            return "text"
        if others <= {"whole", "number", "single", "seconds"} and text in (None, "number"):
            kind = self._number()
            if self._is_key and kind in ("number", SINGLE) and self._texts.largest > EXACT:
                raise DataError(
                    f"column {self.name!r} tells rows or groups apart, but is of floats in some files and of whole "
                    f"numbers beyond 2^53 ({self._texts.largest}) in others; write it as text in all."
                )
            return kind
        if not others:
            return "text"
        if others == {"truth"} and text is None:
            return "truth or missing" if self.missing else "truth"
        if others == {"date"} and text is None:
            return self._date()
        if text == "text" and others <= {"whole", "number", "single"}:
            if self._is_key:
                return "text"
            raise DataError(
                f"column {self.name!r} holds texts in some rows and numbers in others ({self._texts.shown('other')}); "
                "give it one type in all files."
            )
        shown = ", ".join(sorted(others | ({text} if text else set())))
        raise DataError(
            f"column {self.name!r} holds values of several kinds ({shown}); give all its rows the same kind."
        )

    def notes(self, kind: str, rows: int) -> list[str]:
        """Notes for the user on how the values were interpreted."""
        said = []
        if kind == "text" and self.name not in self._wanted.texts:
            said += self._texts.notes(rows, surprising=self.name in self._wanted.numbers)
        if "seconds" in self._forms:
            said.append("durations or times of day, in seconds")
        if kind.startswith(IN_ZONE):
            offsets = sorted(str(zone) for zone in self._zones)
            if "%Z" in (self._layout or "") and self.name not in self._wanted.zones:
                said.append(f"times with names of zones, read as {kind.removeprefix(IN_ZONE)}")
            elif len(offsets) > 1 and self.name not in self._wanted.zones:
                why = "as ingestion.zone says" if self._ingestion.zone else "as no ingestion.zone is declared"
                said.append(
                    f"times with several offsets ({', '.join(offsets[:4])}), read as {kind.removeprefix(IN_ZONE)} {why}"
                )
        return said

    def _form(self, kind: Any) -> str:
        types = pa.types
        forms = {
            "whole": types.is_integer(kind) or (types.is_decimal(kind) and kind.scale == 0),
            "single": types.is_float32(kind),
            "number": types.is_floating(kind) or types.is_decimal(kind),
            "truth": types.is_boolean(kind),
            "date": types.is_timestamp(kind) or types.is_date(kind),
            "seconds": types.is_duration(kind) or types.is_time(kind),
        }
        for form, fitting in forms.items():
            if fitting:
                return form
        raise DataError(
            f"column {self.name!r} holds values of the type {kind}, which features cannot use; make them numbers, "
            "texts, dates or truth values, or take the column out of the data."
        )

    def _add_texts(self, column: Any, start: int) -> None:
        texts = clean_texts(column, self._ingestion.missing)
        present = len(texts) - texts.null_count
        if self._layout is not None:
            distinct = pc.unique(texts).drop_null().to_pandas()
            offsets = offsets_of(distinct, self._layout)
            for zone, count in offsets.value_counts(dropna=False).items():
                self._zones[zone if isinstance(zone, str) else None] += int(count)
            if self._keeps_declared_zone and len(distinct):
                zone = str(self._ingestion.zone)
                self._keeps_declared_zone = are_of_zone(distinct, offsets, self._layout, zone)
        else:
            plain = plain_numbers(texts, self._writing)
            if self._codes and not self._is_key:
                # -999.0 is no value where -999 is a missing code.
                numeric = pc.fill_null(fits(plain, f"{WHOLE}|{DECIMAL}"), fill_value=False)
                values = pc.cast(pc.if_else(numeric, plain, None), pa.float64())
                coded = pc.fill_null(pc.is_in(values, pa.array(self._codes, pa.float64())), fill_value=False)
                texts, plain = pc.if_else(coded, None, texts), pc.if_else(coded, None, plain)
                present = len(texts) - texts.null_count
            self._texts.add(texts, plain, start)
        self.missing += len(texts) - present
        if present:
            self._forms["text"] += present

    def _number(self) -> str:
        forms, classes = self._forms, self._texts.counts
        fractions = forms["number"] + forms["single"] + forms["seconds"]
        if fractions + classes["decimal"] + classes["infinite"] + classes["exponent"]:
            return SINGLE if set(self._forms) == {"single"} else "number"
        if not self._texts.fits_64_bits:
            return "number"
        if self.missing and self._texts.largest <= EXACT:
            return "number"
        kind = "unsigned" if self._texts.high > INT64 else "whole"
        return f"{kind} or missing" if self.missing else kind

    def _date(self) -> str:
        zones = set(self._zones)
        if self.name in self._wanted.zones:
            zone = self._wanted.zones[self.name]
            if zones and (zone is None) != (zones == {None}):
                held, had = ("no time zone", zone) if None in zones else ("a time zone", "none")
                raise DataError(
                    f"column {self.name!r} has times with {held}, but the training rows had {had}; write them alike."
                )
            return "date" if zone is None else f"{IN_ZONE}{zone}"
        if None in zones and len(zones) > 1:
            raise DataError(
                f"column {self.name!r} cannot be read as dates (ingestion.dates): some of its times have a time zone "
                f"({', '.join(sorted(str(zone) for zone in zones - {None})[:3])}) and some have none; write them alike."
            )
        if not zones or zones == {None}:
            return "date"
        named = "%Z" in (self._layout or "")
        if len(zones) == 1 and not named and not self._keeps_declared_zone:
            return f"{IN_ZONE}{next(iter(zones))}"
        return IN_ZONE + (self._ingestion.zone or "UTC")


@dataclass(frozen=True)
class Kinds:
    """Kinds (`of`), missing values and notes by column.

    A kind is "whole" (int64), "unsigned" (uint64), "number" (float64), "single" (float32), "whole or missing"
    or "unsigned or missing" (beyond 2^53), "text", "empty", "truth", "truth or missing", "date", or "date in
    ZONE".
    """

    of: dict[str, str]
    rows: int
    missing: dict[str, int]
    notes: dict[str, list[str]]


def find_kinds(blocks: Iterable[Any], ingestion: Ingestion, wanted: Wanted | None = None) -> Kinds:
    """Infer the kind of every column of Arrow tables in one pass.

    Raises a DataError where a column is of several kinds or of an unsupported one, or an id would lose
    digits.
    """
    wanted = wanted or Wanted()
    columns: dict[str, _Column] = {}
    rows = 0
    for block in blocks:
        for name, column in zip(block.column_names, block.columns, strict=True):
            if name not in columns:
                columns[name] = _Column(name, ingestion, wanted)
            columns[name].add(column, rows)
        rows += len(block)
    kinds = {name: each.kind() for name, each in columns.items()}
    notes = {name: each.notes(kinds[name], rows) for name, each in columns.items()}
    missing = {name: each.missing for name, each in columns.items()}
    return Kinds(kinds, rows, missing, {name: said for name, said in notes.items() if said})


def kind_name(kind: str) -> str:
    """A kind as the pages name it."""
    names = {"single": "number", "unsigned": "whole number", "whole": "whole number"}
    names |= {"truth": "true or false", "empty": "no value"}
    return names.get(kind.removesuffix(" or missing"), kind)
