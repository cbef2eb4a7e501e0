"""Building blocks of declarations."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|min|h|d|w)")


def _require_duration(value: str | int) -> str | int:
    if value < 0 if isinstance(value, int) else not DURATION.fullmatch(value):
        raise ValueError(
            f"{value!r} is no duration; write 90d, 12h, 10min, 30s, 2w or, beside numbers, a number"
        )
    return value


# A number is in units of a numeric time column.
Duration = Annotated[str | int, AfterValidator(_require_duration)]


def code_text(value: Any) -> str:
    """Text of a code, a class say: whole numbers without decimals, but with all digits.

    >>> code_text(1.0), code_text(1234567.0), code_text(0.1 + 0.2), code_text("a")
    ('1', '1234567', '0.3', 'a')
    """
    if not isinstance(value, float):
        return str(value)
    # Of six digits, as of :g, codes of seven would become one; the 16th is rounding.
    return str(int(value)) if value.is_integer() else f"{value:.15g}"


class Declaration(BaseModel):
    """Base of every part of a declaration."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
