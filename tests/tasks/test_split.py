import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import ConfigurationError, DataError, SplitError
from lepton_pipeline.parameters import Dataset, Split
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.split import split_rows

BINARY = Target(Binary())
BY_TIME = Dataset(target="late", positive=1, time="when")
BY_GROUP = Dataset(target="late", positive=1, group="who")
BY_BOTH = Dataset(target="late", positive=1, time="when", group="who")
# Drawn by the first release: a champion of then is compared on the same test rows.
STRATIFIED_TEST = [6, 9, 11, 14, 24, 30, 32, 39]
# Durations in days.
WAITS = {0: 0, "36h": 1.5, "2d": 2, "3d": 3, "1w": 7}


def shipments(when, who=None):
    """One row per time, every third of them positive, in a shuffled order and with gaps in the index."""
    rows = len(when)
    table = pd.DataFrame(
        {"when": when, "late": [int(row % 3 == 0) for row in range(rows)]}, index=range(5, rows + 5)
    )
    table = table if who is None else table.assign(who=who)
    return table.sample(frac=1, random_state=3)


def days(rows):
    return pd.date_range("2024-01-01", periods=rows, freq="D", unit="us")


def random_days(seed, rows=400, span=120):
    """Days in no order, many of them several times."""
    return pd.Timestamp("2024-01-01") + pd.to_timedelta(
        np.random.default_rng(seed).integers(0, span, rows), "D"
    )


def random_customers(seed, groups=40):
    """Rows of customers of very different size and base rate."""
    generator = np.random.default_rng(seed)
    who = np.repeat([f"c{number}" for number in range(groups)], generator.geometric(0.05, groups))
    rates = dict(zip(pd.unique(who), generator.uniform(0, 0.6, groups), strict=True))
    late = [int(generator.random() < rates[name]) for name in who]
    return pd.DataFrame({"who": who, "late": late})


def span(table, parts, part):
    times = table.loc[parts.index[parts["part"] == part], "when"]
    return times.min(), times.max()


def sizes(parts):
    return parts["part"].value_counts().to_dict()


def test_every_row_is_in_one_part_with_the_declared_share_and_base_rate(table, dataset):
    parts = split_rows(table, BINARY, dataset, Split(test=0.25, validation=0.25))
    assert parts.index.equals(table.index)
    assert parts["part"].value_counts().to_dict() == {"train": 20, "validation": 10, "test": 10}
    assert parts.groupby("part")["label"].sum().to_dict() == {"train": 10, "validation": 5, "test": 5}
    assert (parts["label"] == (table["bought"] == "yes")).all()


@pytest.mark.parametrize("strategy", ["stratified", "time", "group"])
def test_of_more_rows_than_are_divided_some_all_over_the_table_are(strategy):
    table = shipments(days(400), who=[f"c{row % 50}" for row in range(400)])
    split, few = Split(strategy=strategy), Split(strategy=strategy, rows=100)
    parts = split_rows(table, BINARY, BY_BOTH, few)
    assert parts.index.equals(table.index)
    assert parts.dtypes.equals(split_rows(table, BINARY, BY_BOTH, split).dtypes)
    spaced = np.flatnonzero(parts["part"] != "gap")
    assert (len(spaced), spaced[0], spaced[-1]) == (100, 0, 399)
    assert set(np.diff(spaced)) <= {4, 5}
    pd.testing.assert_frame_equal(parts.iloc[spaced], split_rows(table.iloc[spaced], BINARY, BY_BOTH, split))
    assert split_rows(table, BINARY, BY_BOTH, Split(strategy=strategy, rows=400)).equals(
        split_rows(table, BINARY, BY_BOTH, split)
    )


def test_gaps_in_the_index_are_kept(table, dataset):
    clean = table.drop([0, 5, 17])
    parts = split_rows(clean, BINARY, dataset, Split())
    assert parts.index.equals(clean.index)
    assert parts["part"].isin(["train", "validation", "test"]).all()


def test_the_seed_decides(table, dataset):
    one, again, other = (split_rows(table, BINARY, dataset, Split(seed=seed)) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)


def test_a_class_too_rare_for_three_parts_is_refused(table, dataset):
    rare = table.assign(bought=["yes", "yes"] + ["no"] * 38)
    with pytest.raises(SplitError, match="40 rows, 2 of them positive"):
        split_rows(rare, BINARY, dataset, Split())


def test_one_class_is_refused(table, dataset):
    with pytest.raises(DataError, match="holds 'no'"):
        split_rows(table[table["bought"] == "no"], BINARY, dataset, Split())


def test_a_stratified_draw_is_the_same_in_every_release(table, dataset):
    parts = split_rows(table, BINARY, dataset, Split())
    assert parts.index[parts["part"] == "test"].tolist() == STRATIFIED_TEST


def test_parts_follow_each_other_in_time():
    parts = split_rows(shipments(days(40)), BINARY, BY_TIME, Split(strategy="time"))
    assert parts["part"].dtype == "str"
    assert parts["label"].dtype == np.int8
    assert parts["part"].sort_index().tolist() == ["train"] * 24 + ["validation"] * 8 + ["test"] * 8


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("delay", "gap"), [(0, 0), ("3d", 0), (0, "36h"), ("2d", "1w")])
def test_every_label_is_known_before_the_next_part_starts(seed, delay, gap):
    table = shipments(random_days(seed))
    dataset = BY_TIME.model_copy(update={"label_delay": delay})
    parts = split_rows(table, BINARY, dataset, Split(strategy="time", test=0.25, validation=0.15, gap=gap))
    wait = pd.Timedelta(days=WAITS[delay] + WAITS[gap])
    starts = {part: span(table, parts, part)[0] for part in ("validation", "test")}
    assert span(table, parts, "train")[1] + wait <= starts["validation"]
    assert span(table, parts, "validation")[1] + wait <= starts["test"]
    # No more is left out than must be: what lies in the gap has no label yet when the next part starts.
    for when in table.loc[parts.index[parts["part"] == "gap"], "when"]:
        assert when < min(start for start in starts.values() if start > when) < when + wait
    assert table.groupby("when").apply(lambda rows: parts.loc[rows.index, "part"].nunique()).max() == 1
    # A day has about three rows, and a cut misses the wanted number by half a day's at most.
    assert abs(sizes(parts)["test"] - 100) <= 5
    assert abs(sizes(parts)["validation"] - 60) <= 5


def test_the_order_of_the_rows_does_not_matter_to_a_split_by_time_or_group():
    table = random_customers(1).assign(when=lambda rows: np.arange(len(rows)) // 7)
    shuffled = table.sample(frac=1, random_state=1)
    for dataset, strategy in ((BY_TIME, "time"), (BY_GROUP, "group"), (BY_BOTH, "time_group")):
        parts = split_rows(table, BINARY, dataset, Split(strategy=strategy))
        pd.testing.assert_frame_equal(
            parts, split_rows(shuffled, BINARY, dataset, Split(strategy=strategy)).loc[table.index]
        )


def test_a_split_by_time_draws_nothing():
    table = shipments(random_days(1))
    one, other = (split_rows(table, BINARY, BY_TIME, Split(strategy="time", seed=seed)) for seed in (1, 2))
    pd.testing.assert_frame_equal(one, other)


def test_rows_of_one_time_stay_together_at_the_nearest_cut():
    # From the end 5, 13 or 17 rows could be the test; 8 are wanted. Of 17 and 37, 8 more are nearest to 17.
    when = [0] * 3 + [1] * 20 + [2] * 4 + [3] * 8 + [4] * 5
    parts = split_rows(shipments(when), BINARY, BY_TIME, Split(strategy="time"))
    assert sizes(parts) == {"train": 27, "validation": 8, "test": 5}


def test_an_order_of_numbers_counts_its_delay_in_its_own_units():
    dataset = BY_TIME.model_copy(update={"label_delay": 2})
    parts = split_rows(shipments(np.arange(100) * 1.0), BINARY, dataset, Split(strategy="time", gap=3))
    expected = ["train"] * 52 + ["gap"] * 4 + ["validation"] * 20 + ["gap"] * 4 + ["test"] * 20
    assert parts["part"].sort_index().tolist() == expected


def test_a_narrow_type_of_numbers_does_not_run_over():
    dataset = BY_TIME.model_copy(update={"label_delay": 300})
    with pytest.raises(SplitError, match="leave no rows to train on"):
        split_rows(shipments(np.arange(200, dtype=np.uint8)), BINARY, dataset, Split(strategy="time"))


def test_times_with_a_zone_are_dates():
    dataset = BY_TIME.model_copy(update={"label_delay": "2d"})
    parts = split_rows(
        shipments(days(40).tz_localize("Europe/Oslo")), BINARY, dataset, Split(strategy="time")
    )
    assert sizes(parts) == {"train": 22, "gap": 2, "validation": 8, "test": 8}


@pytest.mark.parametrize(("when", "delay"), [(days(40), 5), (range(40), "5d")])
def test_a_delay_in_other_units_than_the_times_is_refused(when, delay):
    dataset = BY_TIME.model_copy(update={"label_delay": delay})
    with pytest.raises(DataError, match=r"dataset\.label_delay: '?5d?'? does not fit column 'when'"):
        split_rows(shipments(when), BINARY, dataset, Split(strategy="time"))


def test_a_delay_that_times_cannot_hold_is_refused():
    dataset = BY_TIME.model_copy(update={"label_delay": "99999999999d"})
    with pytest.raises(DataError, match=r"label_delay: '99999999999d' reaches too far back; declare a"):
        split_rows(shipments(days(40)), BINARY, dataset, Split(strategy="time"))


@pytest.mark.parametrize("delay", ["20d", "90d"])
def test_a_gap_that_leaves_nothing_to_train_on_is_refused(delay):
    dataset = BY_TIME.model_copy(update={"label_delay": delay})
    with pytest.raises(
        SplitError, match=rf"label_delay \({delay}\) and split.gap \(1d\) leave no rows .*40 rows from 2024"
    ):
        split_rows(shipments(days(40)), BINARY, dataset, Split(strategy="time", gap="1d"))


def test_a_class_missing_from_a_part_is_named_with_its_counts():
    table = shipments(days(40))
    early = table.assign(late=(table["when"] < "2024-02-01").astype(int))
    with pytest.raises(
        SplitError, match=r"part 'test' has 8 rows, 0 of them positive \(train 24 rows, 23 of them positive"
    ) as refused:
        split_rows(
            early.assign(late=early["late"].where(early["when"] > "2024-01-01", 0)),
            BINARY,
            BY_TIME,
            Split(strategy="time"),
        )
    assert "longer history" in str(refused.value)


@pytest.mark.parametrize(
    ("when", "seen"), [([7] * 9, "the single value 7"), ([7] * 8 + [8], "only 2 values, 7 and 8")]
)
def test_too_few_times_are_refused(when, seen):
    with pytest.raises(SplitError, match=seen):
        split_rows(shipments(when), BINARY, BY_TIME, Split(strategy="time"))


@pytest.mark.parametrize("when", [[1.0, None, *range(7)], [1.0, np.inf, *range(7)], [None, *days(8)]])
def test_missing_times_are_counted(when):
    with pytest.raises(
        SplitError, match=r"\(dataset.time\) has no time in 1 of 9 rows, first in row \d; .*quarantine"
    ):
        split_rows(shipments(when), BINARY, BY_TIME, Split(strategy="time"))


@pytest.mark.parametrize("when", [["1 May", "2 May", "3 May"], [True, False, True]])
def test_times_without_an_order_are_refused(when):
    with pytest.raises(
        DataError, match=r"'when' \(dataset.time\) holds .* no order in time; .*ingestion\.dates"
    ):
        split_rows(shipments(when), BINARY, BY_TIME, Split(strategy="time"))


def test_an_absent_column_is_hinted_at():
    table = shipments(days(9), who=["a", "b", "c"] * 3)
    with pytest.raises(
        DataError, match=r"no column 'wen', which dataset\.time declares; did you mean 'when'"
    ):
        split_rows(table, BINARY, BY_TIME.model_copy(update={"time": "wen"}), Split(strategy="time"))
    with pytest.raises(
        DataError, match=r"no column 'woh', which dataset\.group declares; did you mean 'who'"
    ):
        split_rows(table, BINARY, BY_GROUP.model_copy(update={"group": "woh"}), Split(strategy="group"))
    with pytest.raises(ConfigurationError, match=r"dataset\.group: required"):
        split_rows(table, BINARY, BY_TIME, Split(strategy="group"))


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_whole_and_parts_are_nearly_as_declared(seed):
    table = random_customers(seed)
    parts = split_rows(
        table, BINARY, BY_GROUP, Split(strategy="group", test=0.25, validation=0.15, seed=seed)
    )
    assert parts.index.equals(table.index)
    assert parts.groupby(table["who"])["part"].nunique().max() == 1
    shares = parts["part"].value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx({"train": 0.6, "test": 0.25, "validation": 0.15}, abs=0.05)
    rates = parts.groupby("part")["label"].mean()
    assert (rates - parts["label"].mean()).abs().max() < 0.06


def test_the_seed_decides_which_groups_are_tested():
    table = random_customers(0)
    one, again, other = (
        split_rows(table, BINARY, BY_GROUP, Split(strategy="group", seed=seed)) for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one, again)
    assert not one.equals(other)


def test_one_large_group_does_not_upset_the_parts():
    who = ["large"] * 500 + [f"c{number}" for number in range(500)]
    table = pd.DataFrame({"who": who, "late": [0, 1] * 500})
    parts = split_rows(table, BINARY, BY_GROUP, Split(strategy="group"))
    assert sizes(parts) == {"train": 600, "validation": 200, "test": 200}
    assert (parts.loc[table["who"] == "large", "part"] == "train").all()


def test_three_groups_are_one_for_each_part():
    table = pd.DataFrame({"who": [3, 3, 1, 1, 2, 2], "late": [0, 1] * 3})
    assert sizes(split_rows(table, BINARY, BY_GROUP, Split(strategy="group"))) == {
        "train": 2,
        "validation": 2,
        "test": 2,
    }


@pytest.mark.parametrize(
    ("who", "error", "seen"),
    [
        (["a"] * 6, SplitError, "holds the single group 'a' in 6 rows"),
        (["a", "b"] * 3, SplitError, "holds only 2 groups, 'a' and 'b' in 6 rows"),
        (
            ["a", None, "b", "c", "d", None],
            DataError,
            "names no group in 2 of 6 rows, first in row 1; .*quarantine",
        ),
    ],
)
def test_groups_that_cannot_be_divided_are_refused(who, error, seen):
    for dataset, strategy in ((BY_GROUP, "group"), (BY_BOTH, "time_group")):
        with pytest.raises(error, match=seen):
            split_rows(
                pd.DataFrame({"who": who, "late": [0, 1] * 3, "when": range(6)}),
                BINARY,
                dataset,
                Split(strategy=strategy),
            )


def test_groups_without_both_classes_are_refused():
    table = pd.DataFrame({"who": ["a"] * 4 + ["b"] * 4 + ["c"] * 4, "late": [1] * 4 + [0] * 8})
    with pytest.raises(
        SplitError, match=r"part 'train' has 4 rows, \d of them positive .* provide more groups"
    ):
        split_rows(table, BINARY, BY_GROUP, Split(strategy="group"))


def test_by_time_and_group_only_new_groups_are_tested():
    who = ["old"] * 6 + ["a", "old", "a", "b"] + ["old", "a", "b", "c", "c", "d"]
    table = pd.DataFrame({"when": range(16), "who": who, "late": [0, 1] * 8})
    parts = split_rows(table, BINARY, BY_BOTH, Split(strategy="time_group", test=6 / 16, validation=4 / 16))
    expected = ["train"] * 6 + ["validation", "gap", "validation", "validation"] + ["gap"] * 3 + ["test"] * 3
    assert parts["part"].tolist() == expected


def test_by_time_and_group_parts_without_new_groups_are_refused():
    table = shipments(days(40), who=["a", "b", "c", "d"] * 10)
    with pytest.raises(
        SplitError, match=r"part 'validation' has 0 rows, 0 of them positive .*gap 16 rows.*strategy time or"
    ):
        split_rows(table, BINARY, BY_BOTH, Split(strategy="time_group"))


def test_the_table_is_left_as_it_was():
    table = shipments(days(40), who=[f"c{row}" for row in range(40)])
    before = table.copy()
    for strategy in ("time", "group", "time_group"):
        split_rows(table, BINARY, BY_BOTH, Split(strategy=strategy))
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("strategy", ["stratified", "group"])
def test_rows_divided_at_random_lie_in_folds_divided_in_the_same_way(strategy):
    table = random_customers(1)
    parts = split_rows(table, BINARY, BY_GROUP, Split(strategy=strategy))
    assert parts["fold"].dtype == np.int8
    assert (parts.loc[parts["part"] == "test", "fold"] == -1).all()
    rest = parts[parts["part"] != "test"]
    assert set(rest["fold"]) == {0, 1, 2, 3, 4}
    assert (rest.groupby("fold")["label"].nunique() == 2).all()
    if strategy == "group":
        assert rest.groupby(table["who"])["fold"].nunique().max() == 1
    else:
        sizes_of_folds = rest.groupby("fold")["label"].agg(["size", "sum"])
        assert (sizes_of_folds.max() - sizes_of_folds.min()).max() <= 1


@pytest.mark.parametrize("strategy", ["time", "time_group"])
def test_rows_in_order_of_time_lie_in_no_fold(strategy):
    table = shipments(days(60), who=np.arange(60))
    assert (split_rows(table, BINARY, BY_BOTH, Split(strategy=strategy))["fold"] == -1).all()


def test_too_few_rows_of_a_class_for_every_fold_make_no_folds(table, dataset):
    few = table.assign(bought=np.where(np.arange(len(table)) % 8 == 0, "yes", "no"))
    assert (split_rows(few, BINARY, dataset, Split())["fold"] == -1).all()


def published(parts=("train", "dev", "test"), rows=60):
    """Rows of published parts in turn, a third of each positive."""
    table = shipments(days(rows)).sort_index()
    return table.assign(part=np.resize(np.repeat(parts, 3), rows))


def by_column(**declared):
    parts = {"column": "part", "validation": ["dev"], "test": ["test"]}
    return Split(strategy="column", **{**parts, **declared})


def test_a_column_names_the_parts_and_the_rest_is_trained_on():
    table = published(("train", "dev", "test", "more"))
    parts = split_rows(table, BINARY, BY_GROUP.model_copy(update={"group": None}), by_column())
    named = table["part"].map({"dev": "validation", "test": "test"}).fillna("train")
    assert (parts["part"] == named).all()
    # As at random: every row that is no test row is held out once.
    assert (parts.loc[named != "test", "fold"] >= 0).all()
    assert (parts.loc[named == "test", "fold"] == -1).all()


def test_where_time_orders_the_rows_the_validation_part_stops_the_training():
    assert (split_rows(published(), BINARY, BY_TIME, by_column())["fold"] == -1).all()


def test_numbers_name_parts_too():
    table = published((2012, 2013, 2014))
    parts = split_rows(table, BINARY, BY_TIME, by_column(validation=[2013], test=[2014]))
    assert parts["part"].value_counts().to_dict() == {"train": 21, "validation": 21, "test": 18}


@pytest.mark.parametrize(
    ("declared", "missing", "error", "seen"),
    [
        ({"test": ["tset"]}, False, ConfigurationError, "no row has 'tset' in column 'part'"),
        ({"test": ["tset"]}, False, ConfigurationError, "did you mean 'test'? it holds train, dev, test"),
        ({}, True, DataError, "'part' (split.column) names no part in 1 of 60 rows, first in row 5"),
        (
            {"column": "prat"},
            False,
            DataError,
            "no column 'prat', which split.column declares; did you mean 'part'",
        ),
    ],
)
def test_a_part_that_no_row_names_or_a_row_that_names_none_is_refused(declared, missing, error, seen):
    table = published()
    if missing:
        table.loc[5, "part"] = None
    with pytest.raises(error) as refused:
        split_rows(table, BINARY, BY_TIME, by_column(**declared))
    assert seen in str(refused.value)


@pytest.mark.parametrize(
    ("declared", "seen"),
    [
        ({"strategy": "column"}, "strategy column needs the column, and its values"),
        ({"strategy": "column", "column": "part"}, "strategy column needs the column, and its values"),
        ({"column": "part"}, "column and lists of values have no effect with 'stratified'"),
        ({"test": ["test"]}, "column and lists of values have no effect with 'stratified'"),
        ({"strategy": "column", "column": "part", "test": ["a"], "validation": ["a"]}, "'a' is in both"),
    ],
)
def test_parts_by_column_are_declared_whole(declared, seen):
    with pytest.raises(ValueError, match=seen):
        Split(**declared)
