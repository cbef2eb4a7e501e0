from dataclasses import replace
from xml.etree import ElementTree

from lepton_pipeline.evaluation.explanation import Effect, Explanation, Importance, Point
from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pictures.curves import draw_explanation
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression


def point(value, probability=0.3):
    return Point(value, probability, probability - 0.1, probability + 0.1, share=0.2)


def explanation(**changed):
    names = ["a", "cost ($) of #1 ($)", "a very long name of a column that goes on", *map(str, range(20))]
    effects = [
        Effect("a", "number", [point(-1.5), point(0, 0.4), point(3), point("missing", 0.2)]),
        Effect(names[1], "category", [point(f"a long value {place}") for place in range(8)]),
        Effect("b", "category", [point("missing")]),
        Effect("c", "number", [point(7)]),
        Effect("d", "number", [point("missing")]),
    ]
    importance = [Importance(name, 0.1 / (place + 1), -0.01, 0.2) for place, name in enumerate(names)]
    return replace(Explanation("auc", 1000, 0.8, 5, importance, effects, {}, []), **changed)


def draw(task=None, **changed):
    about = About(question="Will it?", caution="synthetic")
    return draw_explanation(explanation(**changed), Target(task or Binary()), about)


def words(picture):
    return "\n".join(ElementTree.fromstring(picture).itertext())


def test_the_picture_is_one_svg_and_equal_arguments_give_equal_bytes():
    (name, picture), *others = draw().items()
    assert (name, others) == ("explanation.svg", [])
    for said in (
        "a matters most",
        "1,000 test rows",
        "cost ($) of #1 ($)",
        "a very long name of a…",
        "synthetic",
    ):
        assert said in words(picture)
    assert draw()["explanation.svg"] == picture
    assert draw(rows=999)["explanation.svg"] != picture


def test_names_are_drawn_as_they_are():
    odd = "\x1b[31m $\\frac{ <b>\u6f22\x07"
    effects = [Effect(odd, "category", [point(odd), point("\x1b"), point("missing")])]
    one = [Importance(odd, 0.1, 0.0, 0.2)]
    assert "\\x1b[31m $\\frac{ <b>" in words(draw(importance=one, effects=effects)["explanation.svg"])


def test_one_column_without_any_effect_can_be_drawn():
    one = [Importance("a", 0.0, 0.0, 0.0)]
    assert "a matters most" in words(draw(importance=one, effects=[])["explanation.svg"])


def test_what_gets_worse_is_named_and_effects_are_in_its_unit():
    effects = [
        Effect("a", "number", [point(0, 1200.0), point(5, 1400.0)]),
        Effect("b", "category", [point("x", -123456.7), point("y", 98765.4)]),
    ]
    falls = [Importance("a", 1234.567, 1000.0, 1500.0)]
    drawn = draw(Regression(), metric="mae", importance=falls, effects=effects)["explanation.svg"]
    said = words(drawn).splitlines()
    for text in (
        "a matters most: shuffled, the MAE rises by 1,235",
        "Importance: rise of the MAE",
        "Mean prediction if all rows had the value",
        "1,235",
        "Prediction",
        "−123,457",
        "98,765",
    ):
        assert text in said
    assert not [text for text in said if text.endswith("%")]


def test_an_effect_on_one_of_several_classes_names_it():
    effects = [Effect("a", "number", [point(0, 0.3), point(5, 0.4)], of="plum")]
    drawn = draw(Multiclass(["pear", "plum", "apple"]), metric="log_loss", effects=effects)
    said = words(drawn["explanation.svg"])
    assert "a: plum" in said
    assert "shuffled, the log loss rises by 0.100" in said
    assert "Probability" in said
