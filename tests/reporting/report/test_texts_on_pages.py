"""What the report shows of columns of texts, and of a model that reads nothing else."""

import re
from dataclasses import replace

import pytest
from made_up import ABOUT, make_class_evidence, make_error_evidence, make_evidence, make_explanation
from test_report_page import Page, between

from lepton_pipeline.evaluation.texts import Spread, Tendency, Text, Texts, Word
from lepton_pipeline.features.column_record import TEXT, Column, Columns
from lepton_pipeline.model.attribution import Reason
from lepton_pipeline.reporting.pictures.curves import draw_explanation
from lepton_pipeline.reporting.report.write import render_card, render_report

EVIL = "<b>creek & {{ 7 * 7 }}</b>"
TITLE = Text(
    "title",
    rows=1805,
    missing=12,
    read=1805,
    empty=3,
    words=Spread(3.0, 7.0, 11.0),
    characters=Spread(19.0, 46.0, 1070.0),
    scripts={"Latin": 0.998, "Cyrillic": 0.0015, "Greek": 0.0005},
    fewest=10,
    tendencies=[
        Tendency("a higher number", [Word("luxury", 4.81, 86), Word(EVIL, 2.405, 1016)]),
        Tendency("a lower number", [Word("hostel", -3.546, 18)]),
    ],
)


@pytest.fixture(scope="module")
def html():
    return render_report(make_error_evidence(texts=Texts([TITLE])))


def test_lengths_scripts_and_counts_are_in_one_table(html):
    words = Page(between(html, "texts")).words()
    assert "title1,80512373 to 114619 to 1,070Latin 99.8 %, Cyrillic 0.1 %" in words
    assert "Greek" not in words


def test_telling_words_stand_with_bars_scores_and_rows(html):
    section = between(html, "texts")
    assert section.count("<figure>") == 2
    words = Page(section).words()
    assert "Towards a higher number WordScoreRows luxury+4.8186" in words
    assert "hostel−3.5518" in words
    assert "at least 10 of the 1,805 rows" in words
    assert EVIL not in html
    # Half as long as the longest.
    widths = re.findall(r'width="([\d.]+)" height="7"', section)
    assert widths == ["100", "50", "73.72"]
    assert "<details>" not in section


def test_words_of_many_classes_are_folded():
    classes = [Tendency(f"class {place}", []) for place in range(4)]
    text = replace(TITLE, tendencies=classes, more_classes=7, read=900)
    section = between(render_report(make_class_evidence(texts=Texts([text]))), "texts")
    words = Page(section).words()
    assert "Words for each of 4 classes" in words
    assert "Classes with fewer rows are not listed: 7" in words
    assert "900 read" in words
    assert words.count("No word that is frequent enough") == 4


def test_without_texts_there_is_no_section_and_no_trace(html):
    plain = render_report(make_error_evidence())
    assert 'id="texts"' not in plain
    assert "#texts" not in plain
    entry = '<li><a href="#texts">Text</a></li>\n'
    section = re.search(r'<section id="texts">.*?</section>\n', html, re.DOTALL).group()
    assert html.replace(entry, "").replace(section, "") == plain


def only_text():
    """A run whose model reads one column of texts."""
    explained = make_explanation()
    example = replace(explained.examples[0], reasons=[Reason("title", '"hot tub", "creek"', 0.21)])
    title = Column("title", "text", "text", 0, 0.0, 900, TEXT)
    return make_evidence(
        columns=Columns(600, [title]),
        explanation=replace(
            explained,
            importance=[replace(explained.importance[0], column="title")],
            effects=[],
            reference={"title": "an empty text"},
            examples=[example],
        ),
        texts=Texts([TITLE]),
    )


def test_a_report_with_only_texts_has_nothing_empty():
    html = render_report(only_text())
    page = Page(html)
    section = Page(between(html, "explanation")).words()
    assert "In which direction" not in section
    assert "1 more column" not in section
    assert 'title = "hot tub", "creek"' in section
    assert "The reference case: title = an empty text." in section
    assert "1 text" in page.words()
    assert "text (declared)" in page.words()
    assert "1 text" in render_card(only_text())


def test_the_picture_of_a_model_of_texts_alone_is_as_high_as_its_bars():
    evidence = only_text()
    drawn, full = (
        draw_explanation(each, evidence.target, ABOUT)["explanation.svg"].decode()
        for each in (evidence.explanation, make_explanation())
    )
    heights = [int(re.search(r'viewBox="0 0 960 (\d+)"', each).group(1)) for each in (drawn, full)]
    assert heights[0] < 300 < heights[1]
    assert "if all rows had the value" not in drawn
    assert "title matters most" in drawn
