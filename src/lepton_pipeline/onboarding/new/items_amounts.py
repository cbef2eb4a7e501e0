"""Tell how many and at what price from the other columns of interactions, which recommendation does not read."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
from pandas.api.types import is_numeric_dtype

from lepton_pipeline.onboarding.names import COUNTED, EVENTS, PRICES, RATINGS, TOTALS, Reasons, name_words
from lepton_pipeline.onboarding.new.records import why_unused
from lepton_pipeline.onboarding.profile import Profile

# Share of the records that a quantity may lack: without one, nothing was bought.
_FEW_MISSING = 0.05
# Share of the things that may have several values of a column that describes them.
_FEW_SEVERAL = 0.05
_MOST_EVENTS = 20


@dataclass(frozen=True)
class Amounts:
    """Columns of how many and of the price of one, reasons by key, and why other columns are not used.

    `asked` is what to review, by column.
    """

    quantity: str | None = None
    price: str | None = None
    why: Reasons = field(default_factory=dict)
    unused: Reasons = field(default_factory=dict)
    asked: Reasons = field(default_factory=dict)


def choose_amounts(profile: Profile, customer: str, item: str, time: str) -> Amounts:
    """Decide by names and values which columns are the quantity and the price of an interaction."""
    table = profile.table
    others = [str(name) for name in table if name not in (customer, item, time)]
    numbers = {
        name: {*name_words(name)}
        for name in others
        if is_numeric_dtype(table[name])
        and table[name].dtype != bool
        and not why_unused(profile, table[name])
    }
    counted = [name for name, words in numbers.items() if words & COUNTED and not words & (PRICES | TOTALS)]
    counted = [
        name for name in counted if table[name].isna().mean() <= _FEW_MISSING and (table[name] > 0).any()
    ]
    priced = [name for name, words in numbers.items() if words & PRICES and not words & TOTALS]
    chosen = {key: names[0] for key, names in (("quantity", counted), ("price", priced)) if len(names) == 1}
    why = dict.fromkeys(chosen, "its name says so")
    asked: Reasons = {}
    for key, names in (("quantity", counted), ("price", priced)):
        if len(names) > 1:
            asked[", ".join(names)] = f"each may be the {key}: declare one of them as recommendation.{key}"
    if "quantity" in chosen:
        amounts = table[chosen["quantity"]]
        none = float((amounts <= 0).mean())
        why["quantity"] += (
            f"; {none:.1%} of the records hold 0 or less, as returns do, and count for nothing" * (none > 0)
        )
    left = [name for name in others if name not in chosen.values()]
    unused = {name: _why_unused(profile, name, customer, item, name in numbers) for name in left}
    asked |= {name: doubt for name in left if (doubt := _doubt(table[name], unused[name]))}
    return Amounts(chosen.get("quantity"), chosen.get("price"), why, unused, asked)


def _why_unused(profile: Profile, name: str, customer: str, item: str, number: bool) -> str:
    table = profile.table
    if why := why_unused(profile, table[name]):
        return why
    for thing in (item, customer):
        if _describes(table, name, thing):
            return f"it describes each {thing}, and pairs are described by their history only"
    return (
        "a number that names neither how many nor the price of one"
        if number
        else "recommendation has no use for it"
    )


def _describes(table: pd.DataFrame, name: str, thing: str) -> bool:
    """Whether nearly everything has one value of a column."""
    values = table.groupby(thing, observed=True)[name].nunique()
    return bool((values > 1).mean() <= _FEW_SEVERAL)


def _doubt(column: pd.Series, unused: str) -> str:
    """What to review about a column that is not used; mostly nothing."""
    words = {*name_words(str(column.name))}
    if unused.startswith("it describes"):
        return ""
    if words & RATINGS and is_numeric_dtype(column):
        return "every interaction counts, whatever its rating: leave the records of low ones out of the files"
    if words & EVENTS and 2 <= column.nunique() <= _MOST_EVENTS:
        seen = ", ".join(map(str, column.value_counts().index[:3]))
        return f"records of {seen} count alike: if they are not, leave those out of the files that are no purchase"
    return ""
