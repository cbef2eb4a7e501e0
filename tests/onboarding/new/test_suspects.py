"""Leaks come in company, and honest features are strong, too."""

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.features.strength import features_alone
from lepton_pipeline.onboarding.new.suspects import (
    Judgement,
    as_auc,
    denotes_later_event,
    is_attribute,
    judge_features,
    one_class_columns,
)
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression


def judged(
    columns: dict[str, float], rows: int = 1500, seed: int = 0, weak: int = 10, **further: pd.Series
) -> Judgement:
    """Judge columns of `2 * target + noise`, named with the standard deviation of the noise, among weak ones."""
    draw = np.random.default_rng(seed)
    target = (draw.random(rows) < 0.3).astype(int)
    table = pd.DataFrame({f"w{number}": draw.normal(size=rows) + 0.3 * target for number in range(weak)})
    table = table.assign(
        **{name: 2 * target + spread * draw.normal(size=rows) for name, spread in columns.items()}
    )
    table = table.assign(**further)
    plain = {name for name in table if is_attribute(str(name))}
    return judge_features(table, target, features_alone(table, target, Binary()), (), plain)


SPREADS = [{"a": 1.2, "b": 1.3, "c": 1.4}, {"a": 1.2, "b": 1.4}, {"a": 1.3}, {"a": 0.8, "b": 1.2, "c": 1.5}]


@pytest.mark.parametrize(
    ("spreads", "rows"),
    [
        (SPREADS[0], 1500),
        *(pytest.param(each, 1500, marks=pytest.mark.exhaustive) for each in SPREADS[1:]),
        *((each, 500) for each in SPREADS),
    ],
)
def test_leaks_do_not_hide_one_another(spreads: dict[str, float], rows: int) -> None:
    found = judged(spreads, rows)
    assert set(found.leaks) | set(found.asked) == set(spreads)
    assert set(found.leaks) == set(spreads)
    assert all("together 0." in why and "with it 0." in why for why in found.leaks.values())
    assert float(found.together) < 0.85


def test_many_that_stand_out_are_questions_and_one_named_as_of_afterwards_is_left_out() -> None:
    strong = {name: 1.2 + 0.1 * at for at, name in enumerate("pqrst")}
    found = judged(strong)
    assert (set(found.leaks), set(found.asked)) == (set(), set(strong))
    assert list(judged({**strong, "final_result": 1.3}).leaks) == ["final_result"]


def test_a_strong_attribute_is_a_question_with_both_figures_and_leaks_beside_it_are_found() -> None:
    found = judged({"age": 1.3, "later_sum": 1.3})
    assert list(found.leaks) == ["later_sum"]
    assert list(found.asked) == ["age"]
    assert "the other 10 features together 0." in found.asked["age"]
    assert ", with it 0." in found.asked["age"]


def test_what_only_outshines_noise_is_a_question() -> None:
    draw = np.random.default_rng(5)
    noise = {f"n{number}": pd.Series(draw.normal(size=1500)) for number in range(8)}
    found = judged({"length": 2.0}, weak=0, **noise)
    assert (list(found.leaks), list(found.asked)) == ([], ["length"])
    assert list(judged({"refund_total": 2.0}, weak=0, **noise).leaks) == ["refund_total"]


def test_what_is_filled_or_empty_in_one_class_only_is_a_question() -> None:
    draw = np.random.default_rng(6)
    target = (draw.random(900) < 0.3).astype(int)
    some = draw.random(900) < 0.4
    table = pd.DataFrame(
        {
            "reason": np.where(some & (target == 1), "moved", None),
            "renewed": np.where(some & (target == 1), None, 1.0),
            "few": np.where((target == 1) & (np.cumsum(target) < 5), "x", None),
            "income": np.where(some, 1.0, np.nan),
            "full": draw.normal(size=900),
        }
    )
    asked = one_class_columns(table, target, Binary().label_text)
    rows = int((some & (target == 1)).sum())
    assert list(asked) == ["reason", "renewed"]
    assert asked["reason"].startswith(f"filled in {rows} training rows, all of them positive")
    assert asked["renewed"].startswith(f"empty in {rows} training rows, all of them positive")


def test_what_settles_the_target_is_left_out_whatever_its_name() -> None:
    assert list(judged({"age": 0.3}).leaks) == ["age"]
    assert list(judged({"age": 0.3}, rows=90).leaks) == ["age"]


def test_honest_features_that_are_strong_together_raise_nothing() -> None:
    # Each says a little less than the one before: no step parts them, and the others are as good together.
    found = judged({f"x{number}": 1.6 + 0.25 * number for number in range(12)})
    assert (found.leaks, found.asked) == ({}, {})
    assert float(found.together) > 0.95
    assert found.too_good == f"reach AUC {float(found.together):.2f}"


def test_a_column_named_as_of_afterwards_is_left_out_for_what_it_adds() -> None:
    draw = np.random.default_rng(1)
    claim = pd.Series(draw.lognormal(8, 2, 1500))
    target = (np.random.default_rng(0).random(1500) < 0.3).astype(int)
    paid = claim * (1 - 0.6 * target) * draw.normal(1, 0.2, 1500)
    found = judged({}, claim_size=claim, paid_out=paid)
    assert list(found.leaks) == ["paid_out"]
    assert "denotes a later event" in found.leaks["paid_out"]


def test_with_few_rows_only_the_step_in_the_list_tells() -> None:
    found = judged({"a": 1.0, "b": 1.1}, rows=110)
    assert set(found.leaks) | set(found.asked) == {"a", "b"}
    assert found.together == ""


@pytest.mark.parametrize(
    ("name", "attribute", "afterwards"),
    [
        ("age", True, False),
        ("LoanAmount", True, False),
        ("refund_amount", False, True),
        ("prior_paid_amount", True, False),
        ("x7", False, False),
        ("duration", False, False),
        ("total_paid", False, True),
    ],
)
def test_names_say_what_a_column_may_be(name: str, attribute: bool, afterwards: bool) -> None:
    assert is_attribute(name) is attribute
    assert denotes_later_event(name) is afterwards


def numbers_of(rows: int, **spreads: float) -> tuple[pd.DataFrame, np.ndarray]:
    """A lognormal target, weak columns, and columns that follow its logarithm with noise of a deviation."""
    draw = np.random.default_rng(2)
    causes = pd.DataFrame({f"w{number}": draw.normal(size=rows) for number in range(8)})
    level = causes.sum(axis=1).to_numpy() / 4 + draw.normal(size=rows)
    columns = {name: level + spread * draw.normal(size=rows) for name, spread in spreads.items()}
    return causes.assign(**columns), np.exp(level)


@pytest.mark.parametrize("rows", [2500, 400])
def test_leaks_of_a_number_are_found_by_the_variance_that_they_explain(rows: int) -> None:
    table, target = numbers_of(rows, net=0.3, gross=0.35, size=0.4)
    task = Regression()
    alone = features_alone(table, target, task)
    found = judge_features(table, target, alone, (), {"size"}, task.strength)
    assert set(found.leaks) == {"net", "gross"}
    assert list(found.asked) == ["size"]
    assert (
        "of the variance of the target's ranks in training rows, the other 8 features" in found.leaks["net"]
    )
    weak = judge_features(table[[f"w{n}" for n in range(8)]], target, alone, (), (), task.strength)
    assert (weak.leaks, weak.asked, weak.too_good) == ({}, {}, "")
    assert weak.together.endswith("%")


def test_of_several_classes_nothing_is_left_out_for_its_strength() -> None:
    task = Multiclass(["a", "b", "c"])
    codes = np.random.default_rng(1).integers(0, 3, 600)
    table = pd.DataFrame({"tells": codes + 0.0, "noise": np.random.default_rng(2).normal(size=600)})
    found = judge_features(table, codes, features_alone(table, codes, task), (), (), task.strength)
    assert found == Judgement()


def test_what_is_filled_for_one_class_or_one_number_only_names_it() -> None:
    codes = np.array([0, 1, 2] * 60)
    table = pd.DataFrame({"why": np.where(codes == 2, "x", None)})
    named = one_class_columns(table, codes, Multiclass(["in", "out", "late"]).label_text)
    assert named["why"].startswith("filled in 60 training rows, all of them 'late'")
    amounts = np.where(codes == 2, 0.0, np.arange(180) + 1.5)
    named = one_class_columns(table, amounts, Regression().label_text)
    assert named["why"].startswith("filled in 60 training rows, all of them 0;")


def test_explained_variance_compares_with_auc_by_pairs_in_the_right_order() -> None:
    draw = np.random.default_rng(0)
    cause = draw.normal(size=20_000)
    # A correlation of 0.8, for normal variables: 1/2 + arcsin(0.8) / pi of the pairs.
    target = 0.8 * cause + 0.6 * draw.normal(size=20_000)
    alone = features_alone(pd.DataFrame({"cause": cause}), target, Regression())["cause"]
    one, other = draw.permutation(20_000), draw.permutation(20_000)
    agree = np.mean((cause[one] > cause[other]) == (target[one] > target[other]))
    assert as_auc(alone) == pytest.approx(agree, abs=0.01)
    assert as_auc(features_alone(pd.DataFrame({"x": cause}), (target > 0) * 1, Binary())["x"]) > 0.85
