"""From requests to a decision, a reply, or somebody with the nearest requests at hand."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from tasks.shops import request_shop

from lepton_pipeline.evaluation.scope import judge_scope
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.tasks.classes import HAND_OVER


def test_rows_of_no_class_are_mostly_handed_over_and_others_answered():
    shop = request_shop()
    found = judge_scope(shop.artefact.predictor, shop.scores, shop.outside)
    assert found.outside == len(shop.outside) >= 10
    assert found.caught > 0.8
    assert found.right > 0.95
    assert found.answered > 0.7


def test_a_case_handed_over_has_the_nearest_requests_and_no_reply():
    artefact = request_shop().artefact
    rows = pd.DataFrame({"text": ["my invoice please 3", "sunshine over the beach", "kredit 2"], "hour": 9})
    found = artefact.predict(rows)
    assert found["decision"].tolist() == ["bill", HAND_OVER, "loan"]
    # No reply is declared for loans.
    assert found["reply"].tolist() == ["It is due.", "", ""]
    assert found["nearest"].iloc[[0, 2]].tolist() == ["", ""]
    nearest = json.loads(found["nearest"].iloc[1])
    assert len(nearest) == 3
    assert {each["label"] for each in nearest} <= {"bill", "card", "loan"}


def test_no_text_out_of_scope_is_kept():
    shop = request_shop()
    kept = set(shop.artefact.nearest.texts)
    inside = shop.table.loc[shop.split["part"].isin(["train", "validation"]), "text"]
    assert kept == set(inside.dropna())


def test_a_saved_model_answers_alike(tmp_path):
    shop = request_shop()
    shop.artefact.save(tmp_path)
    pd.testing.assert_frame_equal(
        Artefact.load(tmp_path).predict(shop.table), shop.artefact.predict(shop.table)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": {"text": {"retrieval": "title"}}}, r"'title' is none of dataset.text \(text\)"),
        ({"evaluation": {}}, "no case is handed over; declare evaluation.class_costs.hand_over"),
        ({"ingestion": {}}, "the version would keep 'text' as it is; name it in ingestion.mask.columns"),
        ({"ingestion": {"mask": {"columns": ["other"]}}}, "the version would keep 'text' as it is"),
    ],
)
def test_texts_are_kept_only_masked_and_where_cases_are_handed_over(changes, message):
    declared = {
        "dataset": {"target": "intent", "classes": "all", "text": ["text"]},
        "ingestion": {"mask": {"columns": ["text"]}},
        "evaluation": {"class_costs": {"hand_over": 0.3}},
        "features": {"text": {"retrieval": "text"}},
    }
    Vertical.model_validate(declared)
    with pytest.raises(ValueError, match=message):
        Vertical.model_validate(declared | changes)
