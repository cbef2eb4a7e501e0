"""A plan of what is offered as a declaration, its comments, and a list for the terminal."""

from __future__ import annotations

import numpy as np

from lepton_pipeline.onboarding.new.comments import Decision, by_reason
from lepton_pipeline.onboarding.new.declaration import stated
from lepton_pipeline.onboarding.new.items_plan import ItemsPlan
from lepton_pipeline.onboarding.new.records_text import (
    RECORDS,
    declare_records,
    expect_in_range,
    expect_present,
    head_text,
    reading_decisions,
    sentence,
    set_apart,
)
from lepton_pipeline.onboarding.new.render import render
from lepton_pipeline.parameters.recommendation import CUT
from lepton_pipeline.recommendation.interactions import DAY, day_dates

# What of `recommendation` is decided here, and stands in the file.
_DECIDED = ("purpose", "every", "cuts", "min_customers")


def declare_items(plan: ItemsPlan) -> dict[str, object]:
    """The content below the vertical's name in parameters.yml."""
    found, recommendation = plan.interactions, plan.recommendation
    profile = found.profile
    amounts = [name for name in (recommendation.quantity, recommendation.price) if name is not None]
    expectations = [
        *map(expect_present, found.keys),
        *(expect_in_range(profile.table[name]) for name in amounts),
    ]
    unique = {
        "expect": "compound_columns_to_be_unique",
        "column_list": [CUT, recommendation.customer, recommendation.item],
        "on_failure": "stop",
    }
    said = recommendation.model_dump(exclude_defaults=True)
    declared = {
        "about": {"question": _question(plan)},
        "dataset": plan.dataset.model_dump(exclude_defaults=True),
        "ingestion": profile.ingestion.model_dump(exclude_defaults=True),
        "tables": {RECORDS: declare_records(recommendation.time, found.lost, expectations)},
        "recommendation": {
            key: value
            for key in type(recommendation).model_fields
            if key in said or key == "purpose"
            for value in [getattr(recommendation, key)]
        },
        "contract": {"expectations": [unique]},
        "split": plan.split.model_dump(exclude_defaults=True),
        "monitoring": {"window": plan.dataset.label_delay},
    }
    return stated(declared)


def items_text(name: str, plan: ItemsPlan, origin: str) -> str:
    """The parameters file, with comments."""
    head = head_text(name, origin, plan.interactions.profile)
    return render(name, declare_items(plan), items_comments(plan), head)


def items_outcome(plan: ItemsPlan) -> str:
    """Numbers of customers and items, for the head of a printed draft."""
    return f"{plan.interactions.customers:,} customers of {plan.interactions.items:,} items"


def items_comments(plan: ItemsPlan) -> dict[str, list[str]]:
    """Sentences for the file, by the path of the key they stand above."""
    found, notes = plan.interactions, plan.notes
    recommendation = plan.recommendation
    said: dict[str, list[str]] = {
        "dataset": [f"{name}: {doubt}." for name, doubt in {**plan.asked, **_doubts(plan)}.items()],
        "dataset.label_delay": [
            f"What is bought in this time after a cut counts. {sentence(notes['label_delay'])}."
        ],
        f"tables.{RECORDS}.expectations": [
            "Observed range with room: narrow it to what is possible. A record without one of the keys counts for "
            "nothing."
        ],
        "recommendation.customer": [
            f"{', '.join(names)}: not used, {why}." for why, names in by_reason(found.amounts.unused)
        ],
        "recommendation.item": ["Is one no product, postage say? Then name it in exclude: [..]."],
        "split": ["One cut each: the latest is the test, the one that leaves it enough time the validation."],
    }
    said |= {f"recommendation.{key}": [f"{sentence(notes[key])}."] for key in _DECIDED if key in notes}
    if recommendation.quantity is not None and ";" in notes["quantity"]:
        said["recommendation.quantity"] = [f"{sentence(notes['quantity'])}."]
    other = "Only what is new to a customer? Draft another vertical with --purpose discovery."
    if recommendation.purpose == "repeat":
        said["recommendation.purpose"].append(other)
    if found.lost:
        said[f"tables.{RECORDS}.max_quarantined"] = [
            f"{found.lost:.1%} of the records lack one of {', '.join(found.keys)}."
        ]
    return said


def items_decisions(plan: ItemsPlan) -> list[Decision]:
    """What was decided, in the order of the declaration, then what the history holds."""
    found, recommendation, notes = plan.interactions, plan.recommendation, plan.notes
    decided = [
        Decision("customer", recommendation.customer, "as asked for"),
        Decision("item", recommendation.item, "as asked for"),
        Decision("time", recommendation.time, found.why_time),
        Decision("label_delay", str(plan.dataset.label_delay), notes["label_delay"]),
    ]
    decided += [
        Decision(key, str(getattr(recommendation, key)), notes[key])
        for key in ("quantity", "price", *_DECIDED)
        if key in notes
    ]
    decided += [Decision("not used", ", ".join(names), why) for why, names in by_reason(found.amounts.unused)]
    decided += reading_decisions(found.profile)
    decided += set_apart(found.lost, _listed(found.keys))
    decided += [Decision("look at", key, doubt) for key, doubt in {**plan.asked, **_doubts(plan)}.items()]
    return [*decided, *_history(plan)]


def _history(plan: ItemsPlan) -> list[Decision]:
    """What the interactions hold, and what follows the cuts."""
    found, cuts = plan.interactions, plan.cuts
    first, last, begin, end, *parts = (
        f"{date:%Y-%m-%d}"
        for date in day_dates(
            np.array(
                [
                    found.days[DAY].min(),
                    found.days[DAY].max(),
                    cuts.train[0],
                    cuts.train[-1],
                    cuts.validation,
                    cuts.test,
                ]
            )
        )
    )
    held = f"of a customer, an item and a day, from {first} to {last}"
    pairs = sum(plan.later[cut].pairs for cut in cuts.train)
    what = "new items" if plan.recommendation.purpose == "discovery" else "items"
    days = plan.cuts.horizon
    return [
        Decision("history", f"{len(found.days):,} interactions", held),
        Decision("repeats", f"{found.repeats:.1%}", "of them are of an item that the customer had before"),
        Decision("returning", f"{found.returning:.1%}", "of the customers come on a second day"),
        Decision(
            "training", f"{begin} to {end}", f"{len(cuts.train)} cuts, followed by {pairs:,} {what} bought"
        ),
        *(
            Decision(
                part,
                date,
                f"in the {days} days from it on, {plan.later[cut].customers:,} known customers buy "
                f"{plan.later[cut].pairs:,} {what}",
            )
            for part, date, cut in zip(
                ("validation", "test"), parts, (cuts.validation, cuts.test), strict=True
            )
        ),
    ]


def _doubts(plan: ItemsPlan) -> dict[str, str]:
    """What is doubtful about how the columns in use were read."""
    used = plan.recommendation
    names = (used.customer, used.item, used.time, used.quantity, used.price)
    return {name: doubt for name, doubt in plan.interactions.profile.doubts.items() if name in names}


def _question(plan: ItemsPlan) -> str:
    roles, days = plan.recommendation, plan.cuts.horizon
    new = " that is new to it" if roles.purpose == "discovery" else ""
    return f"Which {roles.item}{new} will a {roles.customer} who comes back buy in the next {days} days?"


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"
