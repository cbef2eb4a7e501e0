"""What an artefact makes of baskets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.model.artefact import Artefact


@dataclass(frozen=True)
class Noted:
    """A recommender that gives back the baskets it is asked for."""

    def offer(self, baskets: list[list[str]], score: Any) -> list[list[str]]:
        return baskets


@pytest.fixture(scope="module")
def artefact():
    # Only the recommender is asked.
    parts = [None] * 5
    return Artefact(*parts)


@pytest.mark.parametrize(
    ("sent", "items"),
    [
        ("85123A 22423", ["85123A", "22423"]),
        ("85123A, 22423;20725", ["85123A", "22423", "20725"]),
        (["85123A", 22423], ["85123A", "22423"]),
        (22423, ["22423"]),
        (22423.0, ["22423"]),
        ("  ", []),
        (None, []),
        (float("nan"), []),
    ],
)
def test_a_basket_is_a_text_a_list_or_one_code(artefact, sent, items):
    served = replace(artefact, recommender=Noted())
    assert served.offer(pd.DataFrame({"items": pd.Series([sent], dtype=object)})) == [items]


def test_a_model_that_ranks_nothing_says_so(artefact):
    with pytest.raises(DataError, match="the model ranks no items, so 'items' says nothing to it"):
        artefact.offer(pd.DataFrame({"items": ["a"]}))
