"""The benchmark's arithmetic and tables, and a saved model measured from end to end; nothing is timed."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lepton_pipeline.registry
from lepton_pipeline.features.derive import Derivation
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import Dataset, Training
from lepton_pipeline.registry.publish import RecordedPyfunc
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def predict(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("predict")


@pytest.fixture(scope="module")
def source() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    age, debt = generator.uniform(20, 70, 200), generator.uniform(1, 5, 200)
    return pd.DataFrame(
        {
            "age": age,
            "debt": debt,
            "wealth": generator.uniform(1, 9, 200),
            "city": generator.choice(["Oslo", "Rome"], 200),
            "bought": age + generator.normal(size=200) > 45,
        }
    )


@pytest.fixture(scope="module")
def artefact(source: pd.DataFrame) -> Artefact:
    derivation = Derivation({}, {"burden": "debt / wealth"})
    table = source.assign(burden=source["debt"] / source["wealth"]).drop(columns="wealth")
    encoder = Encoder.fit(table, Dataset(target="bought", positive=True))
    split = pd.DataFrame(
        {
            "part": ["train", "train", "validation", "test"] * 50,
            "label": source["bought"].astype(int),
            "fold": np.int8(-1),
        }
    )
    training = Training(model="mlp", width=8, epochs=2, boosting=True)
    model, _, _ = train_model(encoder.transform(table), split, Target(Binary()), training)
    return Artefact(derivation, encoder, model, 0.5, source.drop(columns="bought").iloc[0].to_dict())


def test_latencies_are_quantiles_and_shares(predict: Any) -> None:
    seconds = {
        predict.WHOLE: [0.004] * 100 + [0.008],
        "encoder": [0.001, 0.003, 0.001],
        predict.REST: [0.002],
    }
    lines = predict.latency_table(seconds).splitlines()[2:]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[0] == [predict.WHOLE, "4.00", "4.00", "100%"]
    assert cells[1] == ["encoder", "1.00", "2.96", "25%"]
    assert cells[2] == [predict.REST, "2.00", "—", "50%"]


def test_parts_are_microseconds_a_row(predict: Any) -> None:
    line = predict.parts_table({predict.WHOLE: [0.5], "encoder": [0.2]}, 1_000).splitlines()[3]
    assert [cell.strip() for cell in line.split("|")[1:-1]] == ["encoder", "200.00", "40%"]


def test_bulk_has_rows_a_second_and_what_memory_was_added(predict: Any) -> None:
    line = predict.bulk_table([predict.Bulk(1_000_000, 9.0, 8.0, 600.0, 1_850.0)]).splitlines()[2]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells == ["1,000,000", "9.0", "8.0", "125,000", "600", "1,850", "1,250"]


def test_memory_is_looked_at_before_and_after(predict: Any) -> None:
    looks = iter([900.0, 500.0, 700.0])
    scored: list[int] = []
    bulk = predict.time_bulk(
        lambda rows: scored.append(len(rows)), pd.DataFrame({"a": range(7)}), lambda: next(looks)
    )
    assert (bulk.rows, bulk.before, bulk.peak) == (7, 500.0, 700.0)
    assert scored == [7]


def test_calls_take_turns_and_the_first_are_not_timed(predict: Any) -> None:
    ran: list[str] = []
    clock = iter(range(100))
    calls = {"whole": lambda: ran.append("whole"), "part": lambda: (ran.append("part"), next(clock))}
    seconds = predict.time_turns(calls, 2, 1, lambda: float(next(clock)))
    assert ran == ["whole", "part"] * 3
    assert seconds == {"whole": [1.0, 1.0], "part": [2.0, 2.0]}


def test_rows_are_drawn_from_the_inputs_only(predict: Any, artefact: Artefact, source: pd.DataFrame) -> None:
    rows = predict.draw_rows(source, artefact, 450)
    assert list(rows.columns) == list(artefact.inputs)
    assert set(rows.columns) == {"age", "debt", "wealth", "city"}
    assert list(rows.index) == list(range(450))
    assert set(rows["age"]) <= set(source["age"])
    pd.testing.assert_frame_equal(rows, predict.draw_rows(source, artefact, 450))


def test_parts_are_those_of_a_prediction(predict: Any, artefact: Artefact, source: pd.DataFrame) -> None:
    rows = predict.draw_rows(source, artefact, 30)
    made = {name: call() for name, call in predict.parts(artefact, rows).items()}
    assert list(made) == ["derived columns", "encoder", "networks", "boosting"]
    assert "burden" in made["derived columns"].columns
    scores = artefact.predictor.scores(made["encoder"])
    np.testing.assert_array_equal(made["networks"], artefact.predictor.network.predict(made["encoder"]))
    (outputs,) = made["boosting"]
    np.testing.assert_allclose(1 / (1 + np.exp(-outputs)), scores["boosting"])


def test_parts_and_what_is_between_add_up(predict: Any, artefact: Artefact, source: pd.DataFrame) -> None:
    rows = predict.draw_rows(source, artefact, 1)
    seconds = predict.time_parts(artefact.predict, artefact, rows, rounds=3, warm_up=1)
    medians = {name: float(np.median(each)) for name, each in seconds.items()}
    assert medians.pop(predict.WHOLE) == pytest.approx(sum(medians.values()))
    assert list(medians)[-2:] == [predict.REST, predict.CHECKS]


# MLflow warns of its own annotations when it is imported.
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")
def test_saved_model_is_measured(
    predict: Any,
    artefact: Artefact,
    source: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from mlflow.models import Model

    (tmp_path / "artefact").mkdir()
    artefact.save(tmp_path / "artefact")
    RecordedPyfunc().save_model(
        str(tmp_path / "model"),
        Model(),
        validate_serving_input=False,
        code_paths=[str(Path(lepton_pipeline.__file__).parent)],
        python_model=str(Path(lepton_pipeline.registry.__file__).with_name("served_model.py")),
        artifacts={"artefact": str(tmp_path / "artefact")},
        pip_requirements=[],
    )
    source.to_parquet(tmp_path / "rows.parquet")
    output = tmp_path / "results" / "predict.md"
    model = ["--model", str(tmp_path / "model"), "--table", str(tmp_path / "rows.parquet")]
    sizes = ["--rows", "100", "300", "--calls", "3", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["predict.py", *model, *sizes])
    predict.main()
    text = output.read_text()
    assert text in capsys.readouterr().out
    assert "4 raw columns, 3 numbers and 1 codes; 1 networks (`mlp`),\nboosting of" in text
    assert "3 calls after a warm-up" in text
    assert all(f"| {rows} " in text for rows in ("100", "300"))
    assert "of 300 rows" in text


def test_model_without_rows_is_refused(
    predict: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["predict.py", "--model", "models:/finance/1"])
    with pytest.raises(SystemExit) as stop:
        predict.main()
    assert stop.value.code == 2
    assert "--model and --table go together" in capsys.readouterr().err
