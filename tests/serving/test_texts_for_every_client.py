"""Models of texts answer every client with the same bits, and keep no text of a row."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from clients import load_served, score_batch, send
from tasks.shops import TaskShop, loft_shop, review_shop

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.model.artefact import Artefact, assemble_artefact
from lepton_pipeline.parameters import Contract, Features, Ingestion, Scoring
from lepton_pipeline.scoring.check import Declared

ODD = [
    "",
    " ",
    "Pe\u0301nible!",
    "PÉNIBLE!",
    "007",
    "7",
    "1.10",
    "true",
    'a "b", c;\nd',
    "😀",
    "x" * 30_000,
    None,
]


@pytest.fixture(scope="module", params=[review_shop, loft_shop], ids=["review", "title"])
def shop(request) -> TaskShop:
    made: TaskShop = request.param()
    return made


@pytest.fixture(scope="module")
def model(shop, tmp_path_factory) -> Any:
    return load_served(shop.artefact, shop.table, tmp_path_factory.mktemp("served"))


def name_of(shop: TaskShop) -> str:
    return shop.dataset.text[0]


def rows_of(shop: TaskShop) -> pd.DataFrame:
    """Rows of the table, and others with odd texts."""
    rows = shop.table.drop(columns=shop.dataset.target).head(40)
    odd = rows.head(len(ODD)).assign(**{name_of(shop): pd.Series(ODD, dtype=object)})
    return pd.concat([rows, odd], ignore_index=True)


def test_the_texts_are_learnt(shop):
    shown = shop.metrics.model
    assert shown["accuracy" if name_of(shop) == "review" else "r2"].value > 0.7, shown


def test_every_way_gives_the_same_bits(shop, model):
    rows = rows_of(shop)
    expected = shop.artefact.predict(shop.artefact.read(rows)).to_dict("records")
    records = json.loads(rows.to_json(orient="records", double_precision=15))
    assert send(model, {"dataframe_records": records}) == expected
    assert [send(model, {"dataframe_records": [record]})[0] for record in records[-14:]] == expected[-14:]
    csv, parquet = rows.to_csv(index=False).encode(), io.BytesIO()
    assert send(model, csv, "text/csv") == expected
    rows.to_parquet(parquet, index=False)
    assert send(model, parquet.getvalue(), "application/vnd.apache.parquet") == expected
    declared = Declared(shop.dataset, Ingestion(), Contract(), Features(), Scoring(chunk_rows=7, reasons=0))
    for content, name in ((csv, "t.csv"), (parquet.getvalue(), "t.parquet")):
        scored = score_batch(shop.artefact, declared, content, name)
        assert scored[list(expected[0])].to_dict("records") == expected


def test_a_file_of_numbers_only_is_read_as_texts(shop):
    rows = rows_of(shop).head(3).assign(**{name_of(shop): ["007", "1.10", "42"]})
    declared = Declared(shop.dataset, Ingestion(), Contract(), Features(), Scoring(reasons=0))
    expected = shop.artefact.predict(shop.artefact.read(rows)).to_dict("records")
    scored = score_batch(shop.artefact, declared, rows.to_csv(index=False).encode(), "t.csv")
    assert scored[list(expected[0])].to_dict("records") == expected


@pytest.mark.parametrize(("value", "same"), [(7, "7"), (7.0, "7"), (1.5, "1.5"), (True, "true")])
def test_a_number_of_a_request_is_its_text(shop, value, same):
    rows = rows_of(shop).head(2)
    one, other = (
        shop.artefact.predict(
            shop.artefact.read(rows.assign(**{name_of(shop): pd.Series([each, "room"], dtype=object)}))
        )
        for each in (value, same)
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_half_a_character_of_a_request_is_read(shop):
    rows = rows_of(shop).head(2).astype(object)
    rows[name_of(shop)] = pd.Series(["half \ud800", "half \udfff"], dtype=object)
    found = shop.artefact.predict(shop.artefact.read(rows.assign(**{rows.columns[1]: 2})))
    assert found.iloc[0].equals(found.iloc[1])


def test_a_list_is_refused(shop):
    rows = rows_of(shop).head(1).assign(**{name_of(shop): pd.Series([["a", "b"]], dtype=object)})
    with pytest.raises(DataError, match="holds \\['a', 'b'\\]; give one plain value for each row"):
        shop.artefact.read(rows)


def test_new_words_are_no_unseen_values(shop, model):
    record = json.loads(rows_of(shop).head(1).to_json(orient="records"))[0] | {name_of(shop): "never read"}
    (answer,) = send(model, {"dataframe_records": [record], "params": {"unseen": True}})
    assert answer["unseen"] == ""


def test_no_text_is_typical_and_none_is_kept(shop, tmp_path):
    shop.artefact.save(tmp_path)
    assert shop.artefact.reference[name_of(shop)] == ""
    kept = "".join(path.read_text(errors="replace") for path in Path(tmp_path).rglob("*.json"))
    texts = [text for text in shop.table[name_of(shop)].dropna().unique() if text in kept]
    assert not texts


def test_effects_add_up_and_those_of_a_row_do_not_depend_on_others(shop):
    rows = rows_of(shop).iloc[:6]
    effects = shop.artefact.effects(rows)
    alone = pd.concat([shop.artefact.effects(rows.iloc[[place]]) for place in range(len(rows))])
    pd.testing.assert_frame_equal(effects, alone, check_exact=True)
    assert effects[name_of(shop)].abs().sum() > 0


def test_a_loaded_artefact_answers_the_same(shop, tmp_path):
    sha256 = shop.artefact.save(tmp_path / "one")
    loaded = Artefact.load(tmp_path / "one", sha256)
    assert any(isinstance(column, TextColumn) for column in loaded.encoder.columns)
    rows = rows_of(shop)
    pd.testing.assert_frame_equal(loaded.predict(rows), shop.artefact.predict(rows), check_exact=True)
    assert loaded.save(tmp_path / "two") == sha256


def test_no_source_of_a_derived_text_is_typical(shop):
    rows = shop.table.assign(raw="The same in every row", nights=2)
    features = Features(derive={name_of(shop): "lower(raw)"})
    encoder = Encoder(
        [column for column in shop.artefact.encoder.columns if isinstance(column, TextColumn)], {}
    )
    given = encoder, shop.artefact.predictor, shop.metrics, rows, shop.split
    artefact = assemble_artefact(*given, features, Ingestion(), shop.dataset)
    assert artefact.reference == {"raw": ""}
