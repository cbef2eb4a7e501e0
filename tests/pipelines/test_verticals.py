"""A small slice of every bundled vertical, from its raw files to a registered model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import FILES_OF, QUICK, REPOSITORY, Project, copy_face
from warm_kedro import Done

from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.parameters.durations import as_timedelta
from lepton_pipeline.project.declaration import find_verticals, read_parameters

VERTICALS = find_verticals(REPOSITORY / "conf/base")
CAUTIOUS = {"manufacturing": "Synthetic data", "telecom": "Fictional data"}


def every(step):
    return lambda rows: rows.iloc[::step]


def some_customers(rows):
    # Whole customers, so that their histories stay what they are.
    return rows[pd.to_numeric(rows["Customer ID"]).floordiv(1).mod(25) == 0]


def some_products(rows):
    # Whole products, so that their weeks stay what they are.
    return rows[pd.to_numeric(rows["StockCode"].str[:5], errors="coerce").mod(40) == 0]


# What keeps a slice small and still learnable: its time axis whole where the split needs that.
SLICES = {
    "finance": {"*": every(20)},
    "healthcare": {"*": every(5)},
    "retail": {"*": some_customers},
    "retail_recommendation": {"*": some_customers},
    "retail_discovery": {"*": some_customers},
    "manufacturing": {"*": every(3)},
    "telecom": {"*": every(5)},
    "logistics": {"flights*": every(100)},
    "energy": {"*": lambda rows: rows.head(3000)},
    "marketing": {"*": every(3)},
    "education": {"studentInfo*": every(10)},
    "real_estate": {"*": every(10)},
    "energy_load": {"*": lambda rows: rows.head(3000)},
    "lodging": {"*": every(3)},
    "opinion": {"*": every(8)},
    "customer_service": {"*": every(5)},
    "retail_demand": {"*": some_products},
}
# What is known only later, or names rows.
NEVER = {
    "finance": ["ID", "SEX", "AGE"],
    "healthcare": ["patient_id", "referral_date"],
    "retail": ["customer", "snapshot"],
    "retail_recommendation": ["customer", "product", "cut", "weight"],
    "retail_discovery": ["customer", "product", "cut", "weight"],
    "manufacturing": ["UDI", "Product ID", "Failure Type"],
    "logistics": ["dep_delay", "arr_delay", "departed_at", "arrived_at"],
    "energy": ["next_hour", "date"],
    "marketing": ["id", "duration"],
    "education": ["id_student", "date_unregistration", "code_presentation", "starts", "gender", "age_band"],
    "real_estate": ["price", "id", "date", "yr_built", "yr_renovated"],
    "energy_load": ["next_hour", "date"],
    "lodging": ["price", "id", "host_id", "last_review"],
    "opinion": ["headline", "Decisions"],
    "customer_service": ["domain", "part"],
    "retail_demand": ["product", "sold_at", "period", "level", "naive", "seasonal_naive", "moving_average"],
}
# A quick training on a slice proves that the stages fit together; how good its model is says nothing.
ANY_QUALITY = {"at_least": 0.0, "baseline_margin": 0.99}
# Of a metric that is better if lower.
ANY_LOSS = {"at_most": 1e9, "baseline_margin": 0.99}
GATES = {
    "customer_service": ANY_LOSS,
    "education": ANY_LOSS,
    "energy_load": ANY_LOSS,
    "lodging": ANY_LOSS | {"bounds": {"coverage": {"at_least": 0.0, "at_most": 1.0}}},
    "opinion": ANY_LOSS,
    "real_estate": ANY_LOSS | {"bounds": {"coverage": {"at_least": 0.0, "at_most": 1.0}}},
    "retail_demand": ANY_LOSS,
}
# What a model of a slice reaches at least, or at most, if it has learnt anything.
LEARNT = {
    "customer_service": ("log_loss", 2.5),
    "education": ("log_loss", 1.386),
    "energy_load": ("rmse", 200.0),
    "lodging": ("mape", 0.6),
    "opinion": ("log_loss", 0.95),
    "real_estate": ("mape", 0.6),
    "retail_demand": ("wql", 0.8),
}
# A vertical of one's own is tried, too.
DEFAULT = {"*": lambda rows: rows.head(3000)}


# Trained by `make test`: the smallest.
FIRST = ("marketing",)


def each(verticals):
    """Verticals as parameters; `make test-all` takes all of them."""
    return [name if name in FIRST else pytest.param(name, marks=pytest.mark.exhaustive) for name in verticals]


@pytest.fixture(scope="module")
def sliced(made_once, store):
    """Give a project in which a vertical ran once on a slice of its data, and what was printed; not to be changed."""

    def train(vertical: str, path: Path) -> None:
        copy_face(path, [vertical])
        copy_slices(vertical, path / "data/01_raw" / FILES_OF.get(vertical, vertical))
        quick = {
            "training": QUICK,
            "evaluation": {"resamples": 100, "explained_rows": 50},
            "gate": GATES.get(vertical, ANY_QUALITY),
        }
        (path / "conf/local").mkdir(exist_ok=True)
        (path / "conf/local/parameters.yml").write_text(yaml.safe_dump({vertical: quick}))
        shutil.copy(store, path / "mlflow.db")
        done = Project(path).run("run")
        (path / "printed.json").write_text(json.dumps([done.returncode, done.stdout, done.stderr]))

    def of(vertical: str) -> tuple[Project, Done]:
        path = made_once(f"sliced-{vertical}", partial(train, vertical))
        return Project(path), Done(*json.loads((path / "printed.json").read_text()))

    return of


def copy_slices(vertical: str, folder: Path) -> None:
    source = REPOSITORY / "data/01_raw" / folder.name
    for file in (path for path in source.rglob("*") if path.is_file() and path.suffix != ".md"):
        copy = folder / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        cut = next(
            (cut for pattern, cut in SLICES.get(vertical, DEFAULT).items() if file.match(pattern)), None
        )
        if cut is not None and file.suffix == ".parquet":
            cut(pd.read_parquet(file)).to_parquet(copy)
        elif cut is None or ".csv" not in file.suffixes:
            shutil.copy(file, copy)
        else:
            rows = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
            cut(rows).to_csv(copy.with_name(f"{file.name.split('.')[0]}.csv"), index=False)


@pytest.mark.parametrize("vertical", each(VERTICALS))
def test_a_slice_becomes_a_registered_model(sliced, vertical):
    project, done = sliced(vertical)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    runs = project.runs(vertical)
    assert [run.info.status for run in runs] == ["FINISHED"], done.stderr
    metric, bound = LEARNT.get(vertical, ("auc", 0.5))
    figure = runs[0].data.metrics[f"test.{metric}"]
    assert figure > bound if metric == "auc" else figure < bound
    champion = project.client().get_model_version_by_alias(vertical, "champion")
    assert champion.version == 1
    assert f"{vertical}: version 1, alias champion" in done.stdout


@pytest.mark.parametrize("vertical", each(CAUTIOUS))
def test_what_is_not_real_is_said_wherever_it_is_shown(sliced, vertical):
    project, done = sliced(vertical)
    caution = CAUTIOUS[vertical]
    assert done.stdout.count(caution) == 1
    (run,) = project.runs(vertical)
    assert caution in run.data.tags["mlflow.note.content"]
    version = project.client().get_model_version(vertical, "1")
    assert caution in version.description
    assert caution in version.tags["caution"]


@pytest.mark.parametrize("vertical", each(VERTICALS))
def test_no_part_of_a_split_by_time_knows_a_later_one(sliced, vertical):
    project, _ = sliced(vertical)
    declared = read_parameters(project.path / "conf/base", vertical)
    if declared.split.strategy != "time":
        pytest.skip("its rows have no order in time")
    table = pd.read_parquet(project.output("04_feature", "feature_table.parquet", vertical))
    part = pd.read_parquet(project.output("03_primary", "split.parquet", vertical))["part"]
    times = table[declared.dataset.time].groupby(part).agg(["min", "max"])
    delay = declared.dataset.label_delay
    if pd.api.types.is_datetime64_any_dtype(times["min"]):
        delay = as_timedelta(delay) if delay else pd.Timedelta(0)
    assert times.loc["train", "max"] + delay <= times.loc["validation", "min"]
    assert times.loc["validation", "max"] + delay <= times.loc["test", "min"]


@pytest.mark.parametrize("vertical", each(NEVER))
def test_ids_and_facts_of_later_are_no_inputs(sliced, vertical):
    project, _ = sliced(vertical)
    encoder = json.loads(project.output("04_feature", "encoder/encoder.json", vertical).read_text())
    inputs = {column["name"] for column in encoder["columns"]}
    assert inputs
    assert not inputs & set(NEVER[vertical])


@pytest.mark.parametrize("vertical", each(VERTICALS))
def test_the_registered_model_scores_raw_rows_as_it_was_measured(sliced, vertical):
    project, _ = sliced(vertical)
    (described,) = (project.path / "mlruns" / vertical).rglob("artefact.json")
    artefact = Artefact.load(described.parent)
    scores = pd.read_parquet(project.output("07_model_output", "scores.parquet", vertical))
    measured = scores[scores["part"] == "test"].head(20)
    # What is derived from a row is computed anew, as for a client who sends dates as text.
    rows = pd.read_parquet(project.output("04_feature", "feature_table.parquet", vertical)).loc[
        measured.index
    ]
    sent = rows[list(artefact.inputs)].astype(object)
    records = sent.where(sent.notna(), None).to_dict("records")
    received = pd.DataFrame.from_records(json.loads(json.dumps(records, default=str)), index=measured.index)
    np.testing.assert_array_equal(artefact.scores(received), artefact.task.scores(measured, "model"))


@pytest.mark.exhaustive
@pytest.mark.parametrize("vertical", VERTICALS)
def test_the_notebook_shows_every_vertical(sliced, vertical):
    project, _ = sliced(vertical)
    notebook = json.loads((REPOSITORY / "notebooks/explore_runs.ipynb").read_text())
    opened, *shown = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    code = [opened.replace("finance", vertical), *(f"assert ({cell})._repr_html_()" for cell in shown)]
    command = [sys.executable, "-c", "\n".join(code)]
    done = subprocess.run(command, cwd=project.path / "data", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
