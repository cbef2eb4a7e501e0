"""Decide what is offered to customers of a table of interactions, and try the cuts on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.onboarding.names import Reasons
from lepton_pipeline.onboarding.new.items_records import Interactions, find_interactions
from lepton_pipeline.onboarding.new.plan import Wanted
from lepton_pipeline.onboarding.profile import Profile
from lepton_pipeline.parameters import Dataset, Split
from lepton_pipeline.parameters.recommendation import CUT, LABEL, MOST_ITEMS, ONE_CUT, WEIGHT, Recommendation
from lepton_pipeline.recommendation.cuts import Cuts, find_cuts
from lepton_pipeline.recommendation.history import History, later_pairs
from lepton_pipeline.recommendation.interactions import CUSTOMER, DAY, ITEM, day_dates

# Test, validation and training cuts need the time of a label each, and as much again is history.
_PARTS, _LONGEST, _WEEK, _YEAR = 6, 90, 7, 365
_CUTS = 13
# Share of repeats from which customers want the same again, and where that is a close call.
_REPEATS, _CLOSE = 0.1, (0.05, 0.2)
# Share of the customers who return, and of the interactions of one customer, that are asked about.
_FEW_RETURN, _MUCH_OF_ONE = 0.1, 0.05
_SHORT = 28
# Customers of an item from which it is known, and the share of interactions that known items hold then.
_KNOWN_BY, _HELD = (5, 3, 2), 0.5
_FEWEST_PAIRS = 10


@dataclass(frozen=True)
class Later:
    """What known customers did with known items in the time of the label from a cut on.

    Attributes:
        customers: number of them.
        pairs: of a customer and an item; for discovery, of items that were new to it.
    """

    customers: int
    pairs: int


@dataclass(frozen=True)
class ItemsPlan:
    """What was decided about interactions, with the reasons.

    Attributes:
        recommendation: what is declared of them.
        dataset: the roles of the pairs.
        later: by cut, in days since 1970.
        notes: reasons, by key of `recommendation` or `dataset`.
        asked: what to review.
    """

    interactions: Interactions
    recommendation: Recommendation
    dataset: Dataset
    split: Split
    cuts: Cuts
    later: dict[int, Later]
    notes: Reasons
    asked: Reasons


def plan_items(profile: Profile, wanted: Wanted) -> ItemsPlan:
    """Decide what is offered, as wanted.

    Raises:
        ConfigurationError: see `find_interactions`.
        DataError: the same, or the history is too short or too thin for the cuts.
    """
    found = find_interactions(profile, wanted)
    days, roles = found.days, found.roles
    purpose, why_purpose = _purpose(found, wanted.purpose)
    delay, every, why_delay = choose_delay(days[DAY])
    dataset = Dataset(
        target=LABEL,
        positive=True,
        time=CUT,
        label_delay=f"{delay}d",
        group=roles.customer,
        weight=WEIGHT,
        exclude=[roles.item],
    )
    split = Split(strategy="time", test=ONE_CUT, validation=ONE_CUT)
    declared = roles.model_copy(update={"purpose": purpose, "every": every, "cuts": _CUTS})
    cuts = find_cuts(days[DAY], declared, dataset, split)
    least, why_least = _min_customers(days, cuts.train[0])
    declared = declared.model_copy(update={"min_customers": least})
    notes = {
        **found.amounts.why,
        "purpose": why_purpose,
        "label_delay": why_delay,
        "every": "cuts lie on the first of each month" if every == "month" else "a third of label_delay",
        "cuts": f"the latest: {len(cuts.train)} for training, and one each for validation and test, "
        f"{delay} days or more apart, so that labels are known",
        **({"min_customers": why_least} if why_least else {}),
    }
    later = {cut: _later(days, cut, cuts, declared) for cut in cuts.all}
    return ItemsPlan(found, declared, dataset, split, cuts, later, notes, _asked(found, delay, wanted))


def _purpose(found: Interactions, wanted: str | None) -> tuple[Literal["repeat", "discovery"], str]:
    share = f"{found.repeats:.1%} of the interactions are of an item that the customer had before"
    if wanted is not None:
        return "repeat" if wanted == "repeat" else "discovery", f"as asked for; {share}"
    return "repeat" if found.repeats >= _REPEATS else "discovery", share


def choose_delay(days: pd.Series) -> tuple[int, str, str]:
    """Choose how long after a cut a purchase counts, so that a history of these days (since 1970) holds the cuts.

    Returns its days, the distance of the cuts (see `Recommendation.every`), and why.

    Raises:
        DataError: the history is too short.
    """
    span = int(days.max() - days.min())
    if span < _PARTS:
        first, last = day_dates(np.array([days.min(), days.max()]))
        raise DataError(
            f"--time: the interactions cover {first:%Y-%m-%d} to {last:%Y-%m-%d}, too short for training, validation "
            f"and test cuts with time after each; bring a history of {_PARTS} days at least, better of some months."
        )
    delay = span // _PARTS
    if delay >= _LONGEST:
        why = f"the history of {span:,} days is {_PARTS} times as long, which leaves time for all cuts"
        return _LONGEST, "month", why
    whole = delay if delay < _WEEK else delay // _WEEK * _WEEK
    weeks = ", in whole weeks" if delay >= _WEEK else ""
    why = f"a sixth of the history of {span:,} days{weeks}, which leaves time for all cuts"
    return whole, f"{max(1, whole // 3)}d", why


def _min_customers(days: pd.DataFrame, first: int) -> tuple[int, str]:
    """Customers that must have bought an item before it is known, and why; no reason for the default."""
    bought = days.drop_duplicates([CUSTOMER, ITEM]).groupby(ITEM, observed=True).size()
    most = np.sort(bought.to_numpy())[::-1]
    if len(most) > MOST_ITEMS and (least := int(most[MOST_ITEMS]) + 1) > _KNOWN_BY[0]:
        return (
            least,
            f"with a lower number, more than {MOST_ITEMS:,} of the {len(most):,} items would be known",
        )
    before = days[days[DAY] < first]
    buyers = before.drop_duplicates([CUSTOMER, ITEM]).groupby(ITEM, observed=True).size()
    each = before[ITEM].map(buyers)
    least = next((least for least in _KNOWN_BY if (each >= least).mean() >= _HELD), _KNOWN_BY[-1])
    if least == _KNOWN_BY[0]:
        return least, ""
    held = float((each >= _KNOWN_BY[0]).mean())
    return least, (
        f"before the first cut, items of {_KNOWN_BY[0]} customers hold {held:.0%} of the interactions only"
    )


def _later(days: pd.DataFrame, cut: int, cuts: Cuts, recommendation: Recommendation) -> Later:
    """Count what follows a cut; DataError where it is too little to learn from or to measure."""
    date = day_dates(np.array([cut]))[0]
    counted = Later(0, 0)
    buyers = days[days[DAY] < cut].drop_duplicates([CUSTOMER, ITEM]).groupby(ITEM, observed=True).size()
    if buyers.max() >= recommendation.min_customers:
        history = History.before(days, cut, cuts.horizon, recommendation)
        keys = later_pairs(days, history, cuts.horizon)
        if recommendation.purpose == "discovery":
            keys = keys[history.own_rows(keys) < 0]
        counted = Later(len(np.unique(keys // len(history.items))), len(keys))
    if counted.pairs < _FEWEST_PAIRS:
        last = day_dates(np.array([days[DAY].max()]))[0]
        raise DataError(
            f"in the {cuts.horizon} days from the cut of {date:%Y-%m-%d} on, customers known by then bought "
            f"{counted.pairs} {'new ' if recommendation.purpose == 'discovery' else ''}items that "
            f"{recommendation.min_customers} customers had bought before; {_FEWEST_PAIRS} at each cut are the fewest. "
            f"Bring more interactions, and check the dates: the last is {last:%Y-%m-%d}."
        )
    return counted


def _asked(found: Interactions, delay: int, wanted: Wanted) -> Reasons:
    """What to review."""
    asked, roles, days = dict(found.amounts.asked), found.roles, found.days
    if found.returning < _FEW_RETURN:
        asked[roles.customer] = (
            f"only {found.returning:.1%} of them come on a second day: does it name customers?"
        )
    each = days[CUSTOMER].value_counts(normalize=True)
    if each.iloc[0] >= _MUCH_OF_ONE and len(each) > 1 / _MUCH_OF_ONE:
        asked[f"{roles.customer} {each.index[0]}"] = (
            f"{each.iloc[0]:.1%} of the interactions: is it one customer, or a code of those who are not known?"
        )
    if wanted.purpose is None and _CLOSE[0] <= found.repeats < _CLOSE[1]:
        asked["purpose"] = f"a close call, as {_REPEATS:.0%} are the bound: give --purpose"
    if delay < _SHORT:
        asked["label_delay"] = "a short time to come back in; a longer history would leave more"
    if found.span < _YEAR + delay:
        asked["season"] = "no season is held twice, so what comes again each year cannot be learnt"
    copies = int(found.profile.table.duplicated().sum())
    if copies and roles.quantity is not None:
        asked[roles.quantity] = (
            f"records that repeat another one in every column: {copies:,}. They are added up; are they copies? Then "
            "take them out of the files"
        )
    return asked
