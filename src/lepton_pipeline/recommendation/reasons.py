"""Why an item is offered: how often it was bought, or the customer's items that speak most for it."""

from __future__ import annotations

import numpy as np

from lepton_pipeline.parameters import code_text
from lepton_pipeline.recommendation.history import History

# Items named in a reason.
NAMED = 2


def give_reasons(history: History, ease: np.ndarray, customers: np.ndarray, items: np.ndarray) -> list[str]:
    """Say of each pair of places why it is offered.

    "bought 6 times, last 40 days ago" of what the customer bought; else "because of 85123A, 22423": its items with
    the largest contributions to the score of EASE, which is their sum.
    """
    recent = history.bought(weighted=True)
    names = [code_text(value) for value in history.items.names.tolist()]
    rows = history.own_rows(customers * len(history.items) + items)
    visits, last = history.own["visits"].to_numpy(), history.own["last"].to_numpy()
    buyers = history.of_items["item_customers"].to_numpy()
    reasons = []
    for customer, item, row in zip(customers, items, rows, strict=True):
        if row >= 0:
            reasons.append(repeat_reason(int(visits[row]), history.cut - int(last[row])))
            continue
        span = slice(recent.indptr[customer], recent.indptr[customer + 1])
        owned, amounts = recent.indices[span], recent.data[span]
        reasons.append(discovery_reason(names, owned, amounts * ease[owned, item], int(buyers[item])))
    return reasons


def repeat_reason(visits: int, days: int) -> str:
    """Reason of an item that was bought before.

    >>> repeat_reason(6, 40), repeat_reason(1, 1)
    ('bought 6 times, last 40 days ago', 'bought once, 1 day ago')
    """
    ago = f"{days} day{'s' * (days != 1)} ago"
    return f"bought {visits} times, last {ago}" if visits > 1 else f"bought once, {ago}"


def discovery_reason(names: list[str], owned: np.ndarray, contributions: np.ndarray, buyers: int) -> str:
    """Reason of a new item, by what the items at places `owned` contribute to its score.

    >>> discovery_reason(["85123A", "22423", "20725"], np.array([0, 1, 2]), np.array([0.1, 0.4, -0.2]), 12)
    'because of 22423, 85123A'
    """
    largest = np.argsort(-contributions, kind="stable")[:NAMED]
    told = [names[owned[at]] for at in largest if contributions[at] > 0]
    return f"because of {', '.join(told)}" if told else f"bought by {buyers:,} customers"
