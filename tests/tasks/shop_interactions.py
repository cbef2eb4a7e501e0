"""A small shop: customers who repeat their own items, and groups that share a taste."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lepton_pipeline.parameters import Dataset, Split
from lepton_pipeline.parameters.recommendation import Recommendation

DATASET = Dataset(
    target="bought",
    positive=True,
    time="cut",
    group="who",
    weight="weight",
    exclude=["what"],
    label_delay="30d",
)
SPLIT = Split(strategy="time")


def declared(**changes):
    """A declaration of the small shop."""
    roles = {"customer": "who", "item": "what", "time": "when", "quantity": "units", "price": "price"}
    small = {"candidates": 10, "top": 5, "min_customers": 2, "cuts": 9, "half_life": "60d", "l2": 5.0}
    return Recommendation(**{**roles, **small, **changes})


def visits(rows):
    """Interactions of tuples (who, what, date)."""
    table = pd.DataFrame(rows, columns=["who", "what", "when"])
    return table.assign(when=pd.to_datetime(table["when"]), units=1, price=2.0)


def shop(customers=40, items=24, days=330, seed=1):
    """Interactions of some customers who visit about every ten days and prefer a third of the items."""
    draw = np.random.default_rng(seed)
    rows = []
    for who in range(customers):
        liked = np.arange(who % 3, items, 3)
        for day in np.flatnonzero(draw.random(days) < 0.1):
            some = draw.choice(liked, size=3, replace=False)
            rows += [
                (who, f"i{item:02}", pd.Timestamp("2020-01-01") + pd.Timedelta(int(day), "D"))
                for item in some
            ]
    return visits(rows)
