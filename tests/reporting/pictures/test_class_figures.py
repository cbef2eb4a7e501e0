import re
from xml.etree import ElementTree

import numpy as np
import pytest

from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pictures.classes import (
    Confusion,
    draw_class_figures,
    draw_classes,
    draw_confusion,
    draw_reliability,
    summarise_classes,
    worst_pairs,
)
from lepton_pipeline.statistics.intervals import wilson

COUNTS = np.array([[90, 10, 0], [5, 15, 0], [1, 0, 3]])
NAMES = ["plum", "pear", "fig"]
ODD = ["a & b", "<script>alert(1)</script>", '"quoted"']


def texts(chart):
    return [each.text for each in ElementTree.fromstring(chart.inline()).iter("text")]


def tiles(chart):
    """Class and opacity of each cell, by row."""
    return re.findall(r'<rect class="(tile[^"]*)".*?fill-opacity="([\d.]+)"', chart.inline())


def many(classes):
    """Counts where class 1 is rarest and the last is the most frequent, with one confusion each."""
    counts = np.diag(np.arange(classes) * 10 + 9)
    counts[np.arange(classes), (np.arange(classes) + 1) % classes] = 1
    return counts, [f"class {place}" for place in range(classes)]


def test_a_confusion_has_shares_of_each_true_class_with_their_rows():
    chart = draw_confusion(COUNTS, NAMES)
    said = texts(chart)
    # Shares and counts of the cells that hold rows, by true class, behind names and row totals.
    cells = ["100", "90", "90", "10", "10", "20", "25", "5", "75", "15", "4", "25", "1", "75", "3"]
    assert said[said.index("rows") + 1 :] == cells
    looks, opacities = zip(*tiles(chart), strict=True)
    assert [look == "tile right" for look in looks] == np.eye(3, dtype=bool).ravel().tolist()
    shares = (COUNTS / COUNTS.sum(axis=1, keepdims=True)).ravel()
    assert np.array(opacities, float) / float(opacities[0]) * 0.9 == pytest.approx(shares, abs=2e-3)


def test_names_and_axes_say_what_happened_and_what_was_decided():
    said = texts(draw_confusion(COUNTS, NAMES))
    assert said[:6] == [*NAMES, *NAMES]
    assert {"Decided class", "True class; shares of each, %"} < set(said)


@pytest.mark.parametrize(
    ("right", "wrong", "written"),
    [(999, 1, [">99", "<1"]), (1000, 0, ["100"]), (995, 5, [">99", "<1"]), (994, 6, ["99", "1"])],
)
def test_rounding_hides_no_row(right, wrong, written):
    # Six classes, so that a cell has its share alone.
    counts = np.zeros((6, 6), int)
    counts[0, :2] = right, wrong
    said = texts(draw_confusion(counts, list("abcdef")))
    assert said[said.index("1,000") + 1 :][: len(written)] == written


def test_two_classes_have_level_names():
    chart = draw_confusion(np.array([[8, 2], [1, 9]]), ["No", "Yes"])
    assert "rotate" not in chart.inline()
    assert "rotate" in draw_confusion(*many(12)).inline()


def test_of_thirty_classes_eleven_are_drawn_and_the_others_together():
    counts, names = many(30)
    chart = draw_confusion(counts, names)
    said = texts(chart)
    assert said[:12] == [*(f"class {place}" for place in range(29, 18, -1)), "19 others"]
    assert len(tiles(chart)) == 144
    assert tiles(chart)[-1][0] == "tile mixed"
    rest = counts[:19].sum()
    # Row of the others: all their rows, of which one was decided as class 19, and the rest as one of them.
    at = said.index(f"{rest:,}")
    assert said[at + 1 :] == ["<1", ">99"]
    assert sum(tile == "tile right" for tile, _ in tiles(chart)) == 11


@pytest.mark.parametrize("draw", [draw_confusion, draw_classes])
def test_names_are_text_and_nothing_else(draw):
    root = ElementTree.fromstring(draw(COUNTS, ODD).inline())
    assert {each.tag for each in root.iter()} <= {"svg", "path", "text", "rect", "circle"}
    said = [each.text for each in root.iter("text")]
    assert ODD[0] in said
    assert ODD[2] in said
    assert any(text.startswith("<script>alert") for text in said)


def test_long_names_are_cut_where_they_stay_apart():
    names = [f"category of goods {place}" for place in range(3)]
    said = texts(draw_confusion(COUNTS, names))
    assert len(set(said[:3])) == 3
    assert all(len(name) <= 14 for name in said[:3])
    assert said[0].endswith("ods 0")
    assert "a name that i…" in texts(draw_confusion(COUNTS, ["a name that is long", "b", "b"]))


def test_pairs_are_ordered_by_rows_then_share():
    assert worst_pairs(COUNTS, NAMES) == [
        Confusion("plum", "pear", 10, 0.1),
        Confusion("pear", "plum", 5, 0.25),
        Confusion("fig", "plum", 1, 0.25),
    ]
    assert worst_pairs(np.array([[9, 1], [1, 3]]), ["a", "b"], most=1) == [Confusion("b", "a", 1, 0.25)]
    assert worst_pairs(np.diag([3, 4]), ["a", "b"]) == []


def test_recall_and_precision_have_their_values_and_wilson_intervals():
    chart = draw_classes(COUNTS, NAMES)
    inline = chart.inline()
    (axis,) = re.findall(r'class="axis" d="M([\d.]+) [\d.]+V[\d.]+H([\d.]+)', inline)
    left, right = map(float, axis)

    def values(look):
        dots = re.findall(f'<circle class="{look}" cx="([\\d.]+)" cy="[\\d.]+" r="3.4"', inline)
        # The first one is of the key.
        return [(float(x) - left) / (right - left) for x in dots[1:]]

    assert values("s0") == pytest.approx([0.9, 0.75, 0.75], abs=2e-3)
    assert values("s3") == pytest.approx([90 / 96, 15 / 25, 1], abs=2e-3)
    ends = re.findall(r'class="s0 thin" d="M([\d.]+) [\d.]+L([\d.]+)', inline)
    known = [wilson(share, rows, 1.96)[1:] for share, rows in ((0.9, 100), (0.75, 20), (0.75, 4))]
    drawn = [tuple((float(end) - left) / (right - left) for end in pair) for pair in ends]
    assert np.array(drawn) == pytest.approx(np.array(known), abs=2e-3)
    said = texts(chart)
    assert said[-6:] == ["100", "96", "20", "25", "4", "3"]


def test_a_class_that_was_never_decided_has_no_precision():
    counts = np.array([[5, 1, 0], [2, 6, 0], [1, 1, 0]])
    inline = draw_classes(counts, NAMES).inline()
    # One of each is of the key.
    assert len(re.findall('<circle class="s0"', inline)) == 4
    assert len(re.findall('<circle class="s3"', inline)) == 3
    assert texts(draw_classes(counts, NAMES))[-1] == "0"


def test_of_thirty_classes_twenty_are_drawn_and_a_sentence_sums_up_the_others():
    counts, names = many(30)
    said = texts(draw_classes(counts, names))
    assert "class 10" in said
    assert "class 9" not in said
    # Ten others of 10 to 100 rows, each with one confusion: recalls of 0.9 to 0.99, median 0.982.
    assert summarise_classes(counts, names) == (
        "The 10 other classes have 550 rows and a median recall of 98\N{NO-BREAK SPACE}%; "
        "the lowest is 90\N{NO-BREAK SPACE}% (class 0)."
    )
    counts[:, 3] = 0
    assert summarise_classes(counts, names).endswith(" (class 3); 1 of them is never decided.")
    assert summarise_classes(COUNTS, NAMES) == ""


def test_other_classes_without_rows_have_no_recall():
    counts = np.diag([1] * 20 + [0] * 2)
    assert (
        summarise_classes(counts, [str(place) for place in range(22)]) == "The 2 other classes have 0 rows."
    )


def test_reliability_is_accuracy_by_confidence():
    confidence, right = np.repeat([0.5, 0.9], 50), np.tile([1, 0], 50)
    right[50:] = 1
    chart = draw_reliability(confidence, right)
    dots = re.findall(r'<circle class="s0" cx="([\d.]+)" cy="([\d.]+)"', chart.inline())
    axis = re.search(r'class="axis" d="M([\d.]+) ([\d.]+)V([\d.]+)H([\d.]+)', chart.inline())
    left, top, bottom, end = map(float, axis.groups())
    drawn = [((float(x) - left) / (end - left), (bottom - float(y)) / (bottom - top)) for x, y in dots]
    assert sorted(drawn) == [pytest.approx((0.5, 0.5), abs=2e-3), pytest.approx((0.9, 1.0), abs=2e-3)]


@pytest.mark.parametrize(
    ("counts", "names"),
    [
        (COUNTS, NAMES),
        (COUNTS, ODD),
        many(30),
        many(2),
        (np.diag([1, 0]), ["a", "b"]),
        (np.zeros((3, 3), int), NAMES),
        (np.array([[0, 5], [5, 0]]), ["a", "\x1b[31m漢字"]),
    ],
    ids=["three", "odd names", "thirty", "two", "one row", "no rows", "all wrong"],
)
def test_figures_are_whole_pictures_of_any_counts(counts, names):
    confidence, right = np.linspace(0.3, 1, 40), np.arange(40) % 3 > 0
    about = About(caution="Synthetic, of 2 < 3 <b>rows</b>.")
    figures = draw_class_figures(counts, names, confidence, right, about)
    assert list(figures) == ["confusion.svg", "classes.svg", "reliability.svg"]
    assert figures == draw_class_figures(counts, names, confidence, right, about)
    for picture in figures.values():
        said = "\n".join(ElementTree.fromstring(picture).itertext())
        assert about.caution in said
        assert not re.search(r"\b(nan|inf)\b", picture.decode().partition("</style>")[2])


def test_a_confusion_figure_lists_the_worst_pairs():
    figure = draw_class_figures(COUNTS, NAMES, np.array([0.5, 0.9]), np.array([True, True]), About())
    said = "\n".join(ElementTree.fromstring(figure["confusion.svg"]).itertext())
    assert "plum decided as pear" in said
    assert "10 rows, 10.0\N{NO-BREAK SPACE}% of the class" in said
    assert "accuracy 87.1\N{NO-BREAK SPACE}%" in said
