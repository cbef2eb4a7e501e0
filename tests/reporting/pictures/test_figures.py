import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.parameters import About, Evaluation
from lepton_pipeline.reporting.pictures.quality import draw_decision_figures, draw_quality, lift
from lepton_pipeline.statistics.measures import rank
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

TARGET = Target(Binary())
NAMES = {"roc", "precision_recall", "gain", "calibration", "score_histogram"}
MODELS = {
    "Model": "model",
    "Logistic regression": "logistic_regression",
    "Gradient boosting": "hist_gradient_boosting",
}


def make_scores(rows=400, seed=0):
    random = np.random.default_rng(seed)
    labels = (np.arange(rows) % 5 == 0).astype(np.int8)
    frame = pd.DataFrame(
        {"part": np.where(np.arange(rows) < rows // 2, "validation", "test"), "label": labels}
    )
    return frame.assign(
        **{name: 1 / (1 + np.exp(-labels - random.normal(size=rows))) for name in MODELS.values()}
    )


def draw(scores, about=None):
    return draw_decision_figures(
        scores, evaluate(scores, TARGET, Evaluation(resamples=100)), about or About()
    )


def words(picture):
    return "\n".join(ElementTree.fromstring(picture).itertext())


def paths(chart, look):
    """Corners of each line of a class, in units of the chart."""
    found = []
    for path in re.findall(f'<path class="{look}" d="([^"]*)"', chart):
        points = []
        for step, number, other in re.findall(r"([MLHV])([\d.]+)(?: ([\d.]+))?", path):
            x, y = points[-1] if points else (0.0, 0.0)
            at = {"H": (float(number), y), "V": (x, float(number))}
            points.append(at[step] if step in at else (float(number), float(other)))
        found.append(np.array(points))
    return found


@pytest.fixture(scope="module")
def figures():
    return draw(make_scores())


def test_every_picture_is_one_svg_without_a_trace_of_software_or_date(figures):
    assert set(figures) == {f"{name}.svg" for name in NAMES}
    for picture in figures.values():
        root = ElementTree.fromstring(picture)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.get("width") == "960"
        assert not re.search(rb"atplotlib|<metadata|\d{4}-\d\d-\d\d|href|url\(", picture)
        assert b"prefers-color-scheme: dark" in picture


def test_a_page_has_the_same_curves_as_the_files(figures):
    scores = make_scores()
    inline = draw_quality(scores, evaluate(scores, TARGET, Evaluation(resamples=100)))
    assert set(inline) == NAMES
    for name, chart in inline.items():
        assert chart.partition(">")[2].removesuffix("</svg>").encode() in figures[f"{name}.svg"]


def test_same_input_same_bytes_and_other_scores_other_pictures(figures):
    assert draw(make_scores()) == figures
    others = draw(make_scores(seed=1))
    assert all(others[name] != figures[name] for name in figures)


def test_validation_rows_are_not_drawn(figures):
    scores = make_scores()
    metrics = evaluate(scores, TARGET, Evaluation(resamples=100))
    assert draw_decision_figures(scores[scores["part"] == "test"], metrics, About()) == figures


def test_pictures_name_models_values_and_intervals(figures):
    metrics = evaluate(make_scores(), TARGET, Evaluation(resamples=100))
    for name, metric in (("roc", "auc"), ("precision_recall", "average_precision"), ("calibration", "ece")):
        said = words(figures[f"{name}.svg"])
        assert "200 test rows, 20 % positive" in said
        for title, model in MODELS.items():
            assert title in said
            assert "{value:.3f} ≈[{low:.3f}, {high:.3f}]".format(**vars(metrics.test[model][metric])) in said
    for name in ("roc", "precision_recall", "gain", "score_histogram"):
        assert f"{metrics.threshold:.3f}" in words(figures[f"{name}.svg"])


def test_curves_have_the_area_that_the_metrics_say():
    scores = make_scores()
    metrics = evaluate(scores, TARGET, Evaluation(resamples=100))
    inline, figures = draw_quality(scores, metrics), metrics.model
    for name, metric in (("roc", "auc"), ("precision_recall", "average_precision")):
        (curve,) = paths(inline[name], "s0")
        (axis,) = paths(inline[name], "axis")
        (left, top), (_, bottom), (right, _) = axis
        area = np.trapezoid((bottom - curve[:, 1]) / (bottom - top), (curve[:, 0] - left) / (right - left))
        assert area == pytest.approx(figures[metric].value, abs=0.002)


def test_gain_is_the_share_of_positive_rows_among_the_likeliest():
    # The likeliest 2 of 20 rows hold 2 of the 5 positive ones; the third and the last one are equally likely.
    labels = [1, 1, 1, *[0] * 14, 1, 1, 0]
    scores = np.array([0.9, 0.8, 0.7, *np.linspace(0.6, 0.2, 16), 0.7])
    assert lift(rank(scores, np.array(labels, dtype=float))) == pytest.approx((2 / 5) / 0.1)
    assert lift(rank(np.full(20, 0.5), np.array(labels, dtype=float))) == pytest.approx(1.0)
    parts = ["validation"] * 20 + ["test"] * 20
    frame = pd.DataFrame({"part": parts, "label": labels * 2, "model": np.tile(scores, 2)})
    chart = draw_quality(frame, evaluate(frame, TARGET, Evaluation(resamples=100)))["gain"]
    (curve,), (axis,) = paths(chart, "s0"), paths(chart, "axis")
    (left, top), (_, bottom), (right, _) = axis
    shares = (curve[:, 0] - left) / (right - left), (bottom - curve[:, 1]) / (bottom - top)
    assert np.interp([0.05, 0.1, 0.2, 1], *shares) == pytest.approx([0.2, 0.4, 0.6, 1], abs=0.005)


def test_calibration_bars_are_wilson_intervals():
    # One bin of 10 rows with 1 positive: Wilson's 95 % interval is [0.0179, 0.4042], the axis ends at 1.04 x 0.2.
    labels = [1] + [0] * 9
    scores = pd.DataFrame({"part": ["validation"] * 10 + ["test"] * 10, "label": labels * 2, "model": 0.2})
    chart = draw_quality(scores, evaluate(scores, TARGET, Evaluation(resamples=100)))["calibration"]
    (bar,), (axis,) = paths(chart, "interval"), paths(chart, "axis")
    (_, top), (_, bottom), _ = axis
    assert (bottom - bar[0, 1]) / (bottom - top) * 1.04 * 0.2 == pytest.approx(0.0179, abs=1e-3)
    assert bar[1, 1] == top


@pytest.mark.parametrize(
    "scores",
    [
        make_scores(rows=60),
        make_scores().assign(model=0.3, logistic_regression=0.3, hist_gradient_boosting=0.3),
        make_scores().assign(model=lambda rows: rows["label"].astype(float)),
        make_scores().assign(model=0.0),
        make_scores().assign(model=lambda rows: rows["model"] / 1000),
        make_scores().drop(columns=["logistic_regression", "hist_gradient_boosting"]),
        make_scores(rows=20_000),
        make_scores().assign(**{f"rival_{number}": 0.5 for number in range(4)}),
    ],
    ids=[
        "thirty test rows",
        "equal scores",
        "perfect",
        "zeros",
        "rare",
        "no baselines",
        "thinned curves",
        "rivals",
    ],
)
def test_draws_unusual_scores(scores):
    for picture in draw(scores).values():
        assert "nan" not in picture.decode()
        assert len(words(picture)) > 100


def test_leaves_its_arguments_alone():
    scores = make_scores()
    before = scores.copy()
    draw(scores)
    pd.testing.assert_frame_equal(scores, before)


def test_a_caution_stands_below_every_picture():
    for picture in draw(make_scores(), About(caution="Synthetic data, of 2 < 3 <b>rows</b>.")).values():
        root = ElementTree.fromstring(picture)
        (caution,) = [each for each in root if each.text == "Synthetic data, of 2 < 3 <b>rows</b>."]
        (parts,) = [each for each in root if each.tag.endswith("}svg")]
        assert float(caution.get("y")) > float(parts.get("y")) + float(parts.get("height"))
        assert float(caution.get("y")) < float(root.get("height"))
