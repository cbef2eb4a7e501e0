from xml.etree import ElementTree

from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pictures.explanation import draw_explanation


def point(value, probability=0.3):
    return {
        "value": value,
        "probability": probability,
        "low": probability - 0.1,
        "high": probability + 0.1,
        "share": 0.2,
    }


def explanation(**changed):
    names = ["a", "cost ($) of #1 ($)", "a very long name of a column that goes on", *map(str, range(20))]
    return {
        "rows": 1000,
        "permutations": 5,
        "importance": [
            {"column": name, "value": 0.1 / (place + 1), "low": -0.01, "high": 0.2}
            for place, name in enumerate(names)
        ],
        "effects": [
            {
                "column": "a",
                "kind": "number",
                "points": [point(-1.5), point(0, 0.4), point(3), point("missing", 0.2)],
            },
            {
                "column": names[1],
                "kind": "category",
                "points": [point(f"a long value {place}") for place in range(8)],
            },
            {"column": "b", "kind": "category", "points": [point("missing")]},
            {"column": "c", "kind": "number", "points": [point(7)]},
            {"column": "d", "kind": "number", "points": [point("missing")]},
        ],
    } | changed


def draw(**changed):
    return draw_explanation(explanation(**changed), About(question="Will it?", caution="synthetic"))


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
    effects = [{"column": odd, "kind": "category", "points": [point(odd), point("\x1b"), point("missing")]}]
    one = [{"column": odd, "value": 0.1, "low": 0.0, "high": 0.2}]
    assert "\\x1b[31m $\\frac{ <b>" in words(draw(importance=one, effects=effects)["explanation.svg"])


def test_one_column_without_any_effect_can_be_drawn():
    one = [{"column": "a", "value": 0.0, "low": 0.0, "high": 0.0}]
    assert "a matters most" in words(draw(importance=one, effects=[])["explanation.svg"])
