"""Report and card of models that tell classes apart or predict a number."""

import re
from dataclasses import replace

import numpy as np
import pytest
from made_up import ABOUT, make_class_evidence, make_error_evidence, make_evidence, make_scope
from sklearn.metrics import (
    confusion_matrix,
    mean_absolute_error,
    precision_recall_fscore_support,
    r2_score,
    root_mean_squared_error,
)
from test_report_page import Page, between

from lepton_pipeline.data.labels import OUTSIDE
from lepton_pipeline.evaluation.costs import Costs
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.parameters.evaluation import ClassCosts, ErrorCosts
from lepton_pipeline.reporting.pictures.figures import draw_figures
from lepton_pipeline.reporting.report.classes import describe_quality as describe_classes
from lepton_pipeline.reporting.report.errors import describe_quality as describe_errors
from lepton_pipeline.reporting.report.sections import changed_parameters
from lepton_pipeline.reporting.report.views import VIEWS
from lepton_pipeline.reporting.report.write import render_card, render_report
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

EVIL = "<script>alert('x')</script> {{ 7 * 7 }} | `code`"


def words_of(html, section):
    return Page(between(html, section)).words()


@pytest.fixture(scope="module")
def classes():
    return make_class_evidence()


@pytest.fixture(scope="module")
def class_page(classes):
    html = render_report(classes)
    Page(html)
    return html


@pytest.fixture(scope="module")
def errors():
    return make_error_evidence(log=True)


@pytest.fixture(scope="module")
def error_page(errors):
    html = render_report(errors)
    Page(html)
    return html


def decided(evidence):
    """Names of the true and of the likeliest class of the test rows."""
    names = np.array(evidence.task.score_names)
    labels = evidence.test["label"].to_numpy()
    return names[labels], names[evidence.task.scores(evidence.test, "model").argmax(axis=1)]


def test_every_task_has_a_view():
    assert {task.page for task in (Binary, Multiclass, Regression)} == set(VIEWS)


@pytest.mark.parametrize("page", ["class_page", "error_page"])
def test_there_is_no_section_on_decisions_where_there_is_no_threshold(page, request):
    html = request.getfixturevalue(page)
    assert 'id="costs"' not in html
    assert "#costs" not in html
    assert "hreshold" not in html
    assert 'id="quality"' in html


def test_classes_are_counted_in_every_part(classes, class_page):
    said = words_of(class_page, "data")
    labels = classes.split.groupby("part")["label"].value_counts()
    counts = [labels[part, 0] for part in ("train", "validation", "test")]
    share = sum(counts) / 10
    assert 'the target has 3 classes, of which "Barbera" is the most frequent' in said
    assert f"Barbera{counts[0]}{counts[1]}{counts[2]}{share:.1f}%" in said.replace(" ", "")
    assert "All600200200100.0%" in said.replace(" ", "")
    assert "Test rows decide nothing." in said


def test_many_classes_are_listed_by_their_rows_and_the_rest_together():
    names = [f"class {number}" for number in range(25)]
    evidence = make_class_evidence(names)
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th><td', between(render_report(evidence), "data"))
    assert rows == [*rows[:19], "(6 others)", "All"]
    counts = evidence.split["label"].value_counts()
    assert [counts[names.index(name)] for name in rows[:19]] == sorted(counts, reverse=True)[:19]


def test_precision_and_recall_of_each_class_are_those_of_scikit_learn(classes):
    truth, guess = decided(classes)
    names = list(classes.task.score_names)
    expected = precision_recall_fscore_support(truth, guess, labels=names)
    shown = {name: figures for name, *figures in describe_classes(classes)["classes"]}
    for name, *of_class in zip(names, expected[3], *expected[:3], strict=True):
        assert shown[name] == pytest.approx(of_class)


def test_the_worst_confusion_is_told_and_how_often_the_model_is_right(classes, class_page):
    truth, guess = decided(classes)
    counts = confusion_matrix(truth, guess, labels=list(classes.task.score_names))
    said = words_of(class_page, "quality")
    assert counts[2, 0] == (counts - np.diag(np.diag(counts))).max()
    assert f"GrignolinoBarbera{counts[2, 0]}" in said.replace(" ", "")
    assert f"probability is right for {1000 * (truth == guess).mean():.0f}." in said
    assert (
        f'To say "Barbera" every time, the most frequent class, would be right for {5 * counts[0].sum()}.'
        in said
    )
    assert "200 test rows of 3 classes." in said
    assert class_page.count("<svg class=") >= 5


def test_no_confusion_is_told_as_such():
    evidence = make_class_evidence()
    certain = np.eye(3)[evidence.scores["label"]] * 0.9 + 0.1 / 3
    scores = evidence.scores.assign(**evidence.task.columns("model", certain))
    said = words_of(render_report(make_class_evidence(scores=scores)), "quality")
    assert "No test row was decided as another class than its own." in said
    assert "Most frequent confusions" not in said


def test_a_table_of_many_classes_is_folded_and_missing_boosting_explained():
    alone = replace(make_evidence().registration, boosting_weight=None)
    names = [f"class {number}" for number in range(40)]
    html = render_report(make_class_evidence(names, registration=alone))
    assert "<summary>All 40 classes</summary>" in between(html, "quality")
    assert "grey: both are of the other classes" in between(html, "quality")
    assert "The 20 other classes have" in between(html, "quality")
    assert "<details>" not in between(render_report(make_class_evidence()), "quality")
    assert "gradient boosting is left out of more than 30 classes, and here are 40" in between(html, "model")


def test_headline_figures_of_classes_stand_beside_what_class_shares_reach(classes, class_page):
    shares = classes.test["label"].value_counts(normalize=True)
    said = words_of(class_page, "verdict")
    assert f"class shares alone {-(shares * np.log(shares)).sum():.3f}" in said
    assert f"most frequent class {shares.max():.3f}" in said
    for title in ("Log loss", "Macro F1", "Accuracy", "Calibration error"):
        assert title in said


def test_what_a_class_is_explained_by_names_metric_class_and_case(class_page):
    said = words_of(class_page, "explanation")
    assert "how far the log loss rises when" in said
    assert "Rise of log loss" in said
    assert "alcohol: probability of Barolo" in said
    assert "Barolo, 45.7 %: least certain" in said
    assert "alcohol = 13.2+1.25" in said


def test_gaps_of_any_task_are_told_and_no_positive_rows_counted(class_page, error_page):
    assert "sweet = yes: accuracy" in words_of(class_page, "slices")
    assert "0.120 below the others (−0.200 to −0.040)" in words_of(class_page, "slices")
    assert "town = Graz: MAE" in words_of(error_page, "slices")
    assert "12,346 above the others (+1,234 to +23,457)" in words_of(error_page, "slices")
    assert " positive" not in words_of(class_page, "slices") + words_of(error_page, "slices")
    assert "▲ +12,346" in words_of(error_page, "slices")


def test_the_card_of_classes_has_figures_and_no_threshold(classes):
    card = render_card(classes)
    loss = classes.metrics.model["log_loss"]
    truth, guess = decided(classes)
    assert f"| Log loss | {loss.value:.3f} [{loss.low:.3f} to {loss.high:.3f}] |" in card
    assert "1,000 rows, 3 classes: 600 training, 200 validation, 200 test." in card
    assert "200 test rows of 3 classes; 95 % intervals in brackets.\n" in card
    assert f"Of 1,000 cases, the likeliest class is right for {1000 * (truth == guess).mean():.0f};" in card
    assert "hreshold" not in card
    assert ABOUT.limits in card


def test_names_of_classes_are_shown_and_never_obeyed():
    evidence = make_class_evidence([EVIL, "plum", "pear"])
    html, card = render_report(evidence), render_card(evidence)
    Page(html)
    assert "<script" not in html + card
    assert "49" not in words_of(html, "data").partition("3 classes")[2][:60]
    assert EVIL in words_of(html, "quality")
    assert r"\{\{ 7 \* 7 \}\} \| \`code\`" in card


def test_the_target_of_a_regression_is_described_by_part(errors, error_page):
    said = words_of(error_page, "data").replace(" ", "")
    labels = errors.split["label"]
    test = labels[errors.split["part"] == "test"]
    assert f"themedianofthetargetis{labels.median():,.0f}" in said
    middle = f"{test.quantile(0.05):,.0f}to{test.quantile(0.95):,.0f}"
    assert f"Test200{test.median():,.0f}{middle}{test.min():,.0f}to{test.max():,.0f}" in said


def test_baselines_without_intervals_have_no_coverage(errors, error_page):
    quality = between(error_page, "quality")
    rmse = errors.metrics.test["ridge_regression"]["rmse"]
    assert f'{rmse.value:,.0f}<span class="ci">{rmse.low:,.0f} to {rmse.high:,.0f}</span>' in quality
    coverage = quality.partition("Coverage<span")[2].partition("</tr>")[0]
    assert coverage.endswith('</span></td><td class="n">–</td>')
    assert "Ridge regression" in quality
    assert "they have no prediction intervals" in quality


def test_metrics_of_the_logarithm_are_those_of_scikit_learn(errors):
    logs = describe_errors(errors)["logs"]
    truth = np.log(errors.test["label"])
    for name in ("model", "ridge_regression"):
        predicted = np.log(errors.test[name])
        assert logs[name] == pytest.approx(
            {
                "rmse": root_mean_squared_error(truth, predicted),
                "mae": mean_absolute_error(truth, predicted),
                "r2": r2_score(truth, predicted),
            }
        )


def test_the_logarithmic_scale_is_shown_only_where_it_is_learnt(error_page):
    assert "MAE of the logarithm" in error_page
    assert "logarithm" not in between(render_report(make_error_evidence()), "quality")


def test_a_baseline_that_has_no_logarithm_is_left_out_there(errors):
    scores = errors.scores.assign(ridge_regression=-1.0)
    logs = describe_errors(make_error_evidence(log=True, scores=scores))["logs"]
    assert list(logs) == ["model"]


@pytest.mark.parametrize(
    ("plan", "quantiles", "said"),
    [
        ("folds", False, "so far from the prediction that 5 % of 800 held-out rows lie beyond it"),
        ("folds", False, "The error of each row is that of the fit that did not learn from it."),
        ("refit", True, "a predicted quantile, moved so that 5 % of 200 held-out rows lie beyond it"),
        ("refit", True, "errors are those of the fit on the training rows, before the model that is kept"),
        ("holdout", False, "Held out were the validation rows, which the model did not learn from."),
        ("", False, "of 200 held-out rows lie beyond it (conformal prediction). That share"),
    ],
)
def test_it_is_said_how_intervals_were_made(plan, quantiles, said):
    registration = replace(make_evidence().registration, plan=plan)
    evidence = make_error_evidence(quantiles=quantiles, registration=registration)
    assert said in words_of(render_report(evidence), "quality")


def test_captions_tell_of_points_at_the_edge_and_the_largest_errors_are_listed(errors, error_page):
    said = words_of(error_page, "quality")
    assert said.count("Points: all 200 test rows. What lies far out is drawn at the edge.") == 2
    misses = (errors.test["label"] - errors.test["model"]).abs().sort_values(ascending=False)
    rows = re.findall(r'<tr><th scope="row" class="name">(\d+)</th>', between(error_page, "quality"))
    assert rows == [str(index) for index in misses.index[:10]]


def test_rows_without_a_percentage_are_counted():
    evidence = make_error_evidence()
    scores = evidence.scores.copy()
    scores.loc[scores.index[-3:], "label"] = 0.0
    said = words_of(render_report(make_error_evidence(scores=scores)), "quality")
    assert "MAPE leaves out 3 rows whose true value is 0." in said
    assert "MAPE leaves" not in words_of(render_report(evidence), "quality")


def test_doubtful_labels_face_what_their_model_says(class_page, error_page):
    classes, errors = (words_of(page, "doubts") for page in (class_page, error_page))
    assert "LabelLikeliestProbabilityProbability of labelDoubt" in classes
    assert "BarberaBarolo87.6 %1.2 %0.97" in classes
    assert "the two likeliest classes differ least in probability" in classes
    assert "LabelPredictionLowHighDoubt" in errors
    assert "98,765123,457100,000150,0000.97" in errors
    assert "Doubt is the error in units of the median error" in errors
    assert "The 100 least certain rows have the widest intervals." in errors


def test_intervals_of_one_width_are_said_to_be_so(errors):
    doubts = replace(errors.doubts, least_certain=0)
    words = words_of(render_report(replace(errors, doubts=doubts)), "doubts")
    assert "equally wide on the scale that is learnt, so no row is less certain than another" in words
    assert "least_certain.csv" not in words


def test_what_a_number_is_explained_by_is_in_its_unit(error_page):
    said = words_of(error_page, "explanation")
    assert "how far the MAE rises when" in said
    assert "12,346" in said
    assert "98,765" in said
    assert "Prediction90k" not in said
    assert "123,457, interval 100,000 to 150,000: largest error" in said
    assert "area = 99−2,346" in said
    assert "log-odds" not in said


def test_the_card_of_a_regression_says_how_far_off_it_is(errors):
    card = render_card(errors)
    off = np.median((errors.test["label"] - errors.test["model"]).abs())
    assert f"Half of the predictions are off by at most {off:,.0f};" in card
    assert "| Coverage |" in card
    assert re.search(r"\| Interval width \| [\d,]+ \[[^]]+\] \| – \|", card)
    assert "Predictions and intervals support people" in card


def test_losses_are_named_by_the_task(class_page, error_page):
    assert "Log loss</text>" in between(class_page, "model")
    assert "Squared error, standardised target</text>" in between(error_page, "model")


def test_the_model_is_shown_by_its_parts_and_what_it_costs():
    said = words_of(render_report(make_evidence()), "model")
    assert "Encoderturns the columns into 19 numbers and 1 category–" in said
    assert "Networks5 networks, each of 4 members; 234,567 numbers60 %" in said
    assert "Gradient boosting933 trees; 13,995 leaves40 %" in said
    assert "Calibrationa temperature: one factor for all outputs–" in said
    assert "Learnt from24,000 rows Trained in12.3 seconds Size3.70 MB" in said
    assert "To run0.50 seconds of one processor for 10,000 rows, without reasons" in said


def test_a_version_of_an_earlier_release_shows_what_it_has():
    evidence = make_evidence()
    earlier = replace(evidence.registration, composition=None)
    lineage = replace(evidence.lineage, training_seconds=None)
    said = words_of(render_report(make_evidence(registration=earlier, lineage=lineage)), "model")
    assert "Networks (60%) and gradient boosting (40%)." in said
    assert "PartMade of" not in said
    assert "Learnt from" not in said


def test_files_of_figures_are_those_of_the_task(classes, errors):
    drawn = {
        evidence.task.page: draw_figures(evidence.scores, evidence.target, evidence.metrics, evidence.about)
        for evidence in (make_evidence(), classes, errors)
    }
    assert {page: set(files) for page, files in drawn.items()} == {
        "decisions": {
            "roc.svg",
            "precision_recall.svg",
            "gain.svg",
            "calibration.svg",
            "score_histogram.svg",
        },
        "classes": {"confusion.svg", "classes.svg", "reliability.svg"},
        "errors": {"predictions.svg", "residuals.svg", "coverage.svg"},
    }
    accuracy = classes.metrics.model["accuracy"].value
    assert f"accuracy {100 * accuracy:.1f}\xa0%" in drawn["classes"]["confusion.svg"].decode()
    coverage = errors.metrics.model["coverage"].value
    assert f"Model: {100 * coverage:.1f}\xa0% of the true values" in drawn["errors"]["coverage.svg"].decode()


@pytest.mark.parametrize(
    ("dataset", "gate", "listed"),
    [
        ({"target": "y", "classes": "all"}, {}, {"dataset.target", "dataset.classes"}),
        ({"target": "y", "task": "regression"}, {}, {"dataset.target", "dataset.task"}),
        (
            {"target": "y", "task": "regression", "transform": "log"},
            {"metric": "mae"},
            {"dataset.target", "dataset.task", "dataset.transform", "gate.metric"},
        ),
    ],
)
def test_what_follows_from_the_task_is_no_change_of_a_parameter(dataset, gate, listed):
    declared = Vertical.model_validate({"dataset": dataset, "gate": gate}).model_dump()
    assert {key for key, _, _ in changed_parameters(declared)} == listed


def costs_of(*others):
    figures = {
        name: Estimate(100.0 * number, 90.0 * number, 110.0 * number) for number, name in enumerate(others, 5)
    }
    return Costs(True, "EUR", policies={"model": Estimate(400.0, 350.0, 450.0), **figures}, saving=figures)


def test_classes_are_decided_on_by_costs_and_some_cases_handed_over(classes):
    costs = ClassCosts(wrong=10.0, hand_over=4.0)
    task = Multiclass(classes.task.score_names, costs)
    evidence = replace(classes, target=Target(task), costs=costs_of("likeliest", "hand_over"))
    html = render_report(evidence)
    likeliest = classes.task.scores(evidence.test, "model")
    # With equal costs, a class is decided on where its probability exceeds 1 - 4 / 10.
    taken = likeliest.max(axis=1) >= 0.6
    truth, guess = decided(classes)
    said = words_of(html, "costs")
    assert f"hands {100 * (1 - taken.mean()):.1f} % of the test cases over" in said
    assert f"In {100 * (truth == guess)[taken].mean():.1f} % of the others it decides rightly." in said
    assert "Hand every case over600 EUR" in said
    assert "threshold" not in said
    assert "against: decide on the likeliest class" in words_of(html, "verdict")
    assert 'Against "hand every case over" it saves 600 EUR' in render_card(evidence)


def test_when_rows_are_handed_over_is_told_with_what_others_would_do(classes):
    split = classes.split.copy()
    split.loc[split.index[:7], "part"] = OUTSIDE["validation"]
    task = Multiclass(classes.task.score_names, ClassCosts(hand_over=0.3))
    costs = costs_of("likeliest", "hand_over")
    evidence = replace(classes, target=Target(task), costs=costs, split=split, scope=make_scope(share=0.1))
    html = render_report(evidence)
    said = words_of(html, "scope")
    assert "1,000 test rows are out of scope" in said
    assert "from a probability of 0.742 on" in said
    assert "and 7 rows out of scope among them, with a share of 10.0 % out of scope, as declared" in said
    assert "Right of theseof them, rows with the right class0.9820.972 to 0.992" in said
    assert "Among the test rows, 18.2 % are out of scope" in said
    assert "0.76090.0 %98.3 %90.1 %" in said
    assert "a probability below 0.742. Rows out of scope are among the cases" in words_of(html, "costs")
    assert 'href="#scope"' not in render_report(classes)


def test_a_number_is_decided_on_as_a_quantile():
    costs = ErrorCosts(under=3.0, over=1.0)
    evidence = make_error_evidence(target=Target(Regression(costs=costs)), costs=costs_of("prediction"))
    said = words_of(render_report(evidence), "costs")
    assert "75 % of the true values shall lie below it." in said
    assert "Decide on the prediction500 EUR" in said


def test_that_rows_have_weights_is_told_and_decisions_are_counted_by_them():
    evidence = make_evidence()
    weights = np.where(evidence.scores["label"] == 1, 3.0, 1.0)
    weighted = make_evidence(scores=evidence.scores.assign(weight=weights))
    # Every fourth row is positive: three of them weigh as much as all others.
    assert "500 are positive" in words_of(render_report(weighted), "quality")
    assert "250 are positive" in words_of(render_report(evidence), "quality")
    note = "In these figures rows count by their weight (dataset.weight)"
    assert note in words_of(render_report(weighted), "quality")
    assert note not in words_of(render_report(evidence), "quality")
