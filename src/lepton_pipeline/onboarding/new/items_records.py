"""Find interactions in a table: who, what and when, and that customers and items come again."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.onboarding.new.items_amounts import Amounts, choose_amounts
from lepton_pipeline.onboarding.new.plan import Wanted
from lepton_pipeline.onboarding.new.records import (
    choose_date,
    recurring_columns,
    refuse_made,
    refuse_options,
    refuse_twice,
    require_naming,
)
from lepton_pipeline.onboarding.profile import Profile
from lepton_pipeline.parameters.recommendation import CUT, LABEL, WEIGHT, Recommendation
from lepton_pipeline.recommendation.interactions import CUSTOMER, DAY, ITEM, read_interactions

_SHOWN = 6


@dataclass(frozen=True)
class Interactions:
    """Interactions of customers with items.

    Attributes:
        roles: their columns, all else at its default.
        why_time: reason for the column of dates.
        days: one row per customer, item and day, see `read_interactions`.
    """

    profile: Profile
    roles: Recommendation
    why_time: str
    amounts: Amounts
    days: pd.DataFrame

    @property
    def keys(self) -> list[str]:
        """Columns without which a record counts for nothing."""
        roles = self.roles
        return [roles.customer, roles.item, roles.time, *([roles.quantity] if roles.quantity else [])]

    @property
    def lost(self) -> float:
        """Share of the records without one of these."""
        return float(self.profile.table[self.keys].isna().any(axis=1).mean())

    @property
    def customers(self) -> int:
        """Number of customers."""
        return int(self.days[CUSTOMER].nunique())

    @property
    def items(self) -> int:
        """Number of items."""
        return int(self.days[ITEM].nunique())

    @property
    def span(self) -> int:
        """Days from the first to the last."""
        return int(self.days[DAY].max() - self.days[DAY].min())

    @property
    def repeats(self) -> float:
        """Share of the interactions of which the customer had the item before."""
        return float(self.days.duplicated([CUSTOMER, ITEM]).mean())

    @property
    def returning(self) -> float:
        """Share of the customers who come on a second day."""
        visits = self.days.drop_duplicates([CUSTOMER, DAY])[CUSTOMER].value_counts()
        return float((visits > 1).mean())


def find_interactions(profile: Profile, wanted: Wanted) -> Interactions:
    """Find columns, as wanted, and the interactions that have them all.

    Raises:
        ConfigurationError: a column is not given, does not exist or has two roles, or the time cannot be inferred.
        DataError: a column holds none of what its role needs, or no customer or item comes again.
    """
    others = {
        "--target": wanted.target,
        "--positive": wanted.positive,
        "--task": wanted.task,
        "--group": wanted.group,
        "--series": wanted.series,
        "--horizon": wanted.horizon,
        "--frequency": wanted.frequency,
    }
    refuse_options(others, "what is offered to customers")
    table = profile.table
    customer = _named(table, "--customer", wanted.customer, "who comes again", (wanted.item, wanted.time))
    item = _named(table, "--item", wanted.item, "what is offered", (customer, wanted.time))
    refuse_twice([customer, item])
    time, why_time = choose_date(table, wanted.time, {customer, item})
    refuse_twice([customer, item, time])
    refuse_made((customer, item), (CUT, LABEL, WEIGHT))
    amounts = choose_amounts(profile, customer, item, time)
    roles = Recommendation(
        customer=customer, item=item, time=time, quantity=amounts.quantity, price=amounts.price
    )
    found = Interactions(profile, roles, why_time, amounts, read_interactions(table, roles))
    _require_return(found)
    return found


def _named(
    table: pd.DataFrame, option: str, name: str | None, what: str, taken: tuple[str | None, ...]
) -> str:
    if name is None:
        shown = ", ".join(recurring_columns(table, taken)[:_SHOWN]) or "none"
        raise ConfigurationError(
            f"{option}: say which column names {what}, beside {'--item' if option == '--customer' else '--customer'}; "
            f"columns whose values come again: {shown}."
        )
    require_naming(table, name, option)
    return name


def _require_return(found: Interactions) -> None:
    """Refuse interactions of which nothing can be learnt: nobody comes again, or nothing is bought by two."""
    roles = found.roles
    if not found.returning:
        raise DataError(
            f"--customer: no value of {roles.customer!r} comes on a second day, as if it named orders; give a column "
            "that names who comes again."
        )
    if not found.days.drop_duplicates([CUSTOMER, ITEM]).duplicated(ITEM).any():
        raise DataError(
            f"--item: no value of {roles.item!r} was bought by two customers, as if it named single pieces; give a "
            "column that names what several buy."
        )
