"""What every task promises, of every task."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import metrics as theirs
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, huber_loss, mse_loss

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import ClassCosts, ErrorCosts
from lepton_pipeline.parameters.evaluation import BOUNDED, DECIDING
from lepton_pipeline.statistics.metric_table import METRICS
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.calibration import Calibration
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.forecast import Forecast
from lepton_pipeline.tasks.multiclass import MOST_BOOSTED, Multiclass
from lepton_pipeline.tasks.regression import _HUBER, Regression

ROWS = 400
THREE = Multiclass(["a", "b: c", "d"])
FORTY = Multiclass([f"class {place}" for place in range(40)])
BARE = {
    "binary": Binary(),
    "three classes": THREE,
    "forty classes": FORTY,
    "number": Regression(),
    "logarithm": Regression("log"),
    "robust": Regression(robust=True),
    "quantiles": Regression(quantiles=True, coverage=0.8),
    "forecast": Forecast(),
}


def labels_of(task, rows=ROWS, seed=0):
    """Labels as the task reads them; of classes, every one comes."""
    rng = np.random.default_rng(seed)
    if isinstance(task, Binary):
        return (rng.random(rows) < 0.3).astype(np.int8)
    if isinstance(task, Multiclass):
        return rng.permutation(np.arange(rows) % task.outputs).astype(np.int16)
    return np.exp(rng.normal(3.0, 0.5, rows))


TASKS = {name: task.fitted(labels_of(task)) for name, task in BARE.items()}
each_task = pytest.mark.parametrize("name", TASKS)
classes = pytest.mark.parametrize("name", ["binary", "three classes", "forty classes"])
numbers = pytest.mark.parametrize("name", ["number", "logarithm", "robust", "quantiles", "forecast"])


def outputs_of(task, labels, noise=1.0, seed=1):
    """Outputs [n] or [n, K] that know the labels but for the noise."""
    rng = np.random.default_rng(seed)
    n = len(labels)
    if isinstance(task, Binary):
        return 2.0 * labels - 1 + noise * rng.normal(size=n)
    if isinstance(task, Multiclass):
        return 2.0 * np.eye(task.outputs)[labels] + noise * rng.normal(size=(n, task.outputs))
    mean = task.targets(labels) + 0.5 * noise * rng.normal(size=n)
    return np.column_stack([mean, mean - 0.7, mean + 0.7]) if task.quantiles else mean


def scores_of(task, labels, noise=1.0):
    """Scores of a whole model, with intervals where the task has them."""
    outputs = outputs_of(task, labels, noise)
    return task.with_intervals(outputs, labels).from_outputs(outputs)


def tensors(task, members=3, networks=2, rows=30):
    """Outputs [networks, rows, members, K] and targets [networks, rows]."""
    generator = torch.Generator().manual_seed(0)
    labels = labels_of(task, rows * networks)
    targets = torch.from_numpy(task.targets(labels)).view(networks, rows)
    outputs = torch.randn(networks, rows, members, task.outputs, generator=generator)
    return outputs, targets


def as_torch_has_it(task, outputs, targets):
    """Losses [n] of one network's member, outputs [n, K]."""
    if isinstance(task, Binary):
        return binary_cross_entropy_with_logits(outputs[:, 0], targets, reduction="none")
    if isinstance(task, Multiclass):
        return cross_entropy(outputs, targets, reduction="none")
    if isinstance(task, Forecast):
        losses, levels = torch.zeros_like(targets), dict(enumerate(task.all_levels))
    elif task.robust:
        return 2 * huber_loss(outputs[:, 0], targets, reduction="none", delta=_HUBER)
    else:
        losses = mse_loss(outputs[:, 0], targets, reduction="none")
        levels = dict(enumerate(task.levels, start=1)) if task.quantiles else {}
    for place, level in levels.items():
        given = [(float(true), float(told)) for true, told in zip(targets, outputs[:, place], strict=True)]
        pinball = [theirs.mean_pinball_loss([true], [told], alpha=level) for true, told in given]
        losses = losses + torch.tensor(pinball)
    return losses


@each_task
def test_losses_are_the_usual_ones_of_each_row_and_member(name):
    task = TASKS[name]
    outputs, targets = tensors(task)
    losses = task.losses(outputs, targets)
    assert losses.shape == (2, 30, 3)
    for network in range(2):
        for member in range(3):
            expected = as_torch_has_it(task, outputs[network, :, member], targets[network])
            torch.testing.assert_close(losses[network, :, member], expected.to(losses.dtype))


@each_task
def test_a_step_down_the_gradient_lowers_the_loss(name):
    task = TASKS[name]
    outputs, targets = tensors(task)
    outputs.requires_grad_()
    before = task.losses(outputs, targets).sum()
    before.backward()
    assert outputs.grad.isfinite().all()
    with torch.no_grad():
        assert task.losses(outputs - 0.01 * outputs.grad, targets).sum() < before


@each_task
def test_members_are_averaged_as_probabilities_or_predictions(name):
    task = TASKS[name]
    outputs, _ = tensors(task)
    combined = task.combine(outputs)
    assert combined.dtype == torch.float64
    assert combined.shape == ((2, 30) if task.outputs == 1 else (2, 30, task.outputs))
    each = outputs.double().numpy()
    if isinstance(task, Binary):
        each = 1 / (1 + np.exp(-each))
    if isinstance(task, Multiclass):
        each = np.exp(each) / np.exp(each).sum(axis=3, keepdims=True)
    assert combined.numpy().reshape(2, 30, -1) == pytest.approx(each.mean(axis=2), abs=1e-12)


@each_task
def test_held_out_rows_are_judged_by_loss_and_a_second_figure(name):
    task = TASKS[name]
    outputs, targets = tensors(task)
    combined, own = task.combine(outputs)[0], targets[0]
    loss, figure = task.judge(own)(combined)
    assert loss.dtype == figure.dtype == torch.float64
    scores, labels = combined.numpy(), own.numpy()
    if isinstance(task, Binary):
        levelled = task.from_outputs(task.levelled(task.to_outputs(scores), labels))
        assert levelled.mean() == pytest.approx(labels.mean())
        expected = theirs.log_loss(labels, levelled), theirs.roc_auc_score(labels, scores)
    elif isinstance(task, Multiclass):
        hits = theirs.accuracy_score(labels, scores.argmax(axis=1))
        expected = theirs.log_loss(labels, scores, labels=range(task.outputs)), hits
    else:
        mean = scores if scores.ndim == 1 else scores[:, 0]
        wanted = as_torch_has_it(task, combined.reshape(30, -1), own.double())
        expected = wanted.mean().item(), theirs.mean_absolute_error(labels, mean)
    assert (loss.item(), figure.item()) == pytest.approx(expected, rel=1e-6)
    assert len(task.curves) == 2


@classes
def test_outputs_are_the_logits_of_what_is_combined(name):
    task, labels = TASKS[name], labels_of(TASKS[name])
    scores = task.from_outputs(outputs_of(task, labels))
    assert task.from_outputs(task.to_outputs(scores)) == pytest.approx(scores, abs=1e-12)
    if scores.ndim == 2:
        assert scores.sum(axis=1) == pytest.approx(np.ones(ROWS))


@pytest.mark.parametrize(
    ("task", "loss"),
    [
        (Regression(), "squared_error"),
        (Regression(robust=True), "huber_loss"),
        (Regression(quantiles=True), "squared_error_and_pinball_loss"),
        (Regression(robust=True, quantiles=True), "huber_loss_and_pinball_loss"),
    ],
)
def test_a_curve_is_named_after_the_loss_that_is_learnt(task, loss):
    assert task.curves == (loss, "absolute_error")


@numbers
def test_outputs_are_standardised_and_restored(name):
    task, labels = TASKS[name], labels_of(TASKS[name])
    targets = task.targets(labels)
    assert targets.dtype == np.float32
    if task.robust:
        low, middle, high = np.quantile(targets, [0.25, 0.5, 0.75])
        assert (middle, high - low) == pytest.approx((0, 1.349), abs=1e-5)
    else:
        assert (targets.mean(), targets.std()) == pytest.approx((0, 1), abs=1e-5)
    outputs = targets.astype(np.float64)
    assert np.array_equal(task.to_outputs(outputs), outputs)
    assert task.from_outputs(outputs) == pytest.approx(labels, rel=1e-5)


@each_task
def test_row_losses_are_those_of_scikit_learn(name):
    task, labels = TASKS[name], labels_of(TASKS[name])
    outputs = outputs_of(task, labels)
    losses = task.row_losses(outputs, labels)
    assert losses.shape == (ROWS,)
    if isinstance(task, Regression):
        measure = theirs.mean_absolute_error if task.robust else theirs.mean_squared_error
        mean = outputs if outputs.ndim == 1 else outputs[:, 0]
        expected = measure(task._standardised(labels), mean)
        if isinstance(task, Forecast):
            truth, levels = task._standardised(labels), task.all_levels
            pinball = [
                theirs.mean_pinball_loss(truth, outputs[:, place], alpha=level)
                for place, level in enumerate(levels)
            ]
            expected = np.mean(pinball)
    else:
        expected = theirs.log_loss(labels, task.from_outputs(outputs), labels=np.unique(labels))
    assert losses.mean() == pytest.approx(expected, rel=1e-9)
    some = labels[::7]
    assert np.array_equal(task.row_losses(outputs[::7], some), losses[::7])


@each_task
def test_levelled_outputs_are_right_on_average(name):
    task, labels = TASKS[name], labels_of(TASKS[name])
    outputs = outputs_of(task, labels) + 0.8
    levelled = task.levelled(outputs, labels)
    if isinstance(task, Multiclass | Forecast):
        assert np.array_equal(levelled, outputs)
    elif isinstance(task, Binary):
        assert task.from_outputs(levelled).mean() == pytest.approx(labels.mean())
    else:
        mean = levelled if levelled.ndim == 1 else levelled[:, 0]
        assert mean.mean() == pytest.approx(task.targets(labels).mean(), abs=1e-6)
        # An interval moves as a whole.
        assert np.ptp(levelled - outputs) == pytest.approx(0, abs=1e-12)


@classes
def test_a_calibration_lowers_the_loss_of_rows_that_it_was_not_fitted_to(name):
    task = TASKS[name]
    labels = labels_of(task, 4000)
    outputs = 3 * outputs_of(task, labels)
    fitted = task.calibrate(outputs[:2000], labels[:2000])
    assert fitted.slope < 0.7
    before, after = (task.row_losses(each, labels)[2000:] for each in (outputs, fitted.correct(outputs)))
    assert after.mean() < 0.95 * before.mean()
    likeliest = task.from_outputs(fitted.correct(outputs)).reshape(4000, -1).argmax(axis=1)
    assert np.array_equal(likeliest, outputs.reshape(4000, -1).argmax(axis=1))


@numbers
def test_predictions_of_a_number_are_not_corrected(name):
    task, labels = TASKS[name], labels_of(TASKS[name])
    assert task.calibrate(3 * outputs_of(task, labels), labels) == Calibration()


@each_task
def test_balanced_weights_give_every_class_the_same_total_and_mean_one(name):
    task, labels = TASKS[name], labels_of(TASKS[name])
    if isinstance(task, Multiclass):
        labels = np.concatenate([labels, np.zeros(200, dtype=np.int16)])
    targets = torch.from_numpy(task.targets(labels))
    train = torch.arange(len(labels) - 20)
    weights = task.class_weights(targets, train)
    assert weights[train].mean().item() == pytest.approx(1)
    if isinstance(task, Regression):
        assert weights.unique().tolist() == [1.0]
        return
    totals = [weights[train][targets[train] == each].sum().item() for each in targets.unique()]
    assert totals == pytest.approx([len(train) / len(totals)] * len(totals), rel=1e-5)
    assert all(len(weights[targets == each].unique()) == 1 for each in targets.unique())


@each_task
def test_columns_of_a_frame_give_the_scores_back(name):
    task, labels = TASKS[name], labels_of(TASKS[name], 80)
    scores = scores_of(task, labels)
    bare = task.without_intervals().from_outputs(outputs_of(task, labels))
    frame = pd.DataFrame({"part": "test", "label": labels, "weight": 1.0})
    frame = frame.assign(**task.columns("model", scores), **task.columns("network", bare))
    assert np.array_equal(task.scores(frame, "model"), scores)
    assert np.array_equal(task.scores(frame, "network"), bare)
    assert task.models(frame) == ["model", "network"]
    # What is drawn as one line or ranked is under the model's own name.
    assert ("model" in frame) == (not isinstance(task, Multiclass))


def by_scikit_learn(task, labels, scores):
    if isinstance(task, Binary):
        return {
            "auc": theirs.roc_auc_score(labels, scores),
            "f1": theirs.f1_score(labels, scores >= 0.4),
            "average_precision": theirs.average_precision_score(labels, scores),
            "log_loss": theirs.log_loss(labels, scores),
            "brier": theirs.brier_score_loss(labels, scores),
        }
    if isinstance(task, Multiclass):
        decided = scores.argmax(axis=1)
        return {
            "log_loss": theirs.log_loss(labels, scores, labels=range(task.outputs)),
            "macro_f1": theirs.f1_score(labels, decided, average="macro"),
            "accuracy": theirs.accuracy_score(labels, decided),
            "balanced_accuracy": theirs.balanced_accuracy_score(labels, decided),
            "ovr_auc": theirs.roc_auc_score(labels, scores, multi_class="ovr"),
        }
    predicted, low, high = scores.T
    return {
        "rmse": theirs.root_mean_squared_error(labels, predicted),
        "mae": theirs.mean_absolute_error(labels, predicted),
        "r2": theirs.r2_score(labels, predicted),
        "mape": theirs.mean_absolute_percentage_error(labels, predicted),
        "wape": np.abs(labels - predicted).sum() / labels.sum(),
        "bias": predicted.mean() - labels.mean(),
        "coverage": ((low <= labels) & (labels <= high)).mean(),
        "width": (high - low).mean(),
    }


@each_task
def test_metrics_are_those_of_scikit_learn_on_rows_as_often_as_they_are_drawn(name):
    task, labels = TASKS[name], labels_of(TASKS[name])
    scores = scores_of(task, labels)
    weights = np.random.default_rng(3).integers(1, 4, size=(2, ROWS)).astype(np.float64)
    weights[0] = 1
    measured = task.prepare(labels, scores, 0.4 if task.has_threshold else None).measure(weights)
    assert set(measured) == set(BOUNDED[task.task])
    for place, drawn in enumerate(weights.astype(int)):
        expected = by_scikit_learn(task, labels.repeat(drawn), scores.repeat(drawn, axis=0))
        found = {metric: measured[metric][place] for metric in expected}
        assert found == pytest.approx(expected, rel=1e-9)


@each_task
def test_metrics_that_are_shown_and_decide_are_measured_and_in_the_table(name):
    task = TASKS[name]
    assert {*task.shown, *DECIDING[task.task]} <= set(BOUNDED[task.task]) <= set(METRICS)
    assert DECIDING[task.task][0] == task.shown[0]


@each_task
def test_values_of_rows_average_to_the_metric(name):
    task, labels = TASKS[name], labels_of(TASKS[name])
    scores = scores_of(task, labels)
    measured = task.prepare(labels, scores, 0.5 if task.has_threshold else None).measure(np.ones((1, ROWS)))
    values = task.row_values(labels, scores)
    assert values
    for metric, each in values.items():
        assert each.shape == (ROWS,)
        assert each.mean() == pytest.approx(measured[metric][0], rel=1e-9)


@pytest.mark.parametrize(
    ("task", "labels", "cases", "drawn"),
    [
        (Binary(), [0, 0, 1, 0], 1, [0, 0, 1, 0]),
        (Binary(), [1, 0, 1, 1], 1, [1, 0, 1, 1]),
        (THREE, [0, 0, 0, 1, 2, 2], 3, None),
        (THREE, [], 0, None),
        (Regression(), [0.5, 2.0, 2.0], 3, None),
    ],
)
def test_intervals_rest_on_the_rows_that_are_rare(task, labels, cases, drawn):
    labels = np.array(labels)
    assert task.cases(labels) == cases
    found = task.classes_drawn(labels)
    assert (None if found is None else found.tolist()) == drawn


@pytest.mark.parametrize(
    ("task", "scores", "message"),
    [
        (
            Binary(),
            [0.2, 1.5, -1],
            r"model scored 2 of 3 rows outside \[0, 1\], first 1.5 in row 8; a model must",
        ),
        (Binary(), [0.2, 0.5, np.nan], r"model scored 1 of 3 rows outside \[0, 1\], first nan in row 9"),
        (
            THREE,
            [[0.2, 0.3, 0.5], [np.nan, 0.5, 1.5], [1, 0, 0]],
            r"scored 1 of 3 rows outside \[0, 1\], first nan in row 8",
        ),
        (
            Regression(),
            [1.0, np.inf, np.nan],
            "model predicted no finite number in 2 of 3 rows, first in row 8",
        ),
        (
            Regression(),
            [[1, 0, 2], [1, 0, np.nan], [1, 0, 2]],
            "model predicted no finite number in 1 of 3 rows, first in row 8. Look for missing or huge values",
        ),
    ],
)
def test_scores_that_no_model_may_give_are_refused(task, scores, message):
    index = pd.Index([7, 8, 9])
    with pytest.raises(DataError, match=message):
        task.refuse(np.array(scores, dtype=np.float64), index, "model")
    task.refuse(np.array(scores, dtype=np.float64)[:1], index[:1], "model")


@pytest.mark.parametrize(
    "target",
    [
        *(Target(task) for task in TASKS.values()),
        Target(THREE, {"a": 3, "b: c": 2, "d": 40}),
        Target(Multiclass(["a", "b", "c"], ClassCosts(wrong=2.0, matrix={"a": {"b": 9.0}}, hand_over=1.0))),
        Target(TASKS["quantiles"].with_intervals(np.zeros((40, 3)), np.arange(1.0, 41.0))),
        Target(Regression("log", costs=ErrorCosts(under=2.0, over=1.0), decided=0.25)),
    ],
)
def test_a_target_is_written_and_read_again(target):
    again = from_json(Target, to_json(target))
    assert again == target
    assert to_json(again) == to_json(target)
    assert again.task.differs_from(target.task) is None


def test_a_task_that_is_none_is_refused_by_its_name():
    with pytest.raises(DataError, match=r"target.json holds no Target: task: .*ranking"):
        from_json(Target, '{"task": {"task": "ranking"}}', "target.json")


@each_task
def test_only_scores_of_the_same_classes_or_of_numbers_compare(name):
    alike = [other for other, task in TASKS.items() if TASKS[name].differs_from(task) is None]
    assert alike == (
        ["number", "logarithm", "robust", "quantiles"]
        if isinstance(TASKS[name], Regression) and name != "forecast"
        else [name]
    )


def test_a_task_is_told_in_words():
    assert str(Binary()) == "binary"
    assert str(Multiclass(["a", "b", "c"])) == "multiclass of a, b, c"
    assert THREE.differs_from(Binary()) == "it predicts something else: binary"
    swapped = Multiclass(["b: c", "a", "d"])
    assert swapped.differs_from(THREE) == "it predicts something else: multiclass of a, b: c, d"


@each_task
def test_the_linear_baseline_fits_targets_and_gives_outputs(name):
    task, labels = TASKS[name], labels_of(TASKS[name])
    inputs = task.to_outputs(outputs_of(task, labels, noise=0.5)).reshape(ROWS, -1)[:, :40]
    if isinstance(task, Binary | Multiclass):
        inputs = outputs_of(task, labels, noise=0.5).reshape(ROWS, -1)
    weak, strong = (task.linear_model(each).fit(inputs, task.targets(labels)) for each in (1e-4, 1.0))
    wanted = strong.decision_function if hasattr(strong, "decision_function") else strong.predict
    outputs = wanted(inputs)
    assert outputs.shape == ((ROWS, task.outputs) if isinstance(task, Multiclass) else (ROWS,))
    constant = np.zeros_like(outputs)
    assert task.row_losses(outputs, labels).mean() < 0.8 * task.row_losses(constant, labels).mean()
    assert np.abs(weak.coef_).sum() < np.abs(strong.coef_).sum(), "a lower strength must shrink more"


def test_many_classes_are_not_boosted_and_regressed_once():
    names = [f"class {place}" for place in range(MOST_BOOSTED + 1)]
    assert Multiclass(names).boosters == []
    assert len(Multiclass(names[1:]).boosters) == 1
    assert Multiclass(names).strengths == (1.0,)
    assert Multiclass(names[1:]).strengths == Binary().strengths == Regression().strengths


def test_boosting_has_a_model_of_each_end_of_an_interval():
    assert [(each.loss, each.quantile) for each in TASKS["number"].boosters] == [("squared_error", None)]
    assert [(each.loss, each.quantile) for each in TASKS["robust"].boosters] == [("absolute_error", None)]
    ends = [(each.loss, each.quantile) for each in TASKS["quantiles"].boosters]
    assert ends[0] == ("squared_error", None)
    assert [each for _, each in ends[1:]] == pytest.approx([0.1, 0.9])


@each_task
def test_an_explanation_is_of_one_figure_a_row(name):
    task, labels = TASKS[name], labels_of(TASKS[name], 60)
    outputs, scores = outputs_of(task, labels), scores_of(task, labels)
    places = task.explained_place(scores)
    assert places.shape == (60,)
    if isinstance(task, Multiclass):
        assert np.array_equal(places, scores.argmax(axis=1))
        own = scores[:, 1]
        assert task.explained(outputs, 1) == pytest.approx(np.log(own / (1 - own)), abs=1e-9)
    elif isinstance(task, Binary):
        assert np.array_equal(task.explained(outputs, 0), outputs)
    else:
        assert (places == 0).all()
        assert np.array_equal(task.explained(outputs, 0), scores[:, 0])
