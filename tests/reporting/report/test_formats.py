from dataclasses import replace

import pytest

from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.multiclass import Multiclass

REGISTRATION = Registration("shop", 1, "models:/m-1", "5f", "c3", "cpu")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.80013, "0.800"), (-0.0201, "−0.020"), (-0.0001, "0.000"), (1234.5678, "1,234.568"), (None, "–")],
)
def test_decimals(value, text):
    assert formats.decimals(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(61234.5, "61,234 EUR"), (99.94, "99.9 EUR"), (2.345, "2.35 EUR"), (-150.0, "−150 EUR"), (None, "–")],
)
def test_amounts_have_three_digits_or_whole_units(value, text):
    assert formats.amount(value, "EUR") == text


def test_shares_are_per_cent_and_their_differences_points():
    assert formats.metric("recall", 0.612) == "61.2\xa0%"
    assert formats.interval("recall", Estimate(0.6, 0.57, 0.654)) == "57.0 to 65.4"
    assert formats.gap("recall", -0.083, signed=True) == "−8.3 points"
    assert formats.metric("auc", 0.612) == "0.612"
    assert formats.gap("auc", 0.01) == "0.010"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (20000, "20,000"),
        (-1.0, "−1"),
        (0.123456789, "0.123457"),
        (1e20, "1e+20"),
        ("a b", "a b"),
    ],
)
def test_values_stay_as_they_are(value, text):
    assert formats.plain(value) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        ("auc 0.8 is at least 0.75", "AUC 0.8 is at least 0.75."),
        ("log_loss 1.12 is at most 1.18", "Log loss 1.12 is at most 1.18."),
        ("one bank", "One bank."),
        ("rv1 is noise", "rv1 is noise."),
        ("Is it?", "Is it?"),
        (" done. ", "Done."),
    ],
)
def test_sentences_begin_and_end(text, said):
    assert formats.sentence(text) == said


def test_p_values_and_moments():
    assert formats.p_value(0.00049) == "< 0.001"
    assert formats.p_value(0.0123) == "0.012"
    assert formats.moment("2026-11-02T08:52:20+00:00") == "2 November 2026, 08:52 UTC"


def test_names_inside_a_sentence_keep_their_capitals():
    assert [formats.lower_first(text) for text in ("Cases found", "AUC", "F1")] == [
        "cases found",
        "AUC",
        "F1",
    ]
    assert formats.policy_name("all") == "Act on every case"
    assert formats.policy_name("hist_gradient_boosting") == "Act as gradient boosting says"
    assert formats.declared(["a", None, {"b": True}]) == "a, none, b: true"


@pytest.mark.parametrize(
    ("weight", "said"),
    [
        (None, "Networks alone"),
        (0.0, "Networks alone"),
        (1.0, "Boosting alone"),
        (0.3, "Networks (70%) and gradient boosting (30%)"),
    ],
)
def test_it_is_said_what_a_model_is_made_of(weight, said):
    assert formats.model_parts(replace(REGISTRATION, boosting_weight=weight), Binary()) == said


def test_it_is_said_why_a_model_of_many_classes_has_no_boosting():
    thirty, more = (Multiclass([str(number) for number in range(count)]) for count in (30, 31))
    assert formats.model_parts(REGISTRATION, thirty) == "Networks alone"
    assert formats.model_parts(REGISTRATION, more) == (
        "Networks alone (gradient boosting is left out of more than 30 classes, and here are 31)"
    )


def test_it_is_said_which_rows_taught_what():
    folds, refit, holdout = (
        formats.training_plan(replace(REGISTRATION, plan=plan)) for plan in ("folds", "refit", "holdout")
    )
    assert folds.startswith("Model and baselines learn from training and validation rows")
    assert refit.endswith("then learn from both")
    assert holdout == "Model and baselines learn from training rows, and are tuned on validation rows"
    assert formats.training_plan(REGISTRATION) == ""


def test_gaps_of_calibration_have_a_name_and_are_shares():
    assert formats.metric_name("calibration_in_the_large") == "Calibration in the large"
    assert formats.gap("calibration_in_the_large", 0.05) == "5.0 points"


def test_the_digits_of_a_figure_are_those_of_its_metric():
    assert (formats.exact("auc", 0.71234), formats.exact("recall", 0.71234)) == (
        "0.7123",
        "71.23\N{NO-BREAK SPACE}%",
    )


@pytest.mark.parametrize(
    ("value", "text", "ends"),
    [
        (123456.7, "123,457", "100,000 to 150,000"),
        (54.03125, "54.03", "43.77 to 65.65"),
        (0.0123, "0.01230", "0.00996 to 0.01494"),
        (-5.763, "−5.763", "−7.002 to −4.668"),
    ],
)
def test_metrics_in_the_unit_of_a_target_have_four_digits_and_both_ends_the_same(value, text, ends):
    low, high = sorted((value * 0.81, value * 1.215))
    assert formats.metric("bias", value) == formats.exact("bias", value) == text
    assert formats.interval("bias", Estimate(value, low, high)) == ends


def test_a_figure_in_a_unit_has_the_digits_of_its_interval():
    bias = Estimate(-0.0007775, -24.9, 21.95)
    written = [formats.metric("bias", each, True, bias) for each in (bias.value, *bias.ends)]
    assert written == ["0.00", "−24.90", "+21.95"]
    assert [formats.exact("bias", -5.763, bias), formats.gap("bias", -5.763, True, bias)] == ["−5.76"] * 2
    assert formats.metric("bias", bias.value, of=Estimate(bias.value)) == "−0.0007775"


def test_gaps_in_the_unit_of_a_target_have_a_sign():
    assert formats.gap("mae", 1234.56, signed=True) == "+1,235"
    assert formats.difference("mae", -0.5) == "−0.5000"
    assert formats.difference("auc", -0.5) == "-0.500"
    assert formats.difference("recall", -0.5) == "-50.0 points"
    assert formats.interval("rmse", Estimate(5.0)) == "cannot be judged"
