"""Reasons of rows with texts: the words that moved the score, for each task."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from shops import task_shop

from lepton_pipeline.model import artefact as module
from lepton_pipeline.parameters import Dataset, Training

QUICK = {
    "model": "mlp",
    "networks": 1,
    "members": 1,
    "width": 16,
    "epochs": 60,
    "learning_rate": 0.01,
    "device": "cpu",
}
TASKS = {
    "binary": {"positive": "dear"},
    "multiclass": {"classes": "all"},
    "regression": {"task": "regression"},
}


@cache
def shop(task):
    """Titles of lodgings whose words settle what a night costs, some of them missing, beside a number."""
    random = np.random.default_rng(0)
    words = np.array(["quiet", "room", "home", "near", "town", "villa", "hostel"])
    titles = [" ".join(random.permutation(words)[:4]) for _ in range(240)]
    price = pd.Series([100.0 + 80 * ("villa" in title) - 60 * ("hostel" in title) for title in titles])
    kinds = price.map(lambda each: "dear" if each > 120 else "cheap" if each < 100 else "usual")
    target = {"binary": kinds.where(kinds == "dear", "not"), "multiclass": kinds, "regression": price}[task]
    table = pd.DataFrame({"title": titles, "beds": random.integers(1, 5, 240), "target": target})
    table.loc[::20, "title"] = None
    return task_shop(table, Dataset(target="target", text=["title"], **TASKS[task]), Training(**QUICK))


@pytest.mark.parametrize("task", TASKS)
def test_effects_of_texts_add_up_beside_those_of_other_columns(task):
    artefact, rows = shop(task).artefact, shop(task).table.head(40)
    assert artefact.reference["title"] == ""
    effects = artefact.effects(rows)
    encoded, reference = artefact._encode(rows), artefact._encode(pd.DataFrame([artefact.reference]))
    scores = artefact.scores(rows)
    places = artefact.task.explained_place(scores) if artefact.task.outputs > 1 else np.zeros(len(rows), int)
    outputs, at = artefact.predictor.outputs(encoded), artefact.predictor.outputs(reference)
    expected = [
        artefact.task.explained(outputs[[row]], place)[0] - artefact.task.explained(at, place)[0]
        for row, place in enumerate(places)
    ]
    assert effects.sum(axis=1).to_numpy() == pytest.approx(expected, abs=1e-6)
    assert (effects["title"][rows["title"].isna()] == 0).all()
    assert effects["title"].abs().max() > 0.1


@pytest.mark.parametrize("task", TASKS)
def test_reasons_quote_the_words_that_moved_the_score(task):
    artefact = shop(task).artefact
    rows = pd.DataFrame({"title": ["Near town: VILLA!", "quiet hostel home"], "beds": 2})
    dear, cheap = ({reason.column: reason for reason in of_row} for of_row in artefact.explain(rows, 2))
    assert '"villa"' in dear["title"].value
    assert dear["title"].effect > 0
    # Cheap is a class of its own of three.
    assert (cheap["title"].effect > 0) == (task == "multiclass")
    assert "hostel" in cheap["title"].value
    assert artefact.reasons(rows, 1)[0].startswith('title = "villa"')


def test_a_text_without_words_that_tell_is_shown_as_it_is(monkeypatch):
    artefact = shop("binary").artefact
    effects = pd.DataFrame({"title": [0.5, 0.25, 0.25], "beds": 0.0})
    monkeypatch.setattr(module.Artefact, "effects", lambda self, rows: effects)
    rows = pd.DataFrame({"title": ["😀", " ", None], "beds": 2})
    assert artefact.reasons(rows, 1) == [
        "title = 😀 (+0.50)",
        "title = missing (+0.25)",
        "title = missing (+0.25)",
    ]


def test_reasons_of_texts_do_not_depend_on_the_rows_beside():
    artefact, rows = shop("multiclass").artefact, shop("multiclass").table.head(12)
    together = artefact.reasons(rows, 2)
    assert together == [artefact.reasons(rows.iloc[[row]], 2)[0] for row in range(12)]
