"""As of a date, nothing that came later changes a bit: not of the model, nor of the rows that it is made of."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY, Project, copy_face

from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.parameters import Dataset, Features, Window

START = pd.Timestamp("2025-01-01")
SPLITS = {
    "random": ({}, "2025-10-01"),
    "time": ({"strategy": "time"}, "2025-11-05T12:00"),
}


def spoil(rows: pd.DataFrame, later: pd.Series, how: str) -> pd.DataFrame:
    """Another future: the later rows in another order, or with other values, some of which have no right type.

    Args:
        rows: texts, as a file holds them.
        later: marks the rows of the future.
        how: "shuffled": rows as they are, in each other's places; "altered": values of other rows, and nonsense.
    """
    draw, places = np.random.default_rng(7), np.flatnonzero(later)
    assert 0.05 < later.mean() < 0.7
    if how == "shuffled":
        order = np.arange(len(rows))
        order[places] = draw.permutation(places)
        return rows.iloc[order]
    made = rows.copy()
    for column in made.columns.drop(TIMES, errors="ignore"):
        values = made[column].to_numpy().copy()
        values[places] = draw.permutation(values[places])
        values[places[: len(places) // 10]] = f"no {column}"
        made[column] = values
    return made


TIMES = ["seen", "date", "InvoiceDate", "time_hour"]
HOW = [None, "shuffled", "altered"]


def dated_finance(project: Project, split: dict[str, Any], how: str | None) -> None:
    """Give the rows of finance a day each, in no order, and the days after the date another content."""
    (file,) = (project.path / "data/01_raw/finance").iterdir()
    rows = pd.read_csv(file, dtype=str, keep_default_na=False)
    days = START + pd.to_timedelta(np.random.default_rng(5).permutation(len(rows)), unit="D")
    rows = rows.assign(seen=days.strftime("%Y-%m-%dT%H:%M:%S"))
    if how is not None:
        rows = spoil(rows, pd.Series(days > pd.Timestamp(SPLITS[split.get("strategy", "random")][1])), how)
    rows.to_csv(file, index=False)

    def change(declared: dict[str, Any]) -> None:
        declared["dataset"] |= {"time": "seen"} | ({"label_delay": "5d"} if split else {})
        declared["ingestion"] = declared.get("ingestion", {}) | {"dates": {"seen": "ISO8601"}}
        declared["split"] = split
        declared["evaluation"] = {"resamples": 100, "explained_rows": 20}

    project.declare("finance", change)


def bits(folder: Path) -> dict[str, str]:
    """Checksums of the files below a folder, weights of the model among them."""
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert any(name.endswith(".safetensors") for name in found)
    return found


def artefact(project: Project, vertical: str) -> Path:
    return project.output("06_models", "artefact", vertical)


@pytest.mark.exhaustive
def test_what_came_after_the_date_changes_no_bit_of_a_job_s_model(warm, make_small, tmp_path):
    split, as_of = SPLITS["time"]
    found = []
    for how in (None, "altered"):
        project = make_small(tmp_path / str(how))
        dated_finance(project, split, how)
        done = warm.run(project.path, "retrain", "finance", "--as-of", as_of)
        assert done.returncode == 0, done.said
        (job,) = project.runs("finance_retraining")
        assert job.data.tags["as_of"] == as_of
        champion = project.client().get_model_version_by_alias("finance", "champion")
        found.append((champion.tags["artefact.sha256"], bits(artefact(project, "finance"))))
    assert found[0] == found[1]
    # Of today, what is later does matter: nonsense in a column of numbers makes it one of texts.
    later = warm.run(project.path, "run", "--pipelines", "finance", "--to-nodes", "finance.split_rows")
    assert later.returncode == 3, later.said


@pytest.mark.exhaustive
def test_nor_where_rows_are_divided_at_random(warm, make_small, tmp_path, exhaustive):
    split, as_of = SPLITS["random"]
    found = []
    for how in HOW if exhaustive else (None, "shuffled"):
        project = make_small(tmp_path / str(how))
        dated_finance(project, split, how)
        date = f"finance.dataset.as_of={as_of}"
        made = warm.run(project.path, *up_to("finance", "assemble_artefact"), "--params", date)
        assert made.returncode == 0, made.said
        found.append(bits(artefact(project, "finance")))
    assert found[1:] == found[:1] * (len(found) - 1)


def test_no_window_sees_a_label_before_it_is_known():
    draw = np.random.default_rng(3)
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(draw.permutation(200), unit="D")
    rows = pd.DataFrame({"day": days, "shop": draw.choice(list("ab"), 200), "y": draw.integers(0, 2, 200)})
    rows["reported"] = rows["day"] + pd.Timedelta(12, "D")
    derive = {"bad": "y * 1", "worse": "bad + 1", "rise": "of_bad - of_window"}
    windows = {
        "of_bad": Window(statistic="mean", of="bad"),
        "of_worse": Window(statistic="sum", of="worse", by=["shop"], within="60d"),
        "last_bad": Window(statistic="lag", of="bad", rows=2),
        "of_window": Window(statistic="max", of="of_bad", rows=5),
        "of_rise": Window(statistic="std", of="rise"),
        "in_time": Window(statistic="mean", of="worse", known="reported"),
    }
    roles = Dataset(target="y", positive=1, time="day", label_delay="10d", exclude=["bad", "worse"])
    moment = pd.Timestamp("2025-04-01")
    unknown = rows["day"] > moment - pd.Timedelta(10, "D")
    found = [
        derive_features(made, roles, Features(derive=derive, windows=windows))
        for made in (rows, rows.assign(y=rows["y"].mask(unknown, 1 - rows["y"])))
    ]
    one, other = (each.loc[rows["day"] <= moment, [*windows, "rise"]] for each in found)
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert one["last_bad"].notna().sum() > 70


def up_to(vertical: str, node: str) -> list[str]:
    return ["run", "--pipelines", vertical, "--to-nodes", f"{vertical}.{node}"]


def made_up_lines() -> pd.DataFrame:
    """Two years of invoices of a shop with a hundred customers."""
    draw = np.random.default_rng(11)
    days = np.sort(draw.integers(0, 735, 4000))
    times = pd.Timestamp("2009-12-01 09:00") + pd.to_timedelta(days, unit="D")
    made = pd.DataFrame(
        {
            "Invoice": [str(500_000 + number) for number in range(len(days))],
            "StockCode": draw.integers(10_000, 10_200, len(days)),
            "Quantity": draw.integers(1, 12, len(days)),
            "InvoiceDate": times.strftime("%m/%d/%Y %H:%M"),
            "Price": draw.integers(1, 900, len(days)) / 100,
            # A few come often, many rarely.
            "Customer ID": 12_000 + (100 * draw.random(len(days)) ** 3).astype(int),
            "Country": "Malta",
        }
    )
    return made.astype(str)


# Files whose rows have a time: its column and format, and which rows are taken.
RAW = {
    "energy": {"energydata_complete": ("date", "%Y-%m-%d %H:%M:%S", slice(1800))},
    "retail": {"lines": ("InvoiceDate", "%m/%d/%Y %H:%M", slice(None))},
    "logistics": {
        "flights": ("time_hour", "%Y-%m-%dT%H:%M:%SZ", slice(None, None, 150)),
        "weather": ("time_hour", "%Y-%m-%dT%H:%M:%SZ", slice(None)),
    },
}
AS_OF = {"energy": "2016-01-23", "retail": "2011-07-01", "logistics": "2013-09-01"}


@cache
def raw_tables(vertical: str) -> dict[str, pd.DataFrame]:
    if vertical == "retail":
        return {"lines": made_up_lines()}
    files = sorted((REPOSITORY / "data/01_raw" / vertical).glob("*.csv*"))
    return {
        file.name.partition(".")[0]: pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        for file in files
    }


def sliced(path: Path, store: Path, vertical: str, how: str | None) -> Project:
    """A project with a slice of a vertical's raw tables, and another future in those whose rows have a time."""
    copy_face(path, [vertical])
    folder = path / "data/01_raw" / vertical
    folder.mkdir(parents=True)
    for name, rows in raw_tables(vertical).items():
        if name in RAW[vertical]:
            column, layout, taken = RAW[vertical][name]
            rows = rows[taken]
            if how is not None:
                rows = spoil(
                    rows, pd.to_datetime(rows[column], format=layout) > pd.Timestamp(AS_OF[vertical]), how
                )
        rows.to_csv(folder / f"{name}.csv", index=False)
    (path / "conf/local").mkdir(exist_ok=True)
    quick = {
        "training": {"model": "linear", "epochs": 1},
        "evaluation": {"resamples": 100},
        "gate": {"at_least": 0.0, "baseline_margin": 0.99},
    }
    (path / "conf/local/parameters.yml").write_text(yaml.safe_dump({vertical: quick}))
    (path / "mlflow.db").write_bytes(store.read_bytes())
    return Project(path)


def bytes_of_rows(project: Project, vertical: str) -> list[bytes]:
    files = [("04_feature", "feature_table.parquet"), ("03_primary", "split.parquet")]
    return [project.output(layer, name, vertical).read_bytes() for layer, name in files]


@pytest.mark.parametrize(
    ("vertical", "node"),
    [
        ("energy", "split_rows"),
        pytest.param("energy", "assemble_artefact", marks=pytest.mark.exhaustive),
        ("retail", "split_rows"),
        pytest.param("logistics", "split_rows", marks=pytest.mark.exhaustive),
    ],
)
def test_raw_tables_end_at_the_date_each_by_its_own_time(warm, store, tmp_path, vertical, node, exhaustive):
    found = []
    for how in HOW if exhaustive else (None, "altered"):
        project = sliced(tmp_path / str(how), store, vertical, how)
        made = warm.run(
            project.path, *up_to(vertical, node), "--params", f"{vertical}.dataset.as_of={AS_OF[vertical]}"
        )
        assert made.returncode == 0, (how, made.said)
        rows = bytes_of_rows(project, vertical)
        assert len(pd.read_parquet(project.output("04_feature", "feature_table.parquet", vertical))) > 500
        found.append((rows, bits(artefact(project, vertical)) if node == "assemble_artefact" else {}))
    assert found[1:] == found[:1] * (len(found) - 1)
