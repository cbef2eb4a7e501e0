"""What customers buy, as pairs of a customer and an item: candidates, cuts and what is offered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lepton_pipeline.parameters.base import DURATION, Declaration, code_text
from lepton_pipeline.parameters.features import Split
from lepton_pipeline.parameters.table import Dataset

_DAYS = re.compile(r"\d+(?:\.\d+)?(d|w)")
# Columns of the pairs that are no features.
LABEL, CUT, WEIGHT = "bought", "cut", "weight"
# Fraction of the rows that is always one cut, the least that a part by time has.
ONE_CUT = 0.01
# The largest catalogue that the model of the candidates can hold: a matrix of items by items, in float64.
MOST_ITEMS = 20_000


def _require_days(value: str) -> str:
    if not _DAYS.fullmatch(value) or float(DURATION.fullmatch(value)[1]) == 0:  # type: ignore[index]  # matched
        raise ValueError(f"{value!r} is no number of days; write 180d or 26w")
    return value


def _require_period(value: str) -> str:
    if value in ("month", "week"):
        return value
    if not _DAYS.fullmatch(value) or not float(value[:-1]).is_integer() or float(value[:-1]) == 0:
        raise ValueError(f"{value!r} is no period; write month, week, or whole days such as 30d")
    return value


Days = Annotated[str, AfterValidator(_require_days)]
# As codes of items are written, so that 22423 needs no quotes.
_Item = Annotated[str, BeforeValidator(code_text)]


class Recommendation(Declaration):
    """Which interactions of customers with items there are, and what is offered to whom.

    A table of interactions becomes pairs of a customer and an item at each cut; see docs/recommendation.md.
    """

    customer: str = Field(description="column of the interactions that names the customer")
    item: str = Field(description="column of the interactions that names the item")
    time: str = Field(description="column of the interactions with the date")
    quantity: str | None = Field(
        None, description="column of how many; nothing was bought where it is 0 or less"
    )
    price: str | None = Field(None, description="column of the price of one")
    purpose: Literal["repeat", "discovery"] = Field(
        "repeat", description="repeat: any item; discovery: only items that the customer never bought"
    )
    candidates: int = Field(
        150, ge=10, le=1000, description="items a customer that EASE proposes to the ranker"
    )
    half_life: Days = Field(
        "60d", description="time in which an interaction loses half of its weight in EASE"
    )
    l2: float = Field(300.0, gt=0, allow_inf_nan=False, description="penalty of EASE (its lambda)")
    min_customers: int = Field(
        5, ge=1, description="customers that must have bought an item before it is offered"
    )
    every: Annotated[str, AfterValidator(_require_period)] = Field(
        "month", description="distance of the cuts: month, week, or whole days such as 30d, counted from 1970"
    )
    cuts: int = Field(12, ge=3, description="the latest cuts that are used: test, validation and training")
    sample: int = Field(
        700,
        ge=1,
        description="customers of a training or validation cut, drawn at random; the test keeps all",
    )
    negatives: int = Field(
        15, ge=1, description="candidates of each of them that were not bought, drawn at random"
    )
    top: int = Field(10, ge=1, le=100, description="items offered to a customer")
    exclude: list[_Item] | str = Field(
        [],
        description="items that are never offered, such as those out of stock: a list, or a CSV file of them",
    )

    @model_validator(mode="after")
    def _offers_are_candidates(self) -> Recommendation:
        if self.top > self.candidates:
            raise ValueError(
                f"top: {self.top} exceeds candidates: {self.candidates}; declare more candidates"
            )
        names = [self.customer, self.item, self.time, self.quantity, self.price]
        given = [name for name in names if name is not None]
        if twice := [name for name in given if given.count(name) > 1]:
            raise ValueError(f"column {twice[0]!r} is declared twice; each role needs a column of its own")
        return self

    def problems(self, dataset: Dataset, split: Split, *, tables: bool, query: bool) -> Iterator[str]:
        """What does not fit the rest of a vertical's declaration, which may have raw `tables` and a `query`."""
        yield from self._problems_of_roles(dataset)
        if not tables:
            yield "recommendation: declare the raw table of the interactions under tables"
        if query:
            yield "recommendation: interactions are not made by a query; leave out table.sql, or write a module"
        if split.strategy != "time":
            yield f"split.strategy: {split.strategy!r} does not fit recommendation; declare time, the cuts"
        for part in ("test", "validation"):
            if split.share(part) > ONE_CUT:
                yield (
                    f"split.{part}: {split.share(part):g} may take several cuts; declare {ONE_CUT}, which is always "
                    "one whole cut"
                )
        if not isinstance(dataset.label_delay, str) or not _DAYS.fullmatch(dataset.label_delay):
            yield (
                f"dataset.label_delay: {dataset.label_delay!r} must be whole days after a cut in which a purchase "
                "counts; declare one such as 90d"
            )
        if not isinstance(split.gap, str) and split.gap != 0:
            yield f"split.gap: {split.gap!r} must be a duration such as 7d beside recommendation"

    def _problems_of_roles(self, dataset: Dataset) -> Iterator[str]:
        # What the pairs are called is not a choice: reports and serving find them by these names.
        wanted: dict[str, str | bool | None] = {
            "target": LABEL,
            "time": CUT,
            "group": self.customer,
            "weight": WEIGHT,
        }
        wanted |= {"id": None, "positive": True}
        for role, name in wanted.items():
            if (found := getattr(dataset, role)) != name:
                remedy = (
                    "leave it out"
                    if name is None
                    else f"declare {str(name).lower() if name is True else name}"
                )
                yield f"dataset.{role}: {found!r} does not fit the pairs of recommendation; {remedy}"
        if self.item not in dataset.exclude:
            yield f"dataset.exclude: name {self.item!r} there; the item of a pair is no feature"
