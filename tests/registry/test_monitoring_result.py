"""From a champion in a registry to what new rows say of it, and to the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from monitored import column

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.operations.monitoring.findings import MonitoringResult, ranked
from lepton_pipeline.operations.monitoring.new_rows import Champion, NewRows, score_new_rows
from lepton_pipeline.operations.monitoring.page import render_page
from lepton_pipeline.operations.monitoring.reference import Reference
from lepton_pipeline.operations.monitoring.result import compare_new_rows
from lepton_pipeline.operations.monitoring.summary import drift_text
from lepton_pipeline.parameters import About, Decay, Evaluation, Gate, Monitoring, Retraining
from lepton_pipeline.registry.fetch import fetch_champion
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.system.records import from_json, to_plain

AS_OF = "2030-01-01T00:00:00"


@pytest.fixture
def champion(shop):
    registration = shop.version("watched")
    shop.client.set_registered_model_alias("watched", "champion", str(registration.version))
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
    dataset = shop.dataset.model_copy(update={"present": AS_OF})
    new = score_new_rows(table, model, seen, span, dataset)
    monitoring, retraining = Monitoring(**declared), Retraining(on_decay=Decay(windows=2, of=3))
    evaluation = Evaluation(resamples=100)
    today, watched = NewRows(table, new, dataset), Champion(model, version, reference, learnt)
    return compare_new_rows(today, watched, Gate(), evaluation, retraining, monitoring)


def check(result):
    """It is JSON without NaN, from which it can be read again."""
    plain = json.dumps(to_plain(result), allow_nan=False)
    assert from_json(MonitoringResult, plain) == result


def seen_until(shop):
    return shop.table["day"].max().timestamp()


def test_rows_of_the_same_kind_are_like_those_of_the_training(shop, champion):
    result = watch(shop, champion, grown(shop, 300), window="100d")
    check(result)
    assert (result.rows_new, result.rows_mature_new) == (300, 300)
    assert result.drifted is False
    assert result.decayed is False
    assert [each.column for each in result.columns] == ["age", "city"]
    assert [window.rows for window in result.windows] == [100, 100, 100]
    assert result.windows[0].since == shop.table["day"].max().isoformat()
    assert result.volume.flagged is False
    assert result.domain.rows == 600
    assert result.notes == []
    tags = shop.client.get_model_version("watched", "1").tags
    assert result.bound == pytest.approx(float(tags["test.auc.low"]))
    assert result.figures["rows_new"] == 300
    assert result.series[1]["realised.auc"] == result.windows[1].value


def test_a_shift_is_told_by_columns_scores_and_classifier(shop, champion):
    result = watch(shop, champion, grown(shop, 300, mean=52.0, cities=("Oslo", "Rome", "Bern")))
    flagged = [each.column for each in result.columns if each.flagged]
    assert flagged == ["age", "city"]
    assert result.columns[1].new_levels == ["Bern"]
    assert result.scores.flagged
    assert result.domain.flagged
    assert result.drifted is True
    assert result.figures["drift.columns"] == 2


def test_labels_that_no_longer_follow_are_told_as_decay(shop, champion):
    result = watch(shop, champion, grown(shop, 900, noise=400.0), window="300d")
    assert result.drifted is False
    assert [window.below for window in result.windows] == [True, True, True]
    assert result.decayed is True
    assert result.figures["decay.windows_below"] == 3


def test_no_new_rows_is_said(shop, champion):
    result = watch(shop, champion, shop.table)
    assert (result.rows_new, result.columns, result.windows) == (0, [], [])
    assert result.drifted is None
    assert result.decayed is None
    assert "No row is newer" in result.notes[0]
    assert "is not known" in render_page(result, About())


def test_rows_that_were_learnt_from_and_are_gone_cost_the_classifier_only(shop, champion):
    table = grown(shop, 300).iloc[100:].reset_index(drop=True)
    result = watch(shop, champion, table)
    assert result.domain is None
    assert "are in the table now" in result.notes[0]
    assert result.drifted is False


def test_a_champion_without_a_reference_is_said(shop, champion):
    model, version, _, learnt, seen = champion
    result = watch(shop, (model, version, {}, learnt, seen), grown(shop, 300))
    assert result.drifted is None
    assert "Train again: kedro run --pipelines watched" in result.notes[0]


def test_a_vertical_without_a_champion_says_what_to_do(shop):
    with pytest.raises(ConfigurationError, match="no model yet"):
        fetch_champion("nowhere")


def test_the_page_says_the_same_and_needs_nothing(shop, champion):
    result = watch(
        shop, champion, grown(shop, 300, mean=52.0, cities=("Oslo", "Rome", "Bern")), window="100d"
    )
    page = render_page(result, About(question="Who buys?", caution="made up"))
    assert page == render_page(result, About(question="Who buys?", caution="made up"))
    assert "2 of 2 columns differ" in page
    age = result.columns[0]
    assert f'<td class="n">{age.psi:.3f}</td>' in page
    for window in result.windows:
        assert f"{window.value:.3f}" in page
        assert f"{window.low:.3f} to {window.high:.3f}" in page
        assert f"{window.score_mean:.3f}" in page
    assert page.count('viewBox="0 0 300 130"') == 6
    assert page.count("<circle") == 6 * 3
    assert not re.search(r"(src|href)=|url\(|<script", page)


def test_names_and_values_cannot_break_the_page(shop, champion):
    table = grown(shop, 300, cities=("Oslo", "<script>alert(1)</script>"))
    result = watch(shop, champion, table)
    result = replace(
        result,
        columns=[replace(result.columns[0], column="<b>age</b>"), *result.columns[1:]],
        windows=[replace(window, psi={"<i>x</i>": 0.2}) for window in result.windows],
        notes=["<u>note</u>"],
    )
    page = render_page(result, About(question="<h1>q</h1>", caution="<em>c</em>"))
    for text in ("<script>", "<b>age", "<i>x", "<u>note", "<h1>q", "<em>c"):
        assert text not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;i&gt;x" in page


def test_columns_that_matter_more_come_first_and_are_drawn_before_and_now(shop, champion):
    model, version, *rest = champion
    table = grown(shop, 300, mean=52.0, cities=("Oslo", "Rome", "Bern"))
    unweighed = watch(shop, champion, table)
    assert unweighed.columns[0].importance is None
    assert "importance" not in render_page(unweighed, About())
    by_psi = [each.column for each in unweighed.flagged]
    # The smaller change is that of a column that the model relies on.
    measured = {by_psi[1]: Estimate(0.2, 0.1, 0.3), by_psi[0]: Estimate(0.001, -0.001, 0.003)}
    result = watch(shop, (model, replace(version, importance=measured), *rest), table, window="100d")
    check(result)
    assert [each.column for each in result.flagged] == by_psi[::-1]
    assert list(result.windows[0].psi) == by_psi[::-1]
    assert drift_text(result).startswith(f"{by_psi[1]} (PSI ")
    page = render_page(result, About())
    assert "the model relies on 1 of them" in page
    assert page.index(f"<h4>{by_psi[1]} ") < page.index(f"<h4>{by_psi[0]} ")
    assert page.count('<div role="img"') == 2


def test_a_column_without_importance_does_not_weigh():
    known = replace(column("known", flagged=True), importance=Estimate(-0.01, -0.02, 0.0))
    assert (known.weight, known.matters) == (0.0, False)
    assert [each.column for each in ranked([column("plain", flagged=False, psi=9.0), known])] == [
        "known",
        "plain",
    ]


def test_psi_is_drawn_on_a_scale_that_holds_it(shop, champion):
    result = watch(shop, champion, grown(shop, 300, mean=52.0), window="100d")
    windows = [replace(window, psi={"age": 40.0}) for window in result.windows]
    page = render_page(replace(result, windows=windows), About())
    for tick in ("0.01", "0.1", "1", "10", "100"):
        assert f">{tick}</text>" in page
    assert "40.000" in page


def test_a_change_beside_hundreds_of_columns_is_still_told_by_the_classifier(shop, champion):
    shifted = watch(shop, champion, grown(shop, 300, mean=52.0))
    # Its p-value is no smaller than one in ten thousand; a quarter of the level has to do for the two tests of rows.
    assert shifted.domain.p_adjusted <= 6 * 1e-4 + 1e-12


def test_what_is_known_to_change_is_shown_and_not_flagged(shop, champion):
    table = grown(shop, 300, mean=52.0)
    result = watch(shop, champion, table, ignore=["age"])
    age = next(each for each in result.columns if each.column == "age")
    assert age.psi > 0.1
    assert not age.flagged
    assert not result.domain.flagged
    with pytest.raises(
        ConfigurationError, match=r"monitoring.ignore: 'agee' is no feature .* did you mean 'age'"
    ):
        watch(shop, champion, table, ignore=["agee"])


@pytest.mark.parametrize("rows", [1, 49])
def test_few_new_rows_are_counted_not_compared(shop, champion, rows):
    result = watch(shop, champion, grown(shop, rows))
    assert (result.rows_new, result.drifted) == (rows, None)
    assert result.notes[0].startswith(f"Only {rows} row")
    check(result)
    render_page(result, About())


def test_one_class_in_all_windows_is_no_quality(shop, champion):
    table = grown(shop, 300)
    table.loc[len(shop.table) :, "bought"] = "no"
    result = watch(shop, champion, table, window="100d")
    assert [window.value for window in result.windows] == [None] * 3
    assert result.decayed is None
    assert "not known yet" in render_page(result, About())


def test_labels_that_are_not_there_yet_leave_drift_only(shop, champion):
    table = grown(shop, 300)
    table.loc[len(shop.table) :, "bought"] = None
    result = watch(shop, champion, table)
    assert (result.rows_mature_new, result.drifted, result.decayed) == (0, False, None)


def test_a_column_that_is_all_missing_or_constant_is_told(shop, champion):
    table = grown(shop, 300)
    table.loc[len(shop.table) :, "age"] = np.nan
    table.loc[len(shop.table) :, "city"] = "Oslo"
    result = watch(shop, champion, table)
    changes = {each.column: each.change for each in result.columns if each.flagged}
    assert "100.0 % now" in changes["age"]
    assert changes["city"].startswith(("Oslo", "Rome"))
    check(result)
    assert changes["age"] in render_page(result, About())


def test_a_reference_that_was_altered_is_refused(shop):
    registration = shop.version("tampered")
    shop.client.set_registered_model_alias("tampered", "champion", str(registration.version))
    uri = shop.client.get_run(registration.run_id).info.artifact_uri
    folder = Path(uri.removeprefix("file://")) / "monitoring"
    kept = (folder / "reference.json").read_text()
    try:
        (folder / "reference.json").write_text(kept.replace('"rows"', '"Rows"'))
        with pytest.raises(
            DataError, match=r"version 1 of tampered cannot be monitored: monitoring/reference.json was alt"
        ):
            fetch_champion("tampered")
    finally:
        (folder / "reference.json").write_text(kept)


def test_a_version_of_before_there_was_a_reference_can_be_fetched(shop):
    registration = shop.version("older")
    shop.client.set_registered_model_alias("older", "champion", str(registration.version))
    shop.client.delete_model_version_tag("older", str(registration.version), "reference.sha256")
    assert fetch_champion("older")[2] == {}
