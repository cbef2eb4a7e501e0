"""What `docs/model.md` says is what the code does, and its example runs."""

from __future__ import annotations

import re
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import yaml

from lepton_pipeline.features.column_encoders import RARE_ROWS, CategoricalColumn, NumericColumn
from lepton_pipeline.features.encode import FEWEST_VALUES, MOST_ROWS, MOST_VALUES, Encoder
from lepton_pipeline.model.blend import EQUAL, STANDARD_ERRORS, WEIGHTS
from lepton_pipeline.model.boosting.trees import MOST_CODES
from lepton_pipeline.model.folds import MOST_ROWS_OF_FOLDS
from lepton_pipeline.model.networks import defaults
from lepton_pipeline.model.networks.network import check_architecture
from lepton_pipeline.model.networks.step import GRADIENT_NORM
from lepton_pipeline.model.predictor import Predictor, train_model
from lepton_pipeline.parameters import MODELS, Declaration, Ranks, Training
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.classes import MOST_CLASSES
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import MOST_BOOSTED
from lepton_pipeline.tasks.split import FOLDS

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
TEXT = (DOCS / "model.md").read_text(encoding="utf-8")
HUGE = 10**9


def hyper_parameters() -> dict[str, list[str]]:
    """Cells of the table by name: default, range, what it does, source."""
    section = TEXT.split("\n## Hyper-parameters\n")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.findall(r"^\| `.*", section, re.M)
    ]
    return {row[0].strip("`"): row[1:] for row in rows}


def number(text: str) -> int:
    return int(text.replace(",", ""))


def range_of(name: str, model: type[Declaration] = Training) -> str:
    """The range of a field as the table writes it, from what pydantic checks."""
    field = model.model_fields[name]
    if isinstance(field.default, Declaration):
        return ", ".join(f"`{key}`" for key in type(field.default).model_fields)
    values = (
        list(MODELS)
        if name == "model"
        else [each for each in get_args(field.annotation) if isinstance(each, str)]
    )
    if values:
        return ", ".join(f"`{value}`" for value in values)
    if field.annotation in (bool, bool | None):
        return "`true`, `false`"
    bounds = {key: value for each in field.metadata for key, value in asdict(each).items()}
    if "le" in bounds:
        return f"{bounds['ge']} to {bounds['le']:,}"
    if "lt" in bounds:
        return f"{bounds['ge']} or more, below {bounds['lt']}"
    if "gt" in bounds:
        return f"above {bounds['gt']}"
    return f"{bounds['ge']} or more" if bounds["ge"] == 0 else f"at least {bounds['ge']}"


def encoded_rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A number with one bend and a category that both matter, with their labels in three parts."""
    rng = np.random.default_rng(7)
    encoded = pd.DataFrame(
        {"bend": rng.normal(size=600).astype(np.float32), "kind": rng.integers(2, 4, 600).astype(np.int32)}
    )
    chance = 1 / (1 + np.exp(2 - 4 * np.abs(encoded["bend"]) + 3 * (encoded["kind"] == 3)))
    part = np.repeat(["train", "validation", "test"], 200)
    label = (rng.random(600) < chance).astype(np.int8)
    return encoded, pd.DataFrame({"part": part, "label": label, "fold": np.int8(-1)})


def test_the_table_has_every_hyper_parameter_in_the_order_of_the_declaration():
    assert list(hyper_parameters()) == list(Training.model_fields)


@pytest.mark.parametrize("name", Training.model_fields)
def test_defaults_and_ranges_are_those_of_the_declaration(name):
    default, allowed, meaning, _ = hyper_parameters()[name]
    declared = Training.model_fields[name].default
    if isinstance(declared, Declaration):
        assert default == "`{}`"
    elif declared is None:
        assert default in {"by rows", "by columns", "by model", "by machine", "by task"}
    else:
        value = yaml.safe_load(default.strip("`"))
        assert (type(value), value) == (type(declared), declared)
    assert allowed == range_of(name)
    assert meaning


def test_keys_of_ranks_are_those_of_the_declaration():
    section = TEXT.split("\n## Training on several machines\n")[1].split("\n### ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line[:3] == "| `"
    ]
    assert [row[0].strip("`") for row in rows] == list(Ranks.model_fields)
    for name, default, allowed, meaning in rows:
        key = name.strip("`")
        declared = Ranks.model_fields[key].default
        assert default == {"processes": "by machine", "address": "none"}.get(key, f"`{declared}`")
        assert allowed == ("`HOST:PORT`" if key == "address" else range_of(key, Ranks))
        assert meaning
    (declaration,) = re.findall(r"^```yaml\n(.*?)^```", section, re.M | re.S)
    assert Training(**yaml.safe_load(declaration)["training"]).ranks.machines == 2


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("patience", partial(defaults.patience, averaged=False)),
        ("batch_size", defaults.batch_size),
        ("networks", defaults.networks_by_time),
    ],
)
def test_defaults_by_rows_are_those_of_the_code(name, rule):
    meaning = hyper_parameters()[name][2]
    steps = re.findall(r"([\d,]+) (below|up to) ([\d,]+)(?: rows)?,", meaning)
    assert len(steps) == 2
    for value, relation, bound in steps:
        last = number(bound) - (relation == "below")
        assert rule(last) == number(value) != rule(last + 1)
    assert rule(HUGE) == number(re.search(r"([\d,]+) above", meaning)[1])


def test_the_default_embedding_is_that_of_the_code():
    found = re.search(
        r"([\d,]+) up to ([\d,]+) encoded columns, then ([\d,]+) / columns, but ([\d,]+) at least",
        hyper_parameters()["embedding"][2],
    )
    most, bound, budget, least = (number(each) for each in found.groups())
    assert [defaults.embedding(columns) for columns in (1, bound, HUGE)] == [most, most, least]
    assert defaults.embedding(bound + 1) < most == budget // bound
    assert defaults.embedding(budget // 2) == 2


@pytest.mark.parametrize(
    "said",
    [
        f"at most {MOST_ROWS_OF_FOLDS:,} rows for training and validation",
        f"one for each of {FOLDS} folds",
        f"{WEIGHTS[0]}, {WEIGHTS[1]} .. {WEIGHTS[-1]}",
        f"it leaves {EQUAL} only as far as validation rows show; {EQUAL} in large tables divided at random",
        f"within {STANDARD_ERRORS} standard errors",
        f"whole numbers of {FEWEST_VALUES} to {MOST_VALUES} values are therefore tried",
        f"in tables of up to {MOST_ROWS:,}",
        f"{WEIGHTS[-1]} is as much as it may",
        f"clipped to norm {GRADIENT_NORM:g}",
        f"fewer than {RARE_ROWS} training rows",
        f"beyond its {MOST_CODES} codes a column",
        f"embeddings → {Training().members} members",
        f"Beyond {MOST_BOOSTED} of them there is no boosting",
        f"{MOST_CLASSES:,} are the most",
    ],
)
def test_other_numbers_are_those_of_the_code(said):
    assert said in TEXT


def test_files_and_sections_that_are_linked_to_exist():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if "://" not in link]
    assert {"model_loss.png", "model_embedding.png"} <= set(links)
    for link in links:
        file, _, section = link.partition("#")
        path = (DOCS / file).resolve()
        assert path.exists(), link
        if section:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
            assert section in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}, (
                link
            )


def test_the_example_of_an_architecture_trains_and_is_loaded_again(monkeypatch, tmp_path):
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    (name,) = re.findall(r'^training: {model: "(\w+:\w+)"}$', TEXT, flags=re.MULTILINE)
    (tmp_path / f"{name.partition(':')[0]}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    check_architecture(name)

    encoded, split = encoded_rows()
    training = Training(model=name, epochs=30, batch_size=32, learning_rate=0.05, bins=4, device="cpu")
    model, _, _ = train_model(encoded, split, Target(Binary()), training)
    test = split.index[split["part"] == "test"]
    scores = model.predict(encoded.loc[test])
    positive = split.loc[test, "label"].to_numpy() == 1
    # A line alone cannot rank by the distance from 0.
    assert (scores[positive][:, None] > scores[~positive]).mean() > 0.85
    model.save(tmp_path / "model")
    assert np.array_equal(Predictor.load(tmp_path / "model").predict(encoded.loc[test]), scores)


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    return import_module("draw_model")


def test_loss_curves_mark_the_epoch_that_is_kept(pictures):
    held_out = [0.5, 0.4, 0.45, 0.6, 0.55, 0.3]
    history = pd.DataFrame(
        {
            "network": [1, 1, 1, 2, 2, 2],
            "epoch": [1, 2, 3] * 2,
            "train_loss": 0.5,
            "validation_log_loss": held_out,
        }
    )
    page = pictures.draw_losses(history, "shop")
    marked = [axes.lines[-1].get_xydata().tolist() for axes in page.axes]
    assert marked == [[[2, 0.4]], [[3, 0.3]]]
    assert "kept as they were at epochs 2 to 3" in page.texts[0].get_text()


def test_the_embedding_that_is_drawn_is_the_one_of_the_model(pictures, tmp_path):
    raw = pd.DataFrame({"size": np.arange(600) ** 2.0, "kind": ["a", "b"] * 300})
    columns = [NumericColumn.fit(raw["size"], "number"), CategoricalColumn.fit(raw["kind"], "text")]
    encoder = Encoder(columns, {})
    _, split = encoded_rows()
    encoded = encoder.transform(raw)
    short = Training(epochs=2, boosting=False, bins=4, device="cpu")
    model, history, _ = train_model(encoded, split, Target(Binary()), short)
    folders = {layer: tmp_path / layer / "shop" for layer in ("03_primary", "04_feature", "06_models")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    split.to_parquet(folders["03_primary"] / "split.parquet")
    raw.to_parquet(folders["04_feature"] / "feature_table.parquet")
    encoder.save(folders["04_feature"] / "encoder")
    model.save(folders["06_models"] / "model")
    history.to_parquet(folders["06_models"] / "history.parquet")

    drawn = pictures.read_embedding(tmp_path, "shop", "size")
    assert drawn.components.shape == (len(drawn.raw), model.network.shape.embedding)
    # Quantiles of the rows that the fit learnt from are its knots.
    wanted = np.quantile(raw["size"][:400], [0.25, 0.5, 0.75])
    assert np.allclose(drawn.knots, wanted, rtol=0.03)
    # A line between knots, in the scores that the network is given.
    scores = np.interp(drawn.raw, columns[0].quantiles, columns[0].scores)
    inner = (drawn.raw > drawn.knots[0]) & (drawn.raw < drawn.knots[1])
    bend = np.polyfit(scores[inner], drawn.components[inner], 2)[0]
    assert np.abs(bend).max() < 1e-4
    assert len(drawn.rows) == 400

    pictures.main(
        ["--data", str(tmp_path), "--vertical", "shop", "--column", "size", "--output", str(tmp_path)]
    )
    for name in ("model_loss.png", "model_embedding.png"):
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
