"""Missing codes of every type: -999 among numbers, 1900-01-01 among dates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lepton_pipeline.data.expressions.dates import ISO
from lepton_pipeline.data.numbers import Writing, missing_numbers
from lepton_pipeline.parameters import Ingestion


def without_codes(column: Any, ingestion: Ingestion, layout: str | None) -> Any:
    """Arrow values, not texts, with NaN and missing codes as nulls; `layout` is the format of dates."""
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
    """The missing codes that are dates, in the declared format or in ISO 8601."""
    found = []
    for text in missing:
        for form in dict.fromkeys([layout or ISO, ISO]):
            date = pd.to_datetime(text, format=form, errors="coerce") if re.search(r"\d\d", text) else pd.NaT
            if not pd.isna(date):
                found.append(pd.Timestamp(date).tz_localize(None))
                break
    return found
