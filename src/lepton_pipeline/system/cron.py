"""Validation of cron expressions."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FIELD = re.compile(r"[0-9A-Z*,/-]+")
_NAMES = {"MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN", "JAN", "FEB", "MAR", "APR", "MAY", "JUN"}
_NAMES |= {"JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
_EXPECTED = "write minute, hour, day, month and weekday, such as '0 3 * * 1' for Mondays at 03:00"


def require_cron(expression: str) -> str:
    """Return a cron expression of five fields; raises ValueError if it is invalid or never comes."""
    from cronsim import CronSim, CronSimError

    fields = expression.upper().split()
    if len(fields) != 5:
        raise ValueError(f"{expression!r} has {len(fields)} fields; {_EXPECTED}")
    for field in fields:
        words = re.findall(r"[A-Z]+", field)
        if not _FIELD.fullmatch(field) or any(word not in _NAMES for word in words):
            raise ValueError(f"{expression!r}: {field!r} is no field of cron; {_EXPECTED}")
    try:
        next(CronSim(expression, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"{expression!r}: {str(error).lower()}; {_EXPECTED}") from error
    except StopIteration as error:
        raise ValueError(f"{expression!r} never comes; {_EXPECTED}") from error
    return expression
