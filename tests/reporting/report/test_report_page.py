import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import yaml
from conftest import REPOSITORY
from made_up import (
    ABOUT,
    make_columns,
    make_contract,
    make_copies,
    make_costs,
    make_decision,
    make_distributions,
    make_drift,
    make_evidence,
    make_explanation,
    make_slices,
)

from lepton_pipeline.data.reading import ReadFile, SkippedFile
from lepton_pipeline.evaluation.costs import Choice, Costs, Curve
from lepton_pipeline.evaluation.decision import Check
from lepton_pipeline.evaluation.distributions import Distributions
from lepton_pipeline.evaluation.doubts import Doubts
from lepton_pipeline.evaluation.explanation import Screen
from lepton_pipeline.evaluation.slices import Slices
from lepton_pipeline.features.column_record import Columns
from lepton_pipeline.features.report import FeatureReport, Finding
from lepton_pipeline.parameters import About
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.reporting.report.decisions import count_outcomes
from lepton_pipeline.reporting.report.sections import changed_parameters, describe_drift, describe_verdict
from lepton_pipeline.reporting.report.write import render_card, render_report
from lepton_pipeline.statistics.estimates import Evidence, Rows
from lepton_pipeline.system.records import from_plain, to_plain

EVIL = "<script>alert('x')</script>\n{{ 7 * 7 }}{% raw %}\"quoted\" & $a_b$ | `code` </style>--> ]]>"
VOID = {"meta", "link", "br", "img", "input", "hr"}
SECTIONS = [
    "verdict",
    "data",
    "columns",
    "model",
    "quality",
    "costs",
    "slices",
    "explanation",
    "drift",
    "doubts",
    "lineage",
]


class Page(HTMLParser):
    """Reads a page as a strict reader would: every element is closed in order."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.links, self.text = [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == "id"]
        self.links += [value for name, value in attributes if name in ("href", "src", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} closes another element"

    def handle_data(self, text):
        self.text.append(text)

    def words(self):
        return re.sub(r"\s+", " ", "".join(self.text))


@pytest.fixture(scope="module")
def html():
    return render_report(make_evidence())


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


@pytest.fixture(scope="module")
def bare():
    """The report of a run that was refused and computed little."""
    return render_report(
        make_evidence(
            decision=make_decision(promoted=False), costs=None, slices=None, explanation=None, drift=None
        )
    )


@pytest.fixture(scope="module")
def plain():
    """The report of a run without costs, on several raw tables."""
    undeclared = Costs(False, "", 0.3, [Choice(0.5, 100.0, 0.5, 0.2, None, False)], {}, {}, Curve(), None, "")
    finding = Finding("rv1", "pure noise", "noise", "alone it reaches AUC 0.5", "")
    return render_report(
        make_evidence(
            costs=undeclared,
            contracts=[make_contract("plane is known", "tables.flights"), make_contract()],
            feature_report=FeatureReport(0, 0.95, "stop", "drop", [], [finding]),
            slices=Slices(),
        )
    )


def between(html, section):
    """One section of a page."""
    return html.partition(f'<section id="{section}">')[2].partition("</section>")[0]


def test_every_section_is_there_in_order_and_reached_by_the_contents(page):
    assert [attributes["id"] for tag, attributes in page.tags if tag == "section"] == SECTIONS
    assert [link for link in page.links if link.removeprefix("#") in SECTIONS] == [
        f"#{name}" for name in SECTIONS
    ]


def test_the_page_needs_nothing_beside_it(html, page):
    assert not re.search(r"https?:|//[a-z]|@import|<iframe|<object|<link| src=|\bon\w+=", html)
    assert html.count("<script") == 1
    assert all(link.startswith("#") for link in page.links)
    assert {
        address for address in re.findall(r"url\(([^)]*)\)", html) if not address.startswith("#")
    } == set()


def test_ids_are_unique_and_every_link_inside_finds_its_own(html, page):
    assert len(set(page.ids)) == len(page.ids)
    inside = [link.removeprefix("#") for link in page.links] + re.findall(r"url\(#([^)]*)\)", html)
    assert set(inside) <= set(page.ids)


def test_equal_evidence_gives_equal_bytes(html):
    assert render_report(make_evidence()) == html
    assert render_card(make_evidence()) == render_card(make_evidence())


def test_pictures_are_drawn_without_traces_and_with_text_as_text(html):
    assert html.count("<svg") > 10
    assert "<metadata" not in html
    assert "atplotlib" not in html
    assert "'DejaVu Sans'" not in html
    assert "Predicted probability</text>" in html


def test_figures_on_the_page_are_those_of_the_evidence(html):
    evidence = make_evidence()
    quality = between(html, "quality")
    for figures in evidence.metrics.test.values():
        for figure in figures.values():
            assert (
                f'{figure.value:.3f}<span class="ci">{figure.low:.3f} to {figure.high:.3f}</span>' in quality
            )
    costs = between(html, "costs")
    for text in ("58,765 EUR", "50,000 to 65,000", "+135 EUR", "−800 to +1,050", "0.200", "410", "43.0\xa0%"):
        assert text in costs
    assert "0.612" not in between(html, "slices")
    assert '61.2\xa0%<span class="ci">57.0 to 65.4</span><span class="flag">▼ −8.3 points' in between(
        html, "slices"
    )
    assert "0.0560 to 0.1000" in between(html, "explanation")
    for each in evidence.drift.columns:
        assert f"{each.psi:.3f}" in between(html, "drift")
    for value in (
        evidence.registration.weights_sha256,
        evidence.ingestion_record.sha256,
        evidence.lineage.run_id,
    ):
        assert value in between(html, "lineage")


def test_the_verdict_stands_first_and_is_in_plain_words(page, html):
    words = Page(between(html, "verdict")).words()
    assert "Promoted Version 3 is the champion now, replacing version 2." in words
    assert words.count("✓ holds") == 3


def test_checks_have_titles_that_people_know():
    names = ["bound ece", "champion", "champion unchanged", "baseline", "slices", "slice job = x y"]
    checks = [Check(name, True, "") for name in names]
    described = describe_verdict(make_evidence(decision=replace(make_decision(), checks=checks)))
    assert [title for title, _ in described["checks"]] == [
        "Bound of Calibration error",
        "Against the champion",
        "Champion unchanged",
        "Against the baseline",
        "Slices",
        "Slice job = x y",
    ]


def test_a_refusal_is_as_plain_and_shows_what_failed(bare):
    words = Page(between(bare, "verdict")).words()
    assert "Refused Version 3 is a challenger; version 2 stays champion. One check failed." in words
    assert words.count("✗ fails") == 1


def test_only_a_promoted_model_has_a_champion_before_it(bare, html):
    assert "Against the champion before it: " in Page(between(html, "quality")).words()
    assert "Against the champion: " in Page(between(bare, "quality")).words()


def test_one_row_put_aside_is_one_row():
    one = replace(make_contract(), rows=1, quarantined=1)
    evidence = make_evidence(contracts=[one])
    words = Page(between(render_report(evidence), "data")).words()
    assert "1 row was held to" in words
    assert "1 row was put aside" in words
    assert "1 row broke the contract and was put aside." in render_card(evidence)


def test_the_verdict_knows_first_models_lonely_refusals_and_force():
    first = replace(make_decision(), champion_version=None)
    assert "the first one" in describe_verdict(make_evidence(decision=first))["sentence"]
    resumed = replace(make_decision(), champion_version=3)
    assert "the first one" not in describe_verdict(make_evidence(decision=resumed))["sentence"]
    same = replace(make_decision(), promoted=None, version=4, champion_version=3)
    assert describe_verdict(make_evidence(decision=same))["sentence"].startswith(
        "Version 4 equals the champion, version 3"
    )
    lonely = replace(make_decision(promoted=False), champion_version=None)
    assert "there is no champion" in describe_verdict(make_evidence(decision=lonely))["sentence"]
    forced = replace(make_decision(promoted=False), promoted=True)
    assert "One check failed." in describe_verdict(make_evidence(decision=forced))["sentence"]


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("costs", "was not computed"),
        ("slices", "measured apart in this run"),
        ("explanation", "was not explained"),
        ("drift", "were not compared"),
    ],
)
def test_a_section_without_results_says_why(bare, section, says):
    Page(bare)
    content = between(bare, section)
    assert says in content
    assert "<table" not in content


def test_doubtful_labels_are_a_hint_and_say_where_all_of_them_are(html):
    content = Page(between(html, "doubts")).words()
    assert "1,200 held-out rows (training and validation rows) were scored by a fit" in content
    assert "The labels of 12 contradict their scores most" in content
    assert "a hint and no proof" in content
    assert "Row Label Decision Probability Doubt 30 negative positive 98.8 % 0.97 " in spaced(html)
    assert "The 10 most doubtful of 12 rows. Doubt is 1 less the probability" in content
    assert "The probabilities of the 100 least certain rows are nearest to the threshold." in content
    assert "doubtful_labels.csv and least_certain.csv in data/08_reporting/finance/." in content


def spaced(html):
    """The words of the section on doubtful labels, with space between cells."""
    return Page(re.sub(r"(</t[hd]>)", r" \1", between(html, "doubts"))).words()


def test_doubtful_labels_without_a_row_have_no_section():
    for doubts in (None, Doubts(300, 0, 0, [])):
        page = render_report(make_evidence(doubts=doubts))
        assert 'id="doubts"' not in page
        assert "Doubtful labels" not in page
    none = Page(between(render_report(make_evidence(doubts=Doubts(300, 0, 100, []))), "doubts"))
    assert "None of their labels contradicts its score." in none.words()
    assert "listed, with the columns declared as id, group and time: least_certain.csv in" in none.words()
    assert "table" not in [tag for tag, _ in none.tags]


def test_costs_that_are_not_declared_leave_what_other_thresholds_would_do(plain):
    Page(plain)
    assert "No costs are declared" in between(plain, "costs")
    assert "Cost per 1,000" not in plain
    assert "Saved per 1,000" not in plain
    assert "50.0\xa0%" in between(plain, "costs")


def test_a_vertical_without_slices_is_told_how_to_declare_them(plain):
    assert "no slices (evaluation.slices) and no sensitive columns" in between(plain, "slices")


def test_three_gaps_are_told_the_surest_first_and_the_rest_counted():
    each = make_slices().slices[0]
    recall = each.gaps["recall"]
    gaps = [replace(recall, value=-0.3 - number / 100, high=-0.01 - number / 100) for number in range(12)]
    slices = [replace(each, value=f"v{number}", gaps={"recall": gap}) for number, gap in enumerate(gaps)]
    section = between(render_report(make_evidence(slices=replace(make_slices(), slices=slices))), "slices")
    told = re.findall(r"<li>SEX = (v\d+):", section)
    assert told == ["v11", "v10", "v9"]
    assert "9 more are marked in the tables below." in Page(section).words()


def test_many_columns_that_differ_are_named_but_not_all_shown():
    column = replace(make_drift().columns[0], flagged=True)
    columns = [replace(column, column=f"c{number}", psi=9 - number / 9) for number in range(30)]
    described = describe_drift(make_evidence(drift=replace(make_drift(), columns=columns)))
    assert [each.column for each in described["shown"]] == [f"c{number}" for number in range(20)]
    assert [each.column for each in described["further"]] == [f"c{number}" for number in range(20, 30)]


def test_raw_tables_have_contracts_of_their_own_and_findings_are_told(plain):
    words = Page(between(plain, "data")).words()
    assert "Raw table flights: 30,000 rows were held to 2 expectations; 1 did not hold" in words
    assert "plane is known" in words
    assert "rv1: pure noise (left out); alone it reaches AUC 0.5." in words


def test_files_and_records_set_apart_are_told(page, html):
    words = Page(between(html, "data")).words()
    assert "Readclients.csv.gz 1,508 rows" in words
    assert "Skippedclients (1).csv: empty" in words
    assert "1,508 in files, 8 set apart (8 short records, e.g. clients.csv.gz line 17), 1,500 in" in words


def test_every_column_is_listed_those_that_are_not_used_first(html):
    section = between(html, "columns")
    words = Page(section).words()
    assert (
        "6 columns: 2 numbers, 1 category, 1 date through others, 2 not used. Missing and distinct values"
        in words
    )
    names = re.findall(r'<th scope="row" class="name">([^<]*)</th>', section)
    assert names == ["default", "AGE", "LIMIT_BAL", "JOB", "signed", "signed_month"]
    assert "not used: declared in dataset.sensitive" in words
    assert "date, through signed_month" in words
    assert "JOB: codes: whole numbers with leading zeros" in words
    assert "<details>" not in section


def test_a_long_table_of_columns_is_folded_below_what_is_not_used():
    columns = make_columns().columns
    many = [replace(columns[1], name=f"x{number}") for number in range(30)]
    section = between(render_report(make_evidence(columns=Columns(9, many + columns))), "columns")
    outside = Page(section.partition("<details>")[0]).words()
    assert "The targetdefault Declared in dataset.sensitiveAGE" in outside
    assert "x29" not in outside
    assert "x29" in section


def test_a_run_without_a_table_of_columns_says_so_and_its_card_nothing():
    evidence = make_evidence(columns=Columns())
    assert "This run kept no table of its columns." in between(render_report(evidence), "columns")
    assert "Columns:" not in render_card(evidence)


def evil_reading():
    reading = make_evidence().ingestion_record.reading
    return replace(reading, files=[ReadFile(EVIL, 1, 0)], skipped=[SkippedFile(EVIL, EVIL)])


def evil_evidence():
    about = About(
        **dict.fromkeys(("question", "caution", "intended_use", "out_of_scope", "limits", "licence"), EVIL)
    )
    lineage = make_evidence().lineage
    declared = lineage.parameters | {"dataset": lineage.parameters["dataset"] | {"target": EVIL, "id": EVIL}}
    finding = Finding(EVIL, EVIL, "noise", EVIL, "")
    decision = make_decision(promoted=False)
    return make_evidence(
        about=about,
        lineage=replace(lineage, parameters=declared),
        ingestion_record=replace(make_evidence().ingestion_record, files=[EVIL], reading=evil_reading()),
        contracts=[make_contract(EVIL, f"tables.{EVIL}")],
        feature_report=FeatureReport(0, 0.95, "stop", "warn", [], [finding]),
        decision=replace(decision, reason=EVIL, checks=[Check(f"slice {EVIL}", False, EVIL)]),
        registration=replace(make_evidence().registration, name=EVIL),
        costs=make_costs(EVIL),
        slices=make_slices(EVIL, EVIL),
        explanation=make_explanation(EVIL, EVIL),
        drift=make_drift(EVIL, EVIL),
        columns=make_columns(EVIL, EVIL),
        distributions=make_distributions(EVIL, EVIL),
    )


def test_what_users_wrote_is_shown_and_never_obeyed(html):
    evil = render_report(evil_evidence())
    page = Page(evil)
    harmless = Page(html)
    assert re.findall("<script.*?</script>", evil, re.S) == re.findall("<script.*?</script>", html, re.S)
    shown = page.words()
    assert "49{%" not in shown
    assert (
        shown.count(
            "<script>alert('x')</script> {{ 7 * 7 }}{% raw %}\"quoted\" & $a_b$ | `code` </style>--> ]]>"
        )
        > 15
    )
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in harmless.tags}
    attributes = {name for _, each in page.tags for name in each}
    assert attributes == {name for _, each in harmless.tags for name in each}


def test_markdown_of_users_is_shown_and_never_obeyed():
    card = render_card(evil_evidence())
    assert "<script" not in card
    assert "{{ 7" not in card
    assert r"\{\{ 7 \* 7 \}\}" in card
    assert r"\`code\`" in card
    assert r"&#36;a_b&#36; \|" in card
    tables = [line for line in card.splitlines() if line.startswith("| ")]
    assert all(line.count("|") - line.count(r"\|") == 6 for line in tables)


def test_the_card_says_what_is_not_declared_instead_of_guessing():
    card = render_card(make_evidence(about=About(), slices=None, costs=None))
    for key in ("question", "intended_use", "out_of_scope", "licence"):
        assert f"about.{key}" in card
    assert "No groups were measured apart." in card
    assert "saves" not in card


def test_the_card_has_the_figures_with_intervals():
    evidence = make_evidence()
    card = render_card(evidence)
    auc = evidence.metrics.model["auc"]
    assert f"| AUC | {auc.value:.3f} [{auc.low:.3f} to {auc.high:.3f}] |" in card
    assert "- SEX = 2 (sensitive): recall 8.3 points below the others [−12.1 to −4.5]" in card
    assert "saves 19,235 EUR per 1,000 cases [13,000 to 28,000]" in card
    assert ABOUT.out_of_scope in card
    assert (
        "Columns: 6: 2 numbers, 1 category, 1 date through others, 2 not used; not used: default (the target);"
        in card
    )
    assert "Test rows differ from training rows in LIMIT_BAL, JOB." in card


def without_ends(each):
    """The same results as of too few cases: every figure has its value alone."""
    if isinstance(each, list):
        return [without_ends(value) for value in each]
    if not isinstance(each, dict):
        return each
    ends = {"low", "high"} if "value" in each else set()
    return {key: without_ends(value) for key, value in each.items() if key not in ends}


def test_too_few_cases_are_told_in_report_and_card():
    metrics, costs = (
        from_plain(type(each), without_ends(to_plain(each)))
        for each in (make_evidence().metrics, make_costs())
    )
    costs = replace(costs, curve=replace(costs.curve, low=[None] * 19, high=[None] * 19))
    rows = {**metrics.rows, "validation": Rows(300, 12)}
    metrics = replace(metrics, evidence=Evidence(9, 300, "row"), rows=rows)
    evidence = make_evidence(metrics=metrics, costs=costs, slices=Slices())
    page, card = render_report(evidence), render_card(evidence)
    assert '<span class="ci">cannot be judged</span>' in between(page, "quality")
    assert '<span class="ci">cannot be judged</span>' in between(page, "costs")
    assert "cannot be judged; chance 0.5" in between(page, "verdict")
    for said in (
        "No intervals: 9 test rows of the rarer class",
        "chosen on 12 held-out positive rows, below 100",
    ):
        assert said in between(page, "quality")
        assert said in card
    assert "per 1,000 cases [cannot be judged]" in card


def test_approximate_intervals_are_marked_in_report_and_card():
    metrics = make_evidence().metrics
    auc = replace(metrics.model["auc"], approximate=True)
    test = {**metrics.test, "model": {**metrics.model, "auc": auc}}
    evidence = make_evidence(metrics=replace(metrics, test=test, evidence=Evidence(75, 12, "group")))
    ends = f"≈ {auc.low:.3f} to {auc.high:.3f}"
    quality = between(render_report(evidence), "quality")
    assert ends in quality
    assert "12 groups of test rows, below 30" in quality
    assert "in which whole groups are drawn" in quality
    assert f"[{ends}]" in render_card(evidence)


def test_rows_on_both_sides_of_the_split_are_told(html):
    page = between(html, "data")
    assert (
        "12 of 300 test rows (4.0%) equal a training or validation row in every column but &#39;ID&#39;"
        in page
    )
    assert "by chance, some 11 would" in page
    assert "the AUC is 0.8400 [0.8000, 0.8800], without them 0.7100 [0.6200, 0.7900] on 90 rows" in page
    assert "Rows on both sides" not in between(render_report(make_evidence(copies=None)), "data")


def test_the_card_tells_of_copies_where_there_are_more_than_by_chance():
    card = render_card(make_evidence())
    assert "declare dataset.group: patient and split.strategy: group" in card
    assert "12 of 300 test rows" not in card
    card = render_card(make_evidence(copies=make_copies(rows=60)))
    assert "60 of 300 test rows (20.0%) equal a training or validation row" in card
    assert "leave every row once in the data" in card


def test_only_what_was_changed_of_the_parameters_is_listed(page):
    words = page.words()
    assert "training.epochs" in words
    assert "dataset.target" in words
    assert "training.width" not in words
    assert "about.question" not in words


VERTICALS = sorted(path.parent.name for path in (REPOSITORY / "conf/base").glob("*/parameters.yml"))


@pytest.mark.parametrize("vertical", VERTICALS)
def test_what_every_bundled_vertical_changes_of_the_defaults_can_be_listed(vertical):
    text = (REPOSITORY / "conf/base" / vertical / "parameters.yml").read_text(encoding="utf-8")
    declared = read_vertical(vertical, yaml.safe_load(text)[vertical]).model_dump()
    changed = {key: value for key, value, _ in changed_parameters(declared)}
    limits = {key: declared["gate"].get(key) for key in ("at_least", "at_most")}
    assert {key: changed.get(f"gate.{key}") for key in limits} == limits
    costs = declared["evaluation"]["costs"] or {}
    assert {key for key in changed if key.startswith("evaluation.costs.")} == {
        f"evaluation.costs.{key}" for key, value in costs.items()
    }


def test_the_report_says_what_was_measured_on_samples(monkeypatch):
    monkeypatch.setattr("lepton_pipeline.reporting.report.sections.LINEAR_ROWS", 100)
    usual = make_evidence()
    html = render_report(
        make_evidence(
            metrics=replace(usual.metrics, resampled_rows=300_000),
            explanation=replace(usual.explanation, screen=Screen(2000, 20)),
            feature_report=FeatureReport(180_000, 0.95, "stop", "warn", [], [], of_rows=6_000_000),
        )
    )
    quality, data, explained = (between(html, name) for name in ("quality", "data", "explanation"))
    assert "bootstrap resamples, from a sample of 300,000 rows" in quality
    assert "(the linear one from at most 100 of these " in quality
    assert "a sample of 180,000 of 6,000,000 training rows" in data
    assert "of 2,000 columns: those that move the scores of 20 test rows most" in explained
    usual_page = render_report(make_evidence(explanation=usual.explanation))
    assert "sample of" not in between(usual_page, "data")
    assert "Measured are" not in usual_page


def test_outcomes_of_other_thresholds_are_in_the_page(html):
    evidence = make_evidence()
    (given,) = re.findall('id="thresholds" data-rows="([^"]*)" hidden', html)
    rows, own = json.loads(given), evidence.metrics.cut
    (place,) = re.findall('id="threshold" type="range" min="0" max="[0-9]+" value="([0-9]+)"', html)
    assert rows[int(place)][0] == pytest.approx(own, abs=1e-4)
    outcomes = count_outcomes(evidence.scores, own)
    cells = [outcomes[name] for name in ("found", "missed", "false_alarms", "left_alone")]
    assert rows[int(place)][1:] == pytest.approx(cells, abs=0.1)
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    # From the lowest probability on, the model acts on all cases.
    assert rows[0][2] == rows[0][4] == 0
    assert all(sum(row[1:]) == pytest.approx(1000, abs=0.3) for row in rows)
    assert len(rows) > 90


def test_ten_columns_are_drawn_and_the_rest_folded(html):
    section = between(html, "data")
    said = Page(section).words()
    assert (
        "Values in the 1,200 training and validation rows; below them the share of positive rows by value"
        in said
    )
    assert "36 rows without a value (3.0 %)" in said
    drawn, folded = section.split("<summary>2 more columns</summary>")
    assert drawn.count('aria-label="Distribution of') == 10
    assert folded.count('aria-label="Distribution of') == 2
    few = between(render_report(make_evidence(distributions=make_distributions(number=3))), "data")
    assert few.count('aria-label="Distribution of') == 3
    assert "more columns" not in few
    assert "The columns that matter most" not in render_report(make_evidence(distributions=Distributions()))
