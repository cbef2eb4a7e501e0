"""Summaries of a run's columns, short where they are many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lepton_pipeline.features.column_record import (
    BY_CODE,
    CATEGORY,
    DATE,
    NUMBER,
    OTHERS,
    TEXT,
    UNUSED,
    Column,
)
from lepton_pipeline.reporting.report.reading import note_facts, shorten

_SHOWN, _SHOWN_READERS, _SHOWN_UNUSED = 4, 3, 10
_MOST_THROUGH = 9
_MOST_UNUSED = 50
_MADE = {
    "numeric": "declared",
    "category": "declared",
    "text": "declared",
    "derived": "derived",
    "window": "windows",
}
_PLURAL = {
    NUMBER: ("number", "numbers"),
    CATEGORY: ("category", "categories"),
    TEXT: ("text", "texts"),
    DATE: ("date through others", "dates through others"),
    OTHERS: ("only through others", "only through others"),
    UNUSED: ("not used", "not used"),
}


def count_columns(columns: Sequence[Column]) -> str:
    """The number of columns, and their uses."""
    own = [column for column in columns if not column.table]
    return f"{len(own):,}: {count_uses(columns)}"


def count_uses(columns: Sequence[Column]) -> str:
    """The number of columns by use."""
    counts = Counter(column.used_as for column in columns)
    used = [f"{counts[each]:,} {words[counts[each] != 1]}" for each, words in _PLURAL.items() if counts[each]]
    behind = [f"{counts[BY_CODE]:,} of raw tables not taken over"] if counts[BY_CODE] else []
    return "; ".join([", ".join(used), *behind])


def summarise_columns(columns: Sequence[Column]) -> str:
    """Counts and unused columns in one line."""
    unused = [f"{shorten(names, _SHOWN_UNUSED)} ({why})" for why, names in unused_by_reason(columns)]
    return count_columns(columns) + (f"; not used: {'; '.join(unused)}" if unused else "")


def column_facts(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """The columns as pairs of label and text: used ones in groups, unused ones by reason, all notes."""
    own = [column for column in columns if not column.table]
    facts = [("columns", count_columns(columns))]
    for used_as in (NUMBER, CATEGORY, TEXT):
        used = [column for column in own if column.used_as == used_as]
        for made in dict.fromkeys(_MADE.get(column.role, "") for column in used):
            group = [column for column in used if _MADE.get(column.role, "") == made]
            facts.append((_PLURAL[used_as][1], _group(group, made)))
    facts += _through([column for column in own if column.used_as in (DATE, OTHERS)])
    unused = unused_by_reason(columns)
    facts += [("not used", f"{shorten(names, _MOST_UNUSED)}: {why}") for why, names in unused]
    return facts + columns_notes(columns)


def columns_notes(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Every note on a column, with its label."""
    return [
        fact
        for table in dict.fromkeys(column.table for column in columns)
        for fact in note_facts({each.name: each.notes for each in columns if each.table == table}, table)
    ]


def unused_by_reason(columns: Sequence[Column]) -> list[tuple[str, list[str]]]:
    """Unused columns by reason."""
    return _grouped((column.why_not, column) for column in columns if column.used_as in (UNUSED, BY_CODE))


def describe_use(column: Column) -> str:
    """The use of a column, or why it is unused."""
    through = f"through {shorten(column.through, _SHOWN_READERS)}"
    if column.used_as == DATE:
        return f"date, {through}"
    if column.used_as == OTHERS:
        return f"only {through} (itself: {column.why_not})"
    if column.used_as in (NUMBER, CATEGORY, TEXT):
        made = _MADE.get(column.role, "").removesuffix("s")
        return f"{column.used_as} ({made})" if made else column.used_as
    return column.why_not if column.used_as == BY_CODE else f"not used: {column.why_not}"


def describe_share(share: float) -> str:
    """A share of missing rows; empty for 0."""
    return "" if not share else f"{share:.1%}" if share >= 0.001 else "< 0.1%"


def _through(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Columns read only through derived ones: by which, unless that takes many lines."""
    groups = _grouped((describe_use(column), column) for column in columns)
    if len(groups) <= _MOST_THROUGH:
        return [("through", f"{', '.join(names)}: {said}") for said, names in groups]
    groups = _grouped((f"{_PLURAL[column.used_as][1]} ({column.why_not})", column) for column in columns)
    return [("through", f"{len(names):,} {said}: {shorten(names, _SHOWN)}") for said, names in groups]


def _group(group: Sequence[Column], made: str) -> str:
    kinds = Counter(column.kind for column in group)
    counted = ", ".join(f"{count:,} {kind}" if len(kinds) > 1 else kind for kind, count in kinds.items())
    head = " ".join(filter(None, [f"{len(group):,}", made, f"({counted})"]))
    worst = max(group, key=lambda column: column.missing_share)
    missing = describe_share(worst.missing_share)
    if missing and len(group) > 1:
        missing = f"{'' if missing.startswith('<') else 'up to '}{missing} ({worst.name})"
    counts = sorted(column.distinct or 0 for column in group)
    distinct = f"{counts[0]:,}" if counts[0] == counts[-1] else f"{counts[0]:,} to {counts[-1]:,}"
    figures = [f"{distinct} distinct", *([f"missing {missing}"] if missing else [])]
    return f"{head}: {shorten([column.name for column in group], _SHOWN)}; {', '.join(figures)}"


def _grouped(pairs: Iterable[tuple[str, Column]]) -> list[tuple[str, list[str]]]:
    groups: dict[str, list[str]] = {}
    for said, column in pairs:
        groups.setdefault(said, []).append(column.name)
    return list(groups.items())
