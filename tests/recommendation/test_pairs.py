"""Pairs with features from before their cut and labels from after it."""

from __future__ import annotations

import pandas as pd
import pytest
from shop_interactions import DATASET, SPLIT, declared, shop

from lepton_pipeline.errors import DataError
from lepton_pipeline.recommendation.interactions import read_interactions
from lepton_pipeline.recommendation.pairs import make_pairs

TABLE = shop()


def pairs(table=TABLE, **changes):
    recommendation = declared(**changes)
    return make_pairs(read_interactions(table, recommendation), recommendation, DATASET, SPLIT)


def test_a_label_is_a_purchase_in_the_label_time():
    found = pairs()
    bought = TABLE.drop_duplicates(["who", "what", "when"])
    for cut, some in found.groupby("cut"):
        inside = bought[(bought["when"] >= cut) & (bought["when"] < cut + pd.Timedelta(30, "D"))]
        keys = set(zip(inside["who"], inside["what"], strict=True))
        assert [key in keys for key in zip(some["who"], some["what"], strict=True)] == some["bought"].tolist()
        assert set(some["who"]) <= set(inside["who"])


def test_no_feature_sees_a_row_at_or_after_its_cut():
    """With every purchase from the last cut on replaced, only labels differ."""
    whole = pairs()
    last = whole["cut"].max()
    shuffled = TABLE.assign(
        what=TABLE["what"].where(
            TABLE["when"] < last, TABLE["what"].sample(frac=1, random_state=1).to_numpy()
        )
    )
    found = pairs(shuffled)
    features = [name for name in whole if name not in ("bought", "weight")]
    pd.testing.assert_frame_equal(
        whole.loc[whole["cut"] == last, features].reset_index(drop=True),
        found.loc[found["cut"] == last, features].reset_index(drop=True),
        check_exact=True,
    )
    assert (
        whole.loc[whole["cut"] == last, "bought"].to_numpy()
        != found.loc[found["cut"] == last, "bought"].to_numpy()
    ).any()


def test_later_rows_change_no_bit_of_earlier_pairs():
    early = TABLE[TABLE["when"] < "2020-10-20"]
    one, other = pairs(early), pairs()
    test = one["cut"].max()
    same = other[other["cut"].isin(one["cut"].unique())]
    # The test of the early table keeps all pairs, those that it trains on are drawn alike.
    kept = same[same["cut"] < test].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        one[one["cut"].isin(kept["cut"].unique())].reset_index(drop=True), kept, check_exact=True
    )


def test_weights_keep_the_rate_of_what_is_drawn():
    drawn, every = pairs(negatives=2, sample=1000), pairs(negatives=1000, sample=1000)
    assert len(drawn) < len(every)
    assert drawn.groupby("cut")["weight"].sum().tolist() == pytest.approx(
        every.groupby("cut")["weight"].sum().tolist()
    )
    assert drawn["bought"].sum() == every["bought"].sum()
    last = drawn["cut"] == drawn["cut"].max()
    assert (drawn.loc[last, "weight"] == 1).all()
    assert last.sum() == (every["cut"] == every["cut"].max()).sum()


def test_so_many_customers_are_drawn_at_a_training_cut():
    found = pairs(sample=5)
    last = found["cut"].max()
    by_cut = found.groupby("cut")["who"].nunique()
    assert (by_cut[by_cut.index < last] == 5).all()
    assert by_cut[last] > 5
    assert len({frozenset(each["who"]) for _, each in found[found["cut"] < last].groupby("cut")}) > 1


def test_for_discovery_only_new_items_are_paired():
    found = pairs(purpose="discovery")
    first = TABLE.groupby(["who", "what"])["when"].min()
    before = found.join(first, on=["who", "what"])
    assert not (before["when"] < before["cut"]).any()


def test_nobody_who_bought_after_a_cut_is_refused():
    lonely = TABLE[TABLE["when"] < "2020-09-01"]
    later = TABLE[TABLE["when"] >= "2020-11-20"].assign(who=lambda rows: rows["who"] + 1000)
    with pytest.raises(DataError, match="no known customer bought a known item in the 30 days from"):
        pairs(pd.concat([lonely, later]))
