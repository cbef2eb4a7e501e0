"""What of raw text is replaced before anything else sees it."""

from __future__ import annotations

import re
from typing import Literal, get_args

from pydantic import Field, field_validator, model_validator

from lepton_pipeline.parameters.base import Declaration

Kind = Literal["email", "iban", "card", "phone", "account"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,29}")
_MOST_PATTERNS, _MOST_CHARACTERS = 12, 500
# One character each, so that what stays beside a mark shows a match without characters.
_PROBES = ("", "b", "1", "-", " ", "é")


class Mask(Declaration):
    """Personal data in columns of text, which tokens such as [EMAIL] replace; see `data.mask`."""

    columns: list[str] | dict[str, list[str]] = Field(
        description="columns of text; by raw table (table: [columns]) where there are several"
    )
    kinds: list[Kind] = Field(
        list(KINDS), description="what is looked for, among email, iban, card, phone, account"
    )
    patterns: dict[str, str] = Field(
        {},
        max_length=_MOST_PATTERNS,
        description="further patterns (RE2 syntax) by the name of their token, such as NAME",
    )

    @field_validator("patterns")
    @classmethod
    def _are_usable(cls, patterns: dict[str, str]) -> dict[str, str]:
        for name, pattern in patterns.items():
            if not _NAME.fullmatch(name) or name.lower() in KINDS:
                raise ValueError(f"{name!r} cannot name a token; take another one, of A to Z, digits and _")
            _check_pattern(name, pattern)
        return patterns

    @model_validator(mode="after")
    def _finds_something(self) -> Mask:
        if not self.names():
            raise ValueError("columns: none is named; list one or more, or leave mask out")
        if not self.kinds and not self.patterns:
            raise ValueError("kinds: nothing is looked for; list some, declare patterns, or leave mask out")
        return self

    def names(self) -> list[str]:
        """The columns, of whatever raw table."""
        of_tables = [self.columns] if isinstance(self.columns, list) else self.columns.values()
        return list(dict.fromkeys(name for names in of_tables for name in names))

    def of_table(self, table: str) -> Mask | None:
        """The mask of one of several raw tables; None where none of its columns is named."""
        own = self.columns.get(table) if isinstance(self.columns, dict) else None
        return self.model_copy(update={"columns": own}) if own else None

    def joined(self, other: Mask | None) -> Mask:
        """Mask what either of two masks does; of two patterns of one name, its own counts."""
        if other is None or other == self:
            return self
        names = list(dict.fromkeys([*self.names(), *other.names()]))
        kinds = [kind for kind in KINDS if kind in (*self.kinds, *other.kinds)]
        patterns = {**other.patterns, **self.patterns}
        return self.model_copy(update={"columns": names, "kinds": kinds, "patterns": patterns})


def _check_pattern(name: str, pattern: str) -> None:
    """Refuse what RE2 cannot compile, as only RE2 is linear for every pattern, and matches without characters."""
    # Few verticals declare patterns; the others must not import pyarrow here.
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(pattern) > _MOST_CHARACTERS:
        raise ValueError(
            f"{name}: the pattern has {len(pattern):,} characters; at most {_MOST_CHARACTERS} are allowed"
        )
    try:
        marked = pc.replace_substring_regex(pa.array(_PROBES), pattern, "\0").to_pylist()
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{name}: {pattern!r} cannot be used: {error}; write a pattern of RE2, which has no backreferences and "
            "no look-around"
        ) from error
    # Where the pattern takes the character, only the mark is left.
    if any(
        text != probe and (text != "\0" or not probe) for text, probe in zip(marked, _PROBES, strict=True)
    ):
        raise ValueError(
            f"{name}: {pattern!r} matches the empty text; write a pattern that needs a character"
        )
