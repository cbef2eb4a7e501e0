import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.copies_found import Copies, CopiesFound, Entity
from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.copies import enforce_copies, measure_copies
from lepton_pipeline.evaluation.measured_copies import MeasuredCopies, Remaining, describe_copies
from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.parameters import About, Dataset, Evaluation, Split
from lepton_pipeline.pipelines.training import create_pipeline
from lepton_pipeline.registry.publish import register_model
from lepton_pipeline.system.records import from_plain, to_plain
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

ROWS = 1000
QUICK = Evaluation(resamples=100)


def measured(copied, remembered=True, by_chance=0, entities=(), skill=1.0, seed=0):
    """Test rows, the first of them copies, whose outcomes the model remembers."""
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], ROWS)
    model = 1 / (1 + np.exp(-skill * (2 * labels - 1) - rng.normal(size=2 * ROWS)))
    if remembered:
        model[:copied] = 0.01 + 0.98 * labels[:copied]
    scores = pd.DataFrame({"part": ["test"] * ROWS + ["validation"] * ROWS, "label": labels, "model": model})
    return measure_marked(scores, Target(Binary()), copied, by_chance, entities)


def measure_marked(scores, target, copied, by_chance=0, entities=()):
    copy = np.arange(ROWS) < copied
    marks = {"copy": copy, "same_inputs": copy} | {
        f"entity_{number}": each for number, each in enumerate(entities)
    }
    copies = Copies(
        rows=copied,
        by_chance=by_chance,
        example=(0, 4000) if copied else None,
        ignored=["id"],
        repeated=3 * copied,
    )
    patients = [Entity("patient", False, 90, 89, int(each.sum())) for each in entities]
    found = CopiesFound(5 * ROWS, ROWS, "stratified", copies, patients)
    metrics = evaluate(scores, target, QUICK)
    return measure_copies(pd.DataFrame(marks, index=range(ROWS)), found, scores, target, metrics, QUICK)


def test_copies_that_the_model_remembers_stop_unless_they_are_allowed():
    copies = measured(300)
    found = copies.copies
    assert (found.share, found.decide) == (0.3, True)
    assert (found.without.rows, found.without.positives) == (700, 350)
    auc, without = copies.figure, found.without.figure
    assert without.low < without.value < without.high < auc.low
    with pytest.raises(DataError) as refused:
        enforce_copies(copies, Split())
    for part in (
        "300 of 1,000 test rows (30.0%) equal a training or validation row in every column but 'id', target included",
        f"the AUC is {auc.value:.4f} [{auc.low:.4f}, {auc.high:.4f}], without them {without.value:.4f} [",
        "on 700 rows",
        "test row 0 equals row 4000",
        "leave every row once",
        "dataset.group",
        "split.copies: allow",
    ):
        assert part in str(refused.value)
    enforce_copies(copies, Split(copies="allow"))
    ((name, said),) = describe_copies(copies)
    assert name == "copies"
    assert said.endswith("accepted by split.copies: allow")


@pytest.mark.parametrize(
    ("copied", "remembered", "by_chance"),
    [(8, True, 0), (300, False, 0), (300, True, 295), (0, True, 0)],
    ids=["few", "without effect", "by chance", "none"],
)
def test_copies_that_decide_nothing_do_not_stop(copied, remembered, by_chance):
    copies = measured(copied, remembered, by_chance)
    assert not copies.copies.decide
    enforce_copies(copies, Split())
    said = describe_copies(copies)
    assert len(said) == (copied > by_chance + 5)


@pytest.mark.parametrize("left", [0, 3, 15])
def test_where_hardly_any_row_is_no_copy_the_result_says_nothing(left):
    copies = measured(ROWS - left)
    assert copies.copies.without == Remaining(left, (left + 1) // 2, None)
    assert copies.copies.decide
    with pytest.raises(DataError, match=f"cannot be measured without them: {left} test rows are left"):
        enforce_copies(copies, Split())


def test_a_record_of_an_earlier_release_counts_no_unlikely_copies():
    plain = to_plain(measured(300))
    for key in ("unlikely", "unlikely_by_chance", "unlikely_share"):
        del plain["copies"][key]
    assert from_plain(MeasuredCopies, plain) == measured(300)


def test_entities_are_measured_and_never_stop():
    seen = np.arange(ROWS) < 600
    copies = measured(0, entities=[seen])
    (entity,) = copies.entities
    assert (entity.without.rows, entity.without.positives) == (400, 200)
    enforce_copies(copies, Split())
    ((name, said),) = describe_copies(copies)
    assert name == "entities"
    assert "600 of 1,000 test rows have a value of 'patient' that training or validation rows have" in said
    assert "89 of 90 values in several rows have one outcome only; the AUC is 0." in said
    assert said.endswith(
        "declare dataset.group: patient and split.strategy: group if the model must do well on a new 'patient'"
    )


def test_nothing_is_registered_where_copies_decide():
    (node,) = (each for each in create_pipeline("shop").nodes if each.name == "shop.register_model")
    assert {"shop.copies", "params:shop.split"} <= set(node.inputs)
    nothing = pd.DataFrame()
    with pytest.raises(DataError, match="equal a training or validation row"):
        register_model(
            None,
            {},
            nothing,
            nothing,
            Dataset(target="y", positive=1),
            About(),
            {},
            measured(300),
            Split(),
            "no run",
        )


def other_task(copied, classes, remembered=True):
    """Rows of another task, the first of them copies, whose outcomes the model remembers."""
    rng = np.random.default_rng(0)
    rows = 2 * ROWS
    known = np.arange(rows) < (copied if remembered else 0)
    if classes:
        task = Multiclass(["a", "b", "c"])
        labels = rng.integers(0, 3, rows)
        scores = rng.dirichlet([1, 1, 1], rows)
        scores[known] = 0.98 * np.eye(3)[labels[known]] + 0.02 / 3
    else:
        task = Regression()
        labels = rng.normal(size=rows)
        predicted = np.where(known, labels, 0.5 * labels + rng.normal(size=rows))
        scores = np.column_stack([predicted, predicted - 1, predicted + 1])
    part = ["test"] * ROWS + ["validation"] * ROWS
    frame = pd.DataFrame({"part": part, "label": labels, **task.columns("model", scores)})
    return frame, measure_marked(frame, Target(task), copied)


@pytest.mark.parametrize(
    ("classes", "metric", "said"), [(True, "log_loss", "log loss"), (False, "rmse", "RMSE")]
)
def test_copies_of_other_tasks_are_judged_by_their_headline_metric(classes, metric, said):
    frame, copies = other_task(300, classes)
    without = copies.copies.without
    assert (copies.metric, without.rows, without.positives) == (metric, 700, None)
    rest = frame[300:ROWS]
    if classes:
        probabilities = rest.iloc[:, 2:].to_numpy()
        expected = -np.log(probabilities[np.arange(700), rest["label"]]).mean()
    else:
        expected = np.sqrt(((rest["model"] - rest["label"]) ** 2).mean())
    assert without.figure.value == pytest.approx(expected)
    # Lower is better: without copies it is above the interval.
    assert copies.figure.high < without.figure.low
    assert copies.copies.decide
    with pytest.raises(DataError, match=f"the {said} is .*, without them .* on 700 rows"):
        enforce_copies(copies, Split())
    assert from_plain(MeasuredCopies, to_plain(copies)) == copies
    assert not other_task(300, classes, remembered=False)[1].copies.decide


def test_copies_of_other_tasks_that_leave_hardly_a_row_are_told_without_positives():
    _, copies = other_task(ROWS - 3, classes=False)
    assert copies.copies.without == Remaining(3, None, None)
    with pytest.raises(DataError, match=r"without them: 3 test rows are left\. The result"):
        enforce_copies(copies, Split())
