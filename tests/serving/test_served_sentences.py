"""A version with an encoder of sentences answers requests with the bits of the model that was trained."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
from clients import load_served, send
from tasks.shops import EVALUATION
from tasks.tiny_encoder import BAD, GOOD, save_encoder

from lepton_pipeline.evaluation.metrics import evaluate, score_rows
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.model.artefact import Artefact, assemble_artefact
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import Dataset, Features, Ingestion, Leaks, Split, Text, Training
from lepton_pipeline.tasks.find import find_target
from lepton_pipeline.tasks.split import split_rows


def trained(features: Features) -> tuple[Artefact, pd.DataFrame]:
    random = np.random.default_rng(0)
    kind = random.choice(["good", "bad"], 300)
    told = [random.choice(GOOD if each == "good" else BAD) for each in kind]
    table = pd.DataFrame({"review": [f"the room was {word}" for word in told], "kind": kind})
    dataset = Dataset(target="kind", positive="good", text=["review"])
    training = Training(model="linear", epochs=5, device="cpu")
    target = find_target(table, dataset, training, EVALUATION)
    split = split_rows(table, target, dataset, Split())
    report = FeatureReport(0, 0.95, "stop", "warn", [], [])
    encoder, encoded = encode_rows(table, split, target, dataset, report, Leaks(), features, training)
    model, _, held_out = train_model(encoded, split, target, training)
    nothing = pd.DataFrame(index=held_out.index)
    metrics = evaluate(score_rows(model, encoded, split, held_out, nothing, nothing), target, EVALUATION)
    return assemble_artefact(encoder, model, metrics, table, split, features, Ingestion(), dataset), table


def test_requests_get_the_same_bits_and_reasons_name_the_sentence(tmp_path):
    folder = save_encoder(tmp_path / "tiny")
    artefact, table = trained(Features(text=Text(encoder=str(folder), carry=True)))
    model = load_served(artefact, table, tmp_path / "served")
    rows = table[["review"]].head(20)
    expected = artefact.predict(artefact.read(rows)).to_dict("records")
    records = json.loads(rows.to_json(orient="records"))
    assert send(model, {"dataframe_records": records}) == expected
    assert [send(model, {"dataframe_records": [record]})[0] for record in records] == expected
    answers = send(model, {"dataframe_records": records, "params": {"reasons": 1}})
    assert any("the sentence as a whole" in answer["reasons"] for answer in answers)
    effects = artefact.effects(rows)["review"]
    alone = pd.concat([artefact.effects(rows.iloc[[place]])["review"] for place in range(len(rows))])
    assert effects.tolist() == alone.tolist()
