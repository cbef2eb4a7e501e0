"""Where chunks are scored, without Ray: what is declared, and what a node does."""

from __future__ import annotations

import io
import pickle
import sys

import pandas as pd
import pytest
from pydantic import ValidationError
from test_score import VERSION, Plain, files, run

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.parameters import Scoring
from lepton_pipeline.scoring import over_ray
from lepton_pipeline.scoring.chunk import ChunkColumns, score_chunk
from lepton_pipeline.scoring.engine import check_engine, open_engine
from lepton_pipeline.system import ray_cluster

COLUMNS = ChunkColumns(VERSION.version, ["id"], 0, "positive")


class Refusing(Plain):
    """A model that cannot read the rows."""

    def predict(self, rows):
        raise DataError("column 'age' is infinite in row 3; correct it, or leave it empty.")


@pytest.fixture
def rows():
    return pd.DataFrame({"id": ["a", "b"], "age": [20, 70], "city": ["Oslo", "Rome"]}, index=[7, 9])


@pytest.fixture
def model(monkeypatch):
    """The model that a node has unpacked."""
    monkeypatch.setattr(over_ray, "_unpacked", lambda model: model)
    return Plain()


def on_a_node(rows, model, code=None):
    """What the function that is sent to a node makes of a block of rows."""
    pa = pytest.importorskip("pyarrow")
    work = over_ray._work(model, pickle.dumps(COLUMNS), over_ray.code_facts() if code is None else code)
    (found,) = work(pa.table({"rows": pa.array([pickle.dumps(rows)], pa.large_binary())})).to_pylist()
    return found


def test_an_engine_is_local_unless_declared():
    assert Scoring().model_dump().keys() & {"engine", "address"} == set()
    assert Scoring(engine="ray", address="10.0.0.5:6379").model_dump()["engine"] == "ray"
    with pytest.raises(ValidationError, match="'local' or 'ray'"):
        Scoring(engine="spark")


def test_a_declared_engine_that_is_not_there_is_said_first(monkeypatch, tmp_path):
    check_engine(Scoring())
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'lepton_pipeline\[ray\]'"):
        check_engine(Scoring(engine="ray"))
    with pytest.raises(ConfigurationError, match=r"pip install 'lepton_pipeline\[ray\]'"):
        run(files(pd.DataFrame({"id": ["a"], "age": [3], "city": ["Oslo"]})), Plain(), tmp_path, engine="ray")


def test_finished_chunks_are_left_out_by_the_local_engine(rows):
    with open_engine(Plain(), COLUMNS, Scoring()) as engine:
        found = list(engine([None, rows, None]))
    assert found == [None, score_chunk(rows, Plain(), COLUMNS), None]


def test_a_chunk_is_a_table_of_its_rows(rows):
    table = pd.read_parquet(io.BytesIO(score_chunk(rows, Plain(), COLUMNS)))
    assert list(table) == ["input_row", "id", "probability", "decision", "model_version"]
    assert table["input_row"].tolist() == [7, 9]
    assert table["probability"].tolist() == [0.2, 0.7]


def test_a_node_makes_the_same_file(rows, model):
    found = on_a_node(rows, model)
    assert over_ray._scores(found) == score_chunk(rows, model, COLUMNS)


def test_a_node_passes_on_what_the_model_cannot_read(rows, model):
    with pytest.raises(DataError, match="'age' is infinite in row 3"):
        over_ray._scores(on_a_node(rows, Refusing()))


def test_a_node_with_other_code_scores_nothing(rows, model):
    found = on_a_node(rows, model, over_ray.code_facts() | {"lepton_pipeline": "0" * 64})
    with pytest.raises(ConfigurationError, match=r"has lepton_pipeline \w{12} for 0{12}; install there"):
        over_ray._scores(found)
    assert found["scores"] is None


def test_a_node_without_the_package_says_so(rows, model, monkeypatch):
    code = over_ray.code_facts()
    monkeypatch.setitem(sys.modules, "lepton_pipeline.scoring.over_ray", None)
    with pytest.raises(ConfigurationError, match="a node of the Ray cluster cannot import this package"):
        over_ray._scores(on_a_node(rows, model, code))


def test_another_engine_resumes_what_the_first_has_finished(tmp_path):
    rows = pd.DataFrame({"id": [f"c{row}" for row in range(40)], "age": range(20, 60), "city": ["Oslo"] * 40})
    with pytest.raises(KeyboardInterrupt):
        run(files(rows), Plain(fails_at=3), tmp_path, chunk_rows=10)
    resumed = Plain()
    # The address has no effect on the local engine, but is part of the declaration.
    run(files(rows), resumed, tmp_path, chunk_rows=10, address="10.0.0.5:6379")
    assert resumed.calls == 2
