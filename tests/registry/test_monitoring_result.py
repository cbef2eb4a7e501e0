"""From a champion in a registry to what new rows say of it, and to the page."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.monitoring.new_rows import score_new_rows
from lepton_pipeline.monitoring.page import render_page
from lepton_pipeline.monitoring.reference import Reference
from lepton_pipeline.monitoring.result import compare_new_rows
from lepton_pipeline.parameters import About, Decay, Evaluation, Gate, Monitoring, Retraining
from lepton_pipeline.registry.fetch import fetch_champion

AS_OF = "2030-01-01T00:00:00"


@pytest.fixture
def champion(shop):
    registration = shop.version("watched")
    shop.client.set_registered_model_alias("watched", "champion", str(registration["version"]))
    return fetch_champion("watched")


def grown(shop, rows, seed=11, mean=40.0, cities=("Oslo", "Rome"), noise=15.0):
    """The table of the shop with further days."""
    random = np.random.default_rng(seed)
    first = len(shop.table)
    more = pd.DataFrame(
        {
            "id": range(first, first + rows),
            "age": random.normal(mean, 10, rows),
            "city": random.choice(list(cities), rows),
            "day": pd.date_range(shop.table["day"].max(), periods=rows + 1)[1:],
        }
    )
    more["bought"] = np.where(more["age"] + noise * random.standard_normal(rows) > 40, "yes", "no")
    return pd.concat([shop.table, more[shop.table.columns]], ignore_index=True)


def watch(shop, champion, table, **declared):
    model, version, stored, learnt, seen = champion
    reference = Reference.from_dict(stored) if stored else None
    span = reference.span if reference else (0.0, seen_until(shop))
    new = score_new_rows(table, model, seen, span, shop.dataset, AS_OF)
    monitoring, retraining = Monitoring(**declared), Retraining(on_decay=Decay(windows=2, of=3))
    evaluation = Evaluation(resamples=100)
    return compare_new_rows(
        table, new, model, version, reference, learnt, shop.dataset, Gate(), evaluation, retraining, monitoring, AS_OF
    )


def seen_until(shop):
    return shop.table["day"].max().timestamp()


def test_rows_of_the_same_kind_are_like_those_of_the_training(shop, champion):
    result = watch(shop, champion, grown(shop, 300), window="100d")
    json.dumps(result, allow_nan=False)
    assert (result["rows_new"], result["rows_mature_new"]) == (300, 300)
    assert result["drifted"] is False
    assert result["decayed"] is False
    assert [each["column"] for each in result["columns"]] == ["age", "city"]
    assert [window["rows"] for window in result["windows"]] == [100, 100, 100]
    assert result["windows"][0]["from"] == shop.table["day"].max().isoformat()
    assert result["volume"]["flagged"] is False
    assert result["domain"]["rows"] == 600
    assert result["notes"] == []
    tags = shop.client.get_model_version("watched", "1").tags
    assert result["bound"] == pytest.approx(float(tags["test.auc.low"]))
    assert result["figures"]["rows_new"] == 300
    assert result["series"][1]["realised.auc"] == result["windows"][1]["value"]


def test_a_shift_is_told_by_columns_scores_and_classifier(shop, champion):
    result = watch(shop, champion, grown(shop, 300, mean=52.0, cities=("Oslo", "Rome", "Bern")))
    flagged = [each["column"] for each in result["columns"] if each["flagged"]]
    assert flagged == ["age", "city"]
    assert result["columns"][1]["new_levels"] == ["Bern"]
    assert result["scores"]["flagged"]
    assert result["domain"]["flagged"]
    assert result["drifted"] is True
    assert result["figures"]["drift.columns"] == 2


def test_labels_that_no_longer_follow_are_told_as_decay(shop, champion):
    result = watch(shop, champion, grown(shop, 900, noise=400.0), window="300d")
    assert result["drifted"] is False
    assert [window["below"] for window in result["windows"]] == [True, True, True]
    assert result["decayed"] is True
    assert result["figures"]["decay.windows_below"] == 3


def test_no_new_rows_is_said(shop, champion):
    result = watch(shop, champion, shop.table)
    assert (result["rows_new"], result["columns"], result["windows"]) == (0, [], [])
    assert result["drifted"] is None
    assert result["decayed"] is None
    assert "No row is newer" in result["notes"][0]
    assert "is not known" in render_page(result, About())


def test_rows_that_were_learnt_from_and_are_gone_cost_the_classifier_only(shop, champion):
    table = grown(shop, 300).iloc[100:].reset_index(drop=True)
    result = watch(shop, champion, table)
    assert result["domain"] is None
    assert "are in the table now" in result["notes"][0]
    assert result["drifted"] is False


def test_a_champion_without_a_reference_is_said(shop, champion):
    model, version, _, learnt, seen = champion
    result = watch(shop, (model, version, {}, learnt, seen), grown(shop, 300))
    assert result["drifted"] is None
    assert "Train again: kedro run --pipelines watched" in result["notes"][0]


def test_a_vertical_without_a_champion_says_what_to_do(shop):
    with pytest.raises(ConfigurationError, match="no model yet"):
        fetch_champion("nowhere")


def test_the_page_says_the_same_and_needs_nothing(shop, champion):
    result = watch(shop, champion, grown(shop, 300, mean=52.0, cities=("Oslo", "Rome", "Bern")), window="100d")
    page = render_page(result, About(question="Who buys?", caution="made up"))
    assert page == render_page(result, About(question="Who buys?", caution="made up"))
    assert "2 of 2 columns differ" in page
    age = result["columns"][0]
    assert f'<td class="n">{age["psi"]:.3f}</td>' in page
    for window in result["windows"]:
        assert f"{window['value']:.3f}" in page
        assert f"{window['low']:.3f} to {window['high']:.3f}" in page
        assert f"{window['score_mean']:.3f}" in page
    assert page.count('<svg viewBox="0 0 300') == 6
    assert page.count("<circle") == 6 * 3
    assert not re.search(r"(src|href)=|url\(|<script", page)


def test_names_and_values_cannot_break_the_page(shop, champion):
    table = grown(shop, 300, cities=("Oslo", "<script>alert(1)</script>"))
    result = watch(shop, champion, table)
    result["columns"][0]["column"] = "<b>age</b>"
    result["windows"][0]["psi"] = {"<i>x</i>": 0.2}
    for window in result["windows"][1:]:
        window["psi"] = {"<i>x</i>": 0.1}
    result["notes"] = ["<u>note</u>"]
    page = render_page(result, About(question="<h1>q</h1>", caution="<em>c</em>"))
    for text in ("<script>", "<b>age", "<i>x", "<u>note", "<h1>q", "<em>c"):
        assert text not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;i&gt;x" in page
