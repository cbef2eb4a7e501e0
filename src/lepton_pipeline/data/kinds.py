"""One kind for each column, told in a first pass over all rows, so that a second one gives every chunk its types."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.dates import ISO, are_of_zone, is_zone, offsets_of
from lepton_pipeline.data.numbers import (
    BARE_EXPONENT,
    CANONICAL,
    DECIMAL,
    FOR_PEOPLE,
    INFINITE,
    LONG_WHOLE,
    WHOLE,
    ZERO_LED,
    Writing,
    missing_numbers,
)
from lepton_pipeline.data.texts import clean_texts, fits, plain_numbers
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion

WHOLE_OR_MISSING, UNSIGNED_OR_MISSING, SINGLE = "whole or missing", "unsigned or missing", "single"
IN_ZONE = "date in "
# Whole numbers up to here are floats, too, without a loss.
EXACT = 2**53
_INT64, _UINT64 = 2**63 - 1, 2**64 - 1
_EXAMPLES = 3
_DATE_LIKE = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?|\d{1,2}[./]\d{1,2}[./]\d{4}(?: \d\d:\d\d.*)?"
_CLASSES = {
    "decimal": DECIMAL,
    "code": ZERO_LED,
    "exponent": BARE_EXPONENT,
    "long": LONG_WHOLE,
    "infinite": INFINITE,
}
_MOST = 0.5
# Some codes without a zero in front look like numbers; so few codes among numbers look like a mistake.
_MANY = 0.01


@dataclass(frozen=True)
class Wanted:
    """What is known of columns before their values are.

    Attributes:
        keys: their text is what they are (ids, groups, categories): whole numbers only where nothing is lost by it.
        numbers: they hold numbers also where no row has a value.
        texts: they stay texts also where every one of them looks like a number.
        zones: the clock of columns of dates, as a model has it; None for times without a zone.
    """

    keys: Collection[str] = ()
    numbers: Collection[str] = ()
    texts: Collection[str] = ()
    zones: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Kinds:
    """What was found of the columns of a table.

    Attributes:
        of: kind by column: "whole" (int64), "number" (float64), "single" (float32), "unsigned" (uint64), the two of
            whole numbers beyond 2^53 with missing values ("whole or missing", "unsigned or missing"), "text", "empty"
            (no value), "truth", "truth or missing", "date", or "date in ZONE".
        rows: number of rows.
        missing: by column, number of rows without a value.
        notes: by column, sentences on what was decided where the values left a choice.
    """

    of: dict[str, str]
    rows: int
    missing: dict[str, int]
    notes: dict[str, list[str]]


def find_kinds(blocks: Iterable[Any], ingestion: Ingestion, wanted: Wanted | None = None) -> Kinds:
    """Find the kind of every column in one pass.

    Args:
        blocks: Arrow tables with the same columns: rows as they were read.
        ingestion: how text becomes values.
        wanted: what is known of columns before.

    Raises:
        DataError: a column is of several kinds, or of one that no feature has; an id would lose digits.
    """
    wanted = wanted or Wanted()
    writing = Writing(ingestion)
    facts: dict[str, _Facts] = {}
    rows = 0
    for block in blocks:
        for name, column in zip(block.column_names, block.columns, strict=True):
            if name not in facts:
                facts[name] = _Facts(name, ingestion, writing, is_key=name in wanted.keys)
            facts[name].add(column, rows)
        rows += len(block)
    kinds = {name: each.kind(wanted) for name, each in facts.items()}
    notes = {name: each.notes(kinds[name], rows, wanted) for name, each in facts.items()}
    return Kinds(
        kinds,
        rows,
        {name: each.missing for name, each in facts.items()},
        {name: said for name, said in notes.items() if said},
    )


def said_kind(kind: str) -> str:
    """A kind in words for people."""
    words = {"single": "number", "unsigned": "whole number", "whole": "whole number", "truth": "true or false"}
    plain = kind.removesuffix(" or missing")
    return words.get(plain, "no value" if kind == "empty" else kind)


class _Facts:
    """What is known of one column so far."""

    def __init__(self, name: str, ingestion: Ingestion, writing: Writing, *, is_key: bool) -> None:
        self.name = name
        self.missing = 0
        self._ingestion = ingestion
        self._writing = writing
        self._codes = missing_numbers(ingestion.missing, writing)
        self._is_key = is_key
        self._layout = ingestion.dates.get(name)
        # How the file holds the values: "text", "whole", "number", "single", "truth", "date", "seconds".
        self._forms: Counter[str] = Counter()
        # Texts by what they look like: see `_CLASSES`, "whole", and "other".
        self._texts: Counter[str] = Counter()
        # Their first texts, each with its row.
        self._examples: dict[str, dict[str, int]] = {}
        self._canonical = self._for_people = self._date_like = 0
        self._low = self._high = 0
        self._zones: Counter[str | None] = Counter()
        # Winter's times alone have one offset, but are those of the declared zone all the same.
        self._keeps_declared_zone = ingestion.zone is not None

    def add(self, column: Any, start: int) -> None:
        """Take in the values of further rows; the first one is row `start`."""
        import pyarrow as pa

        kind = column.type
        if pa.types.is_dictionary(kind):
            if not is_text(kind.value_type):
                # What no feature has is refused before it is cast, which may not be possible.
                self._form(kind.value_type)
            return self.add(column.cast(kind.value_type), start)
        if is_text(kind):
            return self._add_texts(column, start)
        if pa.types.is_null(kind):
            self.missing += len(column)
            return None
        form = self._form(kind)
        values = without_codes(column, self._ingestion, self._layout)
        self.missing += values.null_count
        present = len(values) - values.null_count
        if present:
            self._forms[form] += present
        if form == "whole" and present:
            self._reach(values)
        elif form in ("number", "single") and self._is_key:
            self._refuse_lost_digits(values)
        elif form == "date":
            zone = getattr(kind, "tz", None)
            if zone is not None and not is_zone(zone):
                raise DataError(f"column {self.name!r} has times in the zone {zone!r}, which is unknown; write UTC.")
            self._zones[zone] += present
        return None

    def kind(self, wanted: Wanted) -> str:
        """The kind of the column, of all its values."""
        forms = set(self._forms)
        if self._layout is not None and forms <= {"text", "date", "whole", "number"}:
            return self._date(wanted)
        text = self._text_kind() if "text" in forms else None
        if self.name in wanted.texts and forms <= {"text", "whole", "number", "single"}:
            return "text"
        if not forms:
            return "number" if self.name in wanted.numbers else "empty"
        others = forms - {"text"}
        if others == {"whole"} and text in (None, "number") and not self._fits_64_bits():
            return "text"
        if others <= {"whole", "number", "single", "seconds"} and text in (None, "number"):
            kind = self._number()
            if self._is_key and kind in ("number", SINGLE) and max(-self._low, self._high) > EXACT:
                raise DataError(
                    f"column {self.name!r} tells rows or groups apart, but is of floats in some files and of whole "
                    f"numbers beyond 2^53 ({max(-self._low, self._high)}) in others; write it as text in all."
                )
            return kind
        if not others:
            return "text"
        if others == {"truth"} and text is None:
            return "truth or missing" if self.missing else "truth"
        if others == {"date"} and text is None:
            return self._date(wanted)
        if text == "text" and others <= {"whole", "number", "single"}:
            if self._is_key:
                return "text"
            raise DataError(
                f"column {self.name!r} holds texts in some rows and numbers in others ({self._shown('other')}); "
                "give it one type in all files."
            )
        shown = ", ".join(sorted(others | ({text} if text else set())))
        raise DataError(
            f"column {self.name!r} holds values of several kinds ({shown}); give all its rows the same kind."
        )

    def notes(self, kind: str, rows: int, wanted: Wanted) -> list[str]:
        """What a person should know of how the values were taken."""
        said = []
        if kind == "text" and self.name not in wanted.texts:
            said += self._text_notes(rows, surprising=self.name in wanted.numbers)
        if "seconds" in self._forms:
            said.append("durations or times of day, in seconds")
        if kind.startswith(IN_ZONE):
            offsets = sorted(str(zone) for zone in self._zones)
            if "%Z" in (self._layout or "") and self.name not in wanted.zones:
                said.append(f"times with names of zones, read as {kind.removeprefix(IN_ZONE)}")
            elif len(offsets) > 1 and self.name not in wanted.zones:
                why = "as ingestion.zone says" if self._ingestion.zone else "as no ingestion.zone is declared"
                said.append(
                    f"times with several offsets ({', '.join(offsets[:4])}), read as {kind.removeprefix(IN_ZONE)} {why}"
                )
        return said

    def _form(self, kind: Any) -> str:
        import pyarrow as pa

        types = pa.types
        if types.is_integer(kind) or (types.is_decimal(kind) and kind.scale == 0):
            return "whole"
        if types.is_float32(kind):
            return "single"
        if types.is_floating(kind) or types.is_decimal(kind):
            return "number"
        if types.is_boolean(kind):
            return "truth"
        if types.is_timestamp(kind) or types.is_date(kind):
            return "date"
        if types.is_duration(kind) or types.is_time(kind):
            return "seconds"
        raise DataError(
            f"column {self.name!r} holds values of the type {kind}, of which there is no feature; make them numbers, "
            "texts, dates or truth values, or take the column out of the data."
        )

    def _reach(self, values: Any) -> None:
        import pyarrow.compute as pc

        ends = pc.min_max(values).as_py()
        self._low, self._high = min(self._low, int(ends["min"])), max(self._high, int(ends["max"]))

    def _refuse_lost_digits(self, values: Any) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        bits = 24 if pa.types.is_float32(values.type) else 53
        largest = pc.max(pc.abs(values)).as_py()
        if largest is not None and largest > 2**bits:
            raise DataError(
                f"column {self.name!r} tells rows or groups apart, but holds floats beyond 2^{bits} ({largest:.0f}), "
                "which have lost their last digits; write it as text or as whole numbers."
            )

    def _add_texts(self, column: Any, start: int) -> None:
        import pyarrow.compute as pc

        texts = clean_texts(column, self._ingestion.missing)
        present = len(texts) - texts.null_count
        if self._layout is not None:
            distinct = pc.unique(texts).drop_null().to_pandas()
            offsets = offsets_of(distinct, self._layout)
            for zone, count in offsets.value_counts(dropna=False).items():
                self._zones[zone if isinstance(zone, str) else None] += int(count)
            if self._keeps_declared_zone and len(distinct):
                self._keeps_declared_zone = are_of_zone(distinct, offsets, self._layout, str(self._ingestion.zone))
        else:
            plain = plain_numbers(texts, self._writing)
            if self._codes and not self._is_key:
                texts, plain = self._without_numbers(texts, plain)
                present = len(texts) - texts.null_count
            self._classify(texts, plain, start)
        self.missing += len(texts) - present
        if present:
            self._forms["text"] += present

    def _without_numbers(self, texts: Any, plain: Any) -> tuple[Any, Any]:
        """Drop -999.0 where -999 means no value."""
        import pyarrow as pa
        import pyarrow.compute as pc

        numeric = pc.fill_null(fits(plain, f"{WHOLE}|{DECIMAL}"), fill_value=False)
        values = pc.cast(pc.if_else(numeric, plain, None), pa.float64())
        coded = pc.fill_null(pc.is_in(values, pa.array(self._codes, pa.float64())), fill_value=False)
        return pc.if_else(coded, None, texts), pc.if_else(coded, None, plain)

    def _classify(self, texts: Any, plain: Any, start: int) -> None:
        """Count texts by what they look like, most first: few columns need more than one look."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._is_key:
            self._canonical += pc.sum(fits(texts, CANONICAL), min_count=0).as_py() or 0
        if pc.any(pc.starts_with(plain, "-")).as_py():
            self._low = min(self._low, -1)
        whole = pc.fill_null(fits(plain, WHOLE), fill_value=True)
        places = pc.indices_nonzero(pc.invert(whole))
        self._texts["whole"] += len(texts) - texts.null_count - len(places)
        if not len(places):
            return
        rest = pa.table({"place": places, "plain": pc.take(plain, places), "text": pc.take(texts, places)})
        for name, pattern in _CLASSES.items():
            found = fits(rest["plain"], pattern)
            matched = rest.filter(found)
            if not len(matched):
                continue
            self._count(name, matched, start)
            if name == "long":
                longs = [int(text) for text in pc.unique(matched["plain"]).to_pylist()]
                self._low, self._high = min(self._low, *longs), max(self._high, *longs)
            rest = rest.filter(pc.invert(found))
            if not len(rest):
                return
        self._count("other", rest, start)
        self._for_people += pc.sum(fits(rest["text"], FOR_PEOPLE)).as_py()
        self._date_like += pc.sum(fits(rest["text"], _DATE_LIKE)).as_py()

    def _count(self, name: str, found: Any, start: int) -> None:
        """Count texts of one class, and keep the first of them."""
        self._texts[name] += len(found)
        known = self._examples.setdefault(name, {})
        if len(known) < _EXAMPLES:
            for text in found["text"].unique()[: 2 * _EXAMPLES].to_pylist():
                if len(known) < _EXAMPLES and text not in known:
                    known[text] = start + found["place"][found["text"].index(text).as_py()].as_py()

    def _text_kind(self) -> str:
        """What texts are, by their looks alone: "text" or "number"."""
        seen = self._texts
        if self._is_key:
            return "number" if self._canonical == self._forms["text"] and self._fits_64_bits() else "text"
        if seen["other"] or seen["code"]:
            return "text"
        # With a number beyond doubt beside them, exponents are numbers, and long ones need not be keys.
        if (seen["exponent"] or not self._fits_64_bits()) and not seen["decimal"]:
            return "text"
        return "number"

    def _fits_64_bits(self) -> bool:
        return self._low >= -_INT64 - 1 and self._high <= (_INT64 if self._low < 0 else _UINT64)

    def _number(self) -> str:
        whole = not (
            self._forms["number"]
            or self._forms["single"]
            or self._forms["seconds"]
            or self._texts["decimal"]
            or self._texts["infinite"]
            or self._texts["exponent"]
        )
        if not whole:
            return SINGLE if set(self._forms) == {"single"} else "number"
        if not self._fits_64_bits():
            return "number"
        unsigned = self._high > _INT64
        if not self.missing:
            return "unsigned" if unsigned else "whole"
        if max(-self._low, self._high) <= EXACT:
            return "number"
        return UNSIGNED_OR_MISSING if unsigned else WHOLE_OR_MISSING

    def _date(self, wanted: Wanted) -> str:
        zones = set(self._zones)
        if self.name in wanted.zones:
            zone = wanted.zones[self.name]
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

    def _text_notes(self, rows: int, *, surprising: bool) -> list[str]:
        seen, present = self._texts, sum(self._texts.values())
        if self._is_key or not present:
            return []
        beyond = not self._fits_64_bits()
        numbers = seen["whole"] + seen["decimal"] + seen["infinite"]
        numbers += 0 if beyond else seen["long"]
        if not surprising and seen["code"] >= _MANY * present and seen["code"] + seen["whole"] == present:
            return [f"codes: whole numbers with leading zeros, such as {self._shown('code')}"]
        if seen["exponent"] == present:
            return [f"codes: digits, E and digits, such as {self._shown('exponent')}"]
        if beyond and seen["long"] + seen["whole"] == present:
            return [f"keys: whole numbers of 20 digits or more, such as {self._shown('long')}"]
        odd = present - numbers
        if odd and (surprising or numbers + self._for_people >= _MOST * present):
            kind = next(name for name in ("other", "code", "exponent", "long") if seen[name])
            written = self._for_people >= _MOST * seen["other"] and seen["other"]
            remedy = (
                "declare how they are written (ingestion.decimal, thousands, units, accounting)"
                if written
                else "correct them, list what means no value under ingestion.missing, or declare it categorical"
            )
            others = ", numbers in the others" if numbers else ""
            return [f"text in {odd:,} of {rows:,} rows{others}: {self._shown(kind)}; {remedy}"]
        if self._date_like >= _MOST * present:
            return [f"texts that look like dates: {self._shown('other')}; declare their format in ingestion.dates"]
        return []

    def _shown(self, name: str) -> str:
        return ", ".join(f"{text!r} (row {row:,})" for text, row in self._examples.get(name, {}).items())


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of texts."""
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def without_codes(column: Any, ingestion: Ingestion, layout: str | None) -> Any:
    """Make values that mean "no value" null, whatever their type: NaN, and what `ingestion.missing` says.

    Args:
        column: Arrow values that are no texts.
        ingestion: has the texts that mean "no value".
        layout: of a column of dates.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    own = kind
    if pa.types.is_float16(kind):
        column, kind = column.cast(pa.float32()), pa.float32()
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    numbers: list[Any] = missing_numbers(ingestion.missing, Writing(ingestion))
    if pa.types.is_integer(kind):
        # Exactly: beyond 2^53 a float would hit the neighbours, too.
        low, high = (-(2**63), 2**63 - 1) if pa.types.is_signed_integer(kind) else (0, 2**64 - 1)
        whole = [int(number) for number in numbers if number == int(number) and low <= number <= high]
        wider = pa.int64() if pa.types.is_signed_integer(kind) else pa.uint64()
        compared, wanted = column.cast(wider), pa.array(whole, wider)
    elif pa.types.is_floating(kind):
        # As the column writes them: -99.9 is another number in 32 bits.
        narrow = {pa.float16(): np.float16, pa.float32(): np.float32}.get(own, np.float64)
        compared, wanted = column.cast(pa.float64()), pa.array(np.array(numbers, narrow).astype(float))
    elif pa.types.is_decimal(kind):
        compared, wanted = column.cast(pa.float64(), safe=False), pa.array(numbers, pa.float64())
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        dates = date_codes(ingestion.missing, layout)
        compared, wanted = column, pa.array(dates, pa.timestamp("us"))
        if dates:
            compared = column.cast(pa.timestamp("us"), safe=False)
    else:
        return column
    return pc.if_else(pc.is_in(compared, wanted), pa.scalar(None, kind), column) if len(wanted) else column


def date_codes(missing: Iterable[str], layout: str | None) -> list[pd.Timestamp]:
    """The texts that mean "no value" that are dates, in the declared format or in ISO 8601."""
    found = []
    for text in missing:
        for form in dict.fromkeys([layout or ISO, ISO]):
            date = pd.to_datetime(text, format=form, errors="coerce") if re.search(r"\d\d", text) else pd.NaT
            if not pd.isna(date):
                found.append(pd.Timestamp(date).tz_localize(None))
                break
    return found
