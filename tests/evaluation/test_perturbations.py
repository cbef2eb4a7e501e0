import numpy as np
import pandas as pd
import pytest
from shops import request_shop, wine_shop

from lepton_pipeline.evaluation.perturbations import Inputs, mistype
from lepton_pipeline.parameters.robustness import PERTURBATIONS, STEPS


def inputs_of(shop):
    training = shop.split.index[shop.split["part"] == "train"]
    return Inputs.of(shop.artefact, shop.table, training), shop.table[list(shop.artefact.inputs)]


@pytest.fixture(scope="module")
def wines():
    return inputs_of(wine_shop())


def test_columns_are_told_apart_by_what_the_encoder_makes_of_them(wines):
    inputs, _ = wines
    numbers = dict.fromkeys(["alcohol", "ash", "flavanoids", "proline"], "number")
    assert dict(inputs.kinds) == {**numbers, "origin": "category"}
    assert inputs_of(request_shop())[0].kinds == {"text": "text", "hour": "number"}
    assert inputs.touched("noise_5") == list(numbers) == inputs.touched("worst_step")
    assert inputs.touched("unseen_5") == ["origin"]
    assert inputs.touched("missing_5") == [*numbers, "origin"]
    assert inputs.touched("typos_5") == []


def test_nothing_of_a_perturbation_changes_nothing(wines):
    inputs, rows = wines
    for name in ("noise_0", "missing_0", "unseen_0"):
        pd.testing.assert_frame_equal(inputs.perturbed(rows, name, "", 7), rows)
    assert mistype(pd.Series(["a word"]), 0.0, np.random.default_rng(1)).tolist() == ["a word"]


def test_noise_and_shift_are_in_deviations_of_the_training_rows(wines):
    inputs, rows = wines
    deviation = np.nanstd(rows.loc[wine_shop().split["part"] == "train", "ash"])
    shifted = inputs.perturbed(rows, "shift_up", "ash", 7)
    assert (shifted["ash"] - rows["ash"]).dropna().to_numpy() == pytest.approx(deviation)
    assert shifted["ash"].isna().sum() == rows["ash"].isna().sum() > 0
    assert shifted["proline"].equals(rows["proline"])
    moves = {
        share: (inputs.perturbed(rows, f"noise_{share}", "", 7)["ash"] - rows["ash"]).dropna() / deviation
        for share in (5, 20)
    }
    assert moves[20].std() == pytest.approx(0.2, rel=0.2)
    # What little noise moves, more noise moves the same way.
    assert (moves[20] / moves[5]).to_numpy() == pytest.approx(4)
    steps = [(step["ash"] - rows["ash"]).abs().max() / deviation for step in inputs.steps(rows, 7)]
    assert len(steps) == STEPS
    assert all(0.04 < step <= 0.05 for step in steps)
    assert len(set(steps)) == STEPS


def test_a_share_of_the_rows_is_missing_or_never_seen(wines):
    inputs, rows = wines
    few, many = (inputs.perturbed(rows, f"missing_{share}", "origin", 7)["origin"] for share in (5, 50))
    assert few.isna().mean() == pytest.approx(0.05, abs=0.04)
    assert many.isna().mean() == pytest.approx(0.5, abs=0.12)
    assert many.isna()[few.isna()].all()
    new = inputs.perturbed(rows, "unseen_50", "", 7)["origin"]
    (value,) = set(new) - set(rows["origin"])
    assert (new == value).mean() == pytest.approx(0.5, abs=0.12)
    (column,) = [each for each in wine_shop().artefact.encoder.columns if each.name == "origin"]
    assert column.seen_in_training([value]) == [False]


def test_a_new_code_is_beyond_all_codes():
    assert _new(pd.Series([3, 9, 4])) == 10
    assert _new(pd.Series(["never seen", "b"])) == "never seen!"


def _new(column):
    from lepton_pipeline.evaluation.perturbations import _unseen

    return _unseen(column)


def test_typing_errors_are_of_a_share_of_the_letters():
    texts = pd.Series(["the quick brown fox jumps over the lazy dog " * 20, None, ""], dtype="str")
    wrong = mistype(texts, 0.05, np.random.default_rng(1))
    assert wrong.iloc[1:].isna().tolist() == [True, False]
    assert abs(len(wrong[0]) - len(texts[0])) < 30
    words, typed = texts[0].split(), wrong[0].split()
    right = len([word for word in typed if word in set(words)]) / len(words)
    assert 0.6 < right < 0.95
    assert set(wrong[0]) <= set(texts[0])
    assert mistype(texts, 0.05, np.random.default_rng(1)).equals(wrong)


def test_the_plan_has_all_columns_first_and_only_what_there_is(wines):
    inputs, _ = wines
    plan = inputs.plan(["origin", "ash"])
    assert [column for _, column in plan] == [""] * 11 + ["origin"] * 6 + ["ash"] * 8
    assert {name for name, _ in plan} == {
        name for name in PERTURBATIONS if not name.startswith(("typos", "worst"))
    }
