import io

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.parameters import About, Evaluation
from lepton_pipeline.reporting.pictures.quality import draw_figures

NAMES = {"roc.png", "precision_recall.png", "calibration.png", "score_histogram.png"}


def make_scores(rows=400, seed=0):
    random = np.random.default_rng(seed)
    labels = (np.arange(rows) % 5 == 0).astype(np.int8)
    frame = pd.DataFrame({"part": np.where(np.arange(rows) < rows // 2, "validation", "test"), "label": labels})
    names = ("model", "logistic_regression", "hist_gradient_boosting")
    return frame.assign(**{name: 1 / (1 + np.exp(-labels - random.normal(size=rows))) for name in names})


def draw(scores):
    return draw_figures(scores, evaluate(scores, Evaluation(resamples=100)), About())


def read(picture):
    return matplotlib.image.imread(io.BytesIO(picture), format="png")


@pytest.fixture(scope="module")
def figures():
    return draw(make_scores())


@pytest.fixture
def pages(monkeypatch):
    """The matplotlib figures as they are saved, in the order of drawing."""
    kept = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda page, *args, **kwargs: kept.append(page) or save(page, *args, **kwargs)
    )
    return kept


def words(page):
    return "\n".join(text.get_text() for text in page.findobj(lambda part: hasattr(part, "get_text")))


def test_draws_four_pictures_of_one_size_with_something_on_them(figures):
    assert set(figures) == NAMES
    pictures = [read(picture) for picture in figures.values()]
    assert {picture.shape for picture in pictures} == {(992, 1536, 4)}
    assert all(0.005 < (picture[..., :3].min(axis=2) < 0.9).mean() < 0.5 for picture in pictures)


def test_same_input_same_bytes(figures):
    assert draw(make_scores()) == figures


def test_other_scores_other_pictures(figures):
    others = draw(make_scores(seed=1))
    assert all(others[name] != figures[name] for name in NAMES)


def test_pictures_carry_no_trace_of_software_or_date(figures):
    for picture in figures.values():
        assert b"tEXt" not in picture
        assert b"tIME" not in picture
        assert b"atplotlib" not in picture


def test_validation_rows_are_not_drawn(figures):
    scores = make_scores()
    metrics = evaluate(scores, Evaluation(resamples=100))
    assert draw_figures(scores[scores["part"] == "test"], metrics, About()) == figures


def test_pictures_name_models_values_and_intervals(pages):
    scores = make_scores()
    metrics = evaluate(scores, Evaluation(resamples=100))
    draw_figures(scores, metrics, About())
    roc, precision_recall, calibration, histogram = map(words, pages)
    for page, metric in (
        (roc, "auc"),
        (precision_recall, "average_precision"),
        (calibration, "ece"),
        (histogram, "f1"),
    ):
        assert "200 test rows, 20 % positive" in page
        for name, model in {
            "Model": "model",
            "Logistic regression": "logistic_regression",
            "Gradient boosting": "hist_gradient_boosting",
        }.items():
            assert name in page
            assert "{value:.3f} ≈[{low:.3f}, {high:.3f}]".format(**vars(metrics.test[model][metric])) in page
    for page in (roc, precision_recall, histogram):
        assert f"{metrics.threshold:.3f}" in page


def test_nothing_is_cut_off_at_the_edge(figures):
    for name, picture in figures.items():
        rim = np.ones(read(picture).shape[:2], dtype=bool)
        rim[4:-4, 4:-4] = False
        assert (read(picture)[rim][:, :3] == 1).all(), name


def test_curves_end_where_the_metrics_say(pages):
    scores = make_scores()
    metrics = evaluate(scores, Evaluation(resamples=100))
    draw_figures(scores, metrics, About())
    false, true = pages[0].axes[0].lines[0].get_data()
    assert np.trapezoid(true, false) == pytest.approx(metrics.model["auc"].value)
    recall, precision = pages[1].axes[0].lines[0].get_data()
    area = (np.diff(recall) * precision[1:]).sum()
    assert area == pytest.approx(metrics.model["average_precision"].value)


def test_calibration_bars_are_wilson_intervals(pages):
    # One bin of 10 rows with 1 positive: Wilson's 95 % interval is [0.0179, 0.4042].
    labels = [1] + [0] * 9
    scores = pd.DataFrame({"part": ["validation"] * 10 + ["test"] * 10, "label": labels * 2, "model": 0.2})
    draw(scores)
    bar = pages[2].axes[0].collections[0].get_segments()[0]
    np.testing.assert_allclose(bar, [[0.2, 0.0179], [0.2, 0.4042]], atol=1e-4)


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
    ],
    ids=["thirty test rows", "equal scores", "perfect", "zeros", "rare", "no baselines", "thinned curves"],
)
def test_draws_unusual_scores(scores):
    assert set(draw(scores)) == NAMES


def test_leaves_its_arguments_and_the_global_state_alone():
    import matplotlib

    scores, settings = make_scores(), dict(matplotlib.rcParams)
    before = scores.copy()
    draw(scores)
    pd.testing.assert_frame_equal(scores, before)
    assert dict(matplotlib.rcParams) == settings


def test_a_caution_stands_on_every_picture_and_covers_nothing(pages):
    scores = make_scores()
    drawn = draw_figures(scores, evaluate(scores, Evaluation(resamples=100)), About(caution="Synthetic data."))
    assert len(pages) == len(drawn) == len(NAMES)
    for page in pages:
        (caution,) = [text for text in page.texts if text.get_text() == "Synthetic data."]
        lowest = min(axes.get_tightbbox().y0 for axes in page.axes)
        assert caution.get_window_extent().y1 < lowest
