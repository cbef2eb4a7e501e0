"""As of a date, nothing that came later changes a bit: not of the model, nor of the rows that it is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY, Project, copy_face

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

    project.declare("finance", change)


def champion_bits(project: Project, vertical: str) -> tuple[str, str]:
    """Checksums of all files of the champion, and of the bytes of its weights."""
    version = project.client().get_model_version_by_alias(vertical, "champion")
    logged = project.client().get_logged_model(version.source.rpartition("/")[2])
    folder = Path(logged.artifact_location.removeprefix("file://"))
    (weights,) = folder.rglob("*.safetensors")
    return version.tags["artefact.sha256"], hashlib.sha256(weights.read_bytes()).hexdigest()


@pytest.mark.parametrize("strategy", SPLITS)
def test_what_came_after_the_date_changes_no_bit_of_the_model(warm, make_small, tmp_path, strategy):
    split, as_of = SPLITS[strategy]
    bits = []
    for how in HOW:
        project = make_small(tmp_path / str(how))
        dated_finance(project, split, how)
        done = warm.run(project.path, "retrain", "finance", "--as-of", as_of)
        assert done.code == 0, done.said
        bits.append(champion_bits(project, "finance"))
        (job,) = project.runs("finance_retraining")
        assert job.data.tags["as_of"] == as_of
    assert bits[1:] == bits[:1] * 2
    # Of today, what is later does matter: nonsense in a column of numbers makes it one of texts.
    later = warm.run(project.path, "run", "--pipelines", "finance", "--to-nodes", "finance.split_rows")
    assert later.code == 3, later.said


def few(vertical: str, rows: pd.DataFrame) -> pd.DataFrame:
    if vertical == "retail":
        return rows[pd.to_numeric(rows["Customer ID"]).floordiv(1).mod(40) == 0]
    return rows.head(1800)


# Files whose rows have a time: its column and format, and every how many rows are taken.
RAW = {
    "energy": {"appliances": ("date", "%Y-%m-%d %H:%M:%S", 1)},
    "retail": {"lines": ("InvoiceDate", "%m/%d/%Y %H:%M", 1)},
    "logistics": {
        "flights": ("time_hour", "%Y-%m-%dT%H:%M:%SZ", 120),
        "weather": ("time_hour", "%Y-%m-%dT%H:%M:%SZ", 1),
    },
}
AS_OF = {"energy": "2016-01-23", "retail": "2011-07-01", "logistics": "2013-09-01"}


def sliced(path: Path, store: Path, vertical: str, how: str | None) -> Project:
    """A project with a slice of a vertical's raw tables, and another future in those whose rows have a time."""
    copy_face(path, [vertical])
    folder = path / "data/01_raw" / vertical
    folder.mkdir(parents=True)
    for file in sorted((REPOSITORY / "data/01_raw" / vertical).glob("*.csv*")):
        name = file.name.partition(".")[0]
        rows = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        table = next((table for table in RAW[vertical] if name.startswith(table)), None)
        if table is not None:
            column, layout, step = RAW[vertical][table]
            rows = few(vertical, rows) if vertical != "logistics" else rows.iloc[::step]
            later = pd.to_datetime(rows[column], format=layout) > pd.Timestamp(AS_OF[vertical])
            if how is not None and later.any():
                rows = spoil(rows, later, how)
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


def same_for_every_future(
    warm: Any, tmp_path: Path, store: Path, vertical: str, futures: Sequence[str | None], command: Callable[[], list[str]]
) -> list[Any]:
    found = []
    for how in futures:
        project = sliced(tmp_path / str(how), store, vertical, how)
        done = warm.run(project.path, *command())
        assert done.code == 0, (how, done.said)
        rows = pd.read_parquet(project.output("04_feature", "feature_table.parquet", vertical))
        assert len(rows) > 500
        found.append((project, bytes_of_rows(project, vertical)))
    assert all(rows == found[0][1] for _, rows in found)
    return [project for project, _ in found]


def test_a_label_made_of_later_rows_waits_for_them_to_the_bit(warm, store, tmp_path):
    projects = same_for_every_future(
        warm, tmp_path, store, "energy", [None, "altered"], lambda: ["retrain", "energy", "--as-of", AS_OF["energy"]]
    )
    one, other = (champion_bits(project, "energy") for project in projects)
    assert one == other


@pytest.mark.parametrize("vertical", ["retail", "logistics"])
def test_joined_tables_end_at_the_date_each_by_its_own_time(warm, store, tmp_path, vertical, request):
    futures = HOW if request.config.getoption("--exhaustive") else [None, "altered"]
    as_of = f"{vertical}.dataset.as_of={AS_OF[vertical]}"
    same_for_every_future(
        warm,
        tmp_path,
        store,
        vertical,
        futures,
        lambda: ["run", "--pipelines", vertical, "--to-nodes", f"{vertical}.split_rows", "--params", as_of],
    )
