"""The benchmark's arithmetic, its record and tables, and contenders, where the task is binary."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.parameters import Dataset, Split, Vertical

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
OURS, NETWORK, LINEAR, HGB, TABM = (
    "lepton (default)",
    "lepton (network alone)",
    "logistic regression",
    "HGB (default)",
    "TabM",
)


@pytest.fixture(autouse=True)
def _modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.fixture
def quality() -> Any:
    return import_module("quality")


@pytest.fixture
def tables() -> Any:
    return import_module("quality_tables")


@pytest.fixture
def results_module() -> Any:
    return import_module("quality_results")


@pytest.fixture
def rows_module() -> Any:
    return import_module("quality_rows")


@pytest.fixture
def metrics() -> Any:
    return import_module("quality_metrics")


@pytest.fixture
def record_module() -> Any:
    return import_module("quality_record")


def line(
    contender: str, vertical: str = "energy", auc: float = 0.8, seed: int = 0, **more: float
) -> dict[str, Any]:
    measured = {"auc": auc, "log_loss": 1 - auc, "average_precision": auc / 2, "cpu_seconds": 3.0, **more}
    return {"vertical": vertical, "seed": seed, "contender": contender, **measured}


def stopped(contender: str, vertical: str = "energy", seed: int = 0, after: int = 600) -> dict[str, Any]:
    return {"vertical": vertical, "seed": seed, "contender": contender, "stopped": after}


def declared(strategy: str = "stratified") -> Vertical:
    dataset = Dataset(target="bought", positive="yes", time="day", group="shop", categorical=["city"])
    return Vertical(dataset=dataset, split=Split(strategy=strategy))


def shop_table(rows: int = 400) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    size = generator.normal(size=rows)
    city = generator.choice(["Bern", "Genoa", "Oslo"], rows)
    bought = size + (city == "Oslo") + generator.normal(0, 0.3, rows) > 0.5
    return pd.DataFrame(
        {
            "size [m]": np.where(generator.random(rows) < 0.1, np.nan, size),
            "wealth": np.where(np.arange(rows) == 7, np.inf, generator.normal(size=rows)),
            "city": city,
            "regular": generator.random(rows) < 0.5,
            "day": np.arange(rows),
            "shop": np.arange(rows) % 50,
            "bought": np.where(bought, "yes", "no"),
        },
        index=np.arange(rows) * 2 + 1,
    )


# What the figures say.


def test_ranks_share_ties_and_mind_the_direction_of_the_metric(results_module: Any) -> None:
    results = results_module.Results.read([line(OURS, auc=0.8), line(LINEAR, auc=0.7), line(HGB, auc=0.8)])
    assert {name: results.rank(name, "energy", "auc") for name in results.field} == {
        OURS: 1.5,
        LINEAR: 3,
        HGB: 1.5,
    }
    flipped = [line(OURS, auc=0.8, log_loss=0.5), line(LINEAR, auc=0.7, log_loss=0.4)]
    assert results_module.Results.read(flipped).rank(OURS, "energy", "log_loss") == 2


def test_unfinished_contenders_share_the_last_rank(results_module: Any) -> None:
    lines = [
        line(OURS, auc=0.6),
        line(LINEAR, auc=0.9),
        stopped(HGB),
        stopped(TABM),
        line(TABM, auc=0.99, seed=1),
    ]
    results = results_module.Results.read(lines)
    ranks = [results.rank(name, "energy", "auc") for name in (LINEAR, OURS, HGB, TABM)]
    assert ranks == [1, 2, 3.5, 3.5]
    assert results.unfinished[TABM, "energy"] == "stopped after 600 CPU seconds"
    assert results.values(TABM, "energy", "auc") == []


def test_contender_with_fewer_seeds_is_compared_on_them(results_module: Any) -> None:
    # The second draw is the easier one: on the first TabM is ahead, though its mean is lower.
    lines = [line(OURS, auc=0.7), line(OURS, auc=0.9, seed=1), line(TABM, auc=0.75)]
    results = results_module.Results.read(lines)
    assert results.leads(TABM, OURS, "energy", "auc") == pytest.approx([0.05])
    assert [results.rank(name, "energy", "auc") for name in (TABM, OURS)] == [1, 2]
    assert results.closest("energy") == (TABM, pytest.approx([0.05]))


def test_contender_that_was_not_tried_everywhere_does_not_count_in_the_rank_of_others(
    results_module: Any,
) -> None:
    lines = [line(OURS, "energy", 0.8), line(OURS, "finance", 0.8), line(LINEAR, "energy", 0.7)]
    lines += [line(LINEAR, "finance", 0.9), line(TABM, "finance", 0.85)]
    results = results_module.Results.read(lines)
    assert results.field == [OURS, LINEAR]
    assert results.mean_rank(OURS, ["energy", "finance"], "auc") == 1.5
    assert results.mean_rank(TABM, ["energy", "finance"], "auc") == 2
    assert results.mean_rank(TABM, ["energy"], "auc") is None
    assert results.mean(TABM, "auc") is None
    assert results.mean(LINEAR, "auc") == pytest.approx(0.8)


def test_variant_is_ranked_in_place_of_the_default(results_module: Any) -> None:
    results = results_module.Results.read(
        [line(OURS, auc=0.9), line(NETWORK, auc=0.8), line(LINEAR, auc=0.7)]
    )
    assert [results.rank(name, "energy", "auc") for name in (OURS, NETWORK, LINEAR)] == [1, 1, 2]


def test_later_line_counts(results_module: Any) -> None:
    results = results_module.Results.read([stopped(OURS), line(OURS, auc=0.8)])
    assert results.values(OURS, "energy", "auc") == [0.8]
    assert results.unfinished == {}


def test_held_out_verticals_are_apart(tables: Any, results_module: Any) -> None:
    results = results_module.Results.read(
        [line(OURS, name) for name in ("telecom", "energy", "retail", "marketing")]
    )
    assert results.verticals == ["energy", "marketing", "retail", "telecom"]
    assert tables.groups(results) == {
        "2 seen": ["energy", "marketing"],
        "2 held out": ["retail", "telecom"],
        "all 4": ["energy", "marketing", "retail", "telecom"],
    }
    assert tables.metric_table(results, "auc").splitlines()[0].split("|")[4].strip() == "retail †"
    assert list(tables.groups(results_module.Results.read([line(OURS)]))) == ["1 seen", "all 1"]


def test_best_figure_of_a_column_is_bold_and_spread_is_over_seeds(tables: Any, results_module: Any) -> None:
    lines = [
        line(OURS, auc=0.8),
        line(OURS, auc=0.81, seed=1),
        line(LINEAR, auc=0.7),
        line(LINEAR, auc=0.7, seed=1),
    ]
    text = tables.metric_table(results_module.Results.read([*lines, stopped(HGB)]), "auc").splitlines()
    cells = {row.split("|")[1].strip(): row.split("|")[2].strip() for row in text[2:]}
    assert cells == {OURS: "**.8050**±.0071", LINEAR: ".7000±.0000", HGB: "unfinished"}
    best = tables.metric_table(
        results_module.Results.read([line(OURS, auc=0.8), line(LINEAR, auc=0.7)]), "log_loss"
    )
    assert "**.2000**" in best
    assert "**.3000**" not in best


@pytest.mark.parametrize(("best", "verdict"), [(0.802, "reached"), (0.8021, "missed"), (0.7, "reached")])
def test_distance_to_the_best_is_judged(tables: Any, results_module: Any, best: float, verdict: str) -> None:
    results = results_module.Results.read([line(OURS, auc=0.8), line(LINEAR, auc=best), line(HGB, auc=0.6)])
    row = tables.distance_table(results).splitlines()[2]
    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        "energy",
        ".8000",
        LINEAR,
        f"{best - 0.8:+.4f}",
        verdict,
    ]
    assert ("the AUC of energy" in tables.missed(results)) == (verdict == "missed")


def test_first_rank_is_judged_for_each_group(tables: Any, results_module: Any) -> None:
    lines = [line(OURS, "energy", 0.8), line(LINEAR, "energy", 0.7), line(OURS, "retail", 0.8)]
    results = results_module.Results.read([*lines, line(LINEAR, "retail", 0.801)])
    assert tables.goals(results).splitlines()[:3] == [
        "- First in mean rank of AUC, 1 seen: reached.",
        "- First in mean rank of AUC, 1 held out: missed.",
        "- First in mean rank of AUC, all 2: reached.",
    ]
    assert tables.missed(results) == []


def test_model_that_does_not_finish_misses_its_goal(tables: Any, results_module: Any) -> None:
    results = results_module.Results.read([stopped(OURS), line(LINEAR)])
    assert tables.missed(results) == ["the first mean rank of AUC", "to finish energy"]
    assert tables.distance_table(results).count("\n") == 1


def test_no_verdict_before_the_model_is_tried_everywhere(tables: Any, results_module: Any) -> None:
    results = results_module.Results.read(
        [line(OURS, "energy"), line(LINEAR, "energy"), line(LINEAR, "finance")]
    )
    assert "no verdict" in tables.goals(results)
    assert tables.missed(results) == []


def test_rank_table_has_ranks_means_and_seconds(tables: Any, results_module: Any) -> None:
    lines = [
        line(OURS, auc=0.9, cpu_seconds=1000.4),
        line(OURS, "retail", 0.8, cpu_seconds=1000.4),
        line(LINEAR),
    ]
    results = results_module.Results.read([*lines, line(NETWORK, "retail", 0.7)])
    head, _, *rows = (row.split("|")[1:-1] for row in tables.rank_table(results, "auc").splitlines())
    assert [cell.strip() for cell in head[1:4]] == [
        "mean rank, 1 seen",
        "mean rank, 1 held out",
        "mean rank, all 2",
    ]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["lepton (default)", "1.00", "1.00", "1.00", ".8500", "2,001"],
        ["lepton (network alone) °", "—", "1.00", "1.00", "—", "—"],
        ["logistic regression *", "2.00", "—", "2.00", "—", "—"],
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(0.80125, ".8013"), (1.0, "1.0000"), (10.05, "10.0500"), (-0.5, "-.5000")]
)
def test_zero_before_the_point_is_left_out(tables: Any, value: float, text: str) -> None:
    assert tables.decimal(value + 1e-9) == text


def test_report_has_every_part(tables: Any) -> None:
    about = {
        "vertical": "energy",
        "strategy": "time",
        "train": 1200,
        "validation": 400,
        "test": 400,
        "columns": 9,
    }
    environment = {"date": "2026-01-01", "machine": "Linux, 2 cores", "versions": "torch 2"}
    lines = [
        {"environment": environment},
        {**about, "positive": 0.25},
        line(OURS),
        line(LINEAR),
        stopped(HGB),
    ]
    text = tables.report(lines, network_seeds=2, max_rows_slow=60_000)
    assert "2026-01-01; Linux, 2 cores;\ntorch 2." in text
    assert "| energy   |  time | 1,200 |        400 |  400 |       9 | 0.250 positive |" in text
    assert "- HGB (default) on energy: stopped after 600 CPU seconds." in text
    assert "seeds below 2, on tables of at most 60,000 training rows" in " ".join(text.split())
    headings = [row for row in text.splitlines() if row.startswith("#")]
    assert headings == [
        "# Quality of the default model",
        "## Binary",
        "### Goals",
        "### AUC",
        "### Log loss",
        "### Average precision",
        "### CPU seconds of one fit",
        "## Notes",
    ]


def test_full_report_is_not_too_wide(tables: Any, results_module: Any) -> None:
    verticals = (
        "energy",
        "finance",
        "healthcare",
        "logistics",
        "manufacturing",
        "marketing",
        *results_module.HELD_OUT,
    )
    lines = [
        line(name, each, 0.9, seed)
        for name in results_module.CONTENDERS
        for each in verticals
        for seed in range(2)
    ]
    assert max(map(len, tables.report(lines, 1, 60_000).splitlines())) <= 180


# What is kept from run to run.


def test_killed_run_is_resumed_after_its_last_complete_line(record_module: Any, tmp_path: Path) -> None:
    path = tmp_path / "results" / "quality.jsonl"
    record_module.Record(path).append([line(OURS)])
    with path.open("a") as file:
        file.write('{"vertical":"ener')
    record = record_module.Record(path)
    record.append([line(LINEAR)])
    assert record_module.Record(path).lines == [line(OURS), line(LINEAR)]
    assert (
        path.read_text()
        .splitlines()[0]
        .startswith('{"vertical":"energy","seed":0,"contender":"lepton (default)",')
    )


def test_fit_is_done_when_all_its_contenders_have_figures(record_module: Any, tmp_path: Path) -> None:
    record = record_module.Record(tmp_path / "record")
    task = record_module.Task("energy", 0, "lepton")
    record.append([line(OURS)])
    assert not record.has(task, 600)
    record.append([line(NETWORK), {**line(LINEAR), "seed": 1}])
    assert record.has(task, 600)
    assert not record.has(record_module.Task("energy", 1, "lepton"), 600)
    assert not record.has(record_module.Task("finance", 0, "lepton"), 600)


def test_stopped_fit_is_tried_again_with_more_time_only(record_module: Any, tmp_path: Path) -> None:
    record = record_module.Record(tmp_path / "record")
    record.append([stopped(TABM, after=600)])
    first, second = (record_module.Task("energy", seed, "tabm") for seed in (0, 1))
    assert record.has(first, 600)
    assert record.has(second, 600)
    assert not record.has(first, 601)
    assert not record.has(record_module.Task("finance", 0, "tabm"), 600)


def test_failed_fit_is_tried_again(record_module: Any, tmp_path: Path) -> None:
    record = record_module.Record(tmp_path / "record")
    record.append([{"vertical": "energy", "seed": 0, "contender": HGB, "failed": "exit code 1"}])
    assert not record.has(record_module.Task("energy", 0, "hgb"), 600)


def test_only_chosen_fits_are_forgotten(record_module: Any, tmp_path: Path) -> None:
    record = record_module.Record(tmp_path / "record")
    record.enter_environment()
    record.append([line(OURS), line(NETWORK), line(OURS, seed=1), line(HGB)])
    record.forget([record_module.Task("energy", 0, "lepton")])
    left = record_module.Record(tmp_path / "record").lines
    assert [each.get("contender") for each in left] == [None, OURS, HGB]
    assert left[1]["seed"] == 1


def test_environment_is_noted_once(record_module: Any, tmp_path: Path) -> None:
    record = record_module.Record(tmp_path / "record")
    record.append([{"environment": {"date": "2020-01-01", "machine": "other", "versions": "torch 1"}}])
    for _ in range(2):
        record.enter_environment()
    assert len(record.lines) == 2
    noted = record.lines[1]["environment"]
    assert "cores" in noted["machine"]
    assert f"Python {sys.version_info.major}." in noted["versions"]
    record.lines[1] = {"environment": {**noted, "date": "2020-01-01"}}
    record.enter_environment()
    assert len(record.lines) == 2


# Which fits there are.


@pytest.mark.parametrize(
    ("strategy", "fit", "most", "seeds"),
    [
        ("stratified", "lepton", 5, 5),
        ("group", "lepton", 5, 5),
        ("time", "lepton", 5, 3),
        ("time_group", "hgb", 5, 3),
        ("stratified", "hgb", 2, 2),
        ("stratified", "realmlp", 5, 1),
        ("time", "tabm", 5, 1),
    ],
)
def test_seeds_go_by_strategy_and_cost(quality: Any, strategy: str, fit: str, most: int, seeds: int) -> None:
    assert quality.seeds_of(declared(strategy), fit, most, slow=1) == range(seeds)


def test_fits_without_their_package_are_left_out(
    quality: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = import_module("contenders").Fit(("other",), lambda rows, seed: {}, ("no_such_package.part",))
    monkeypatch.setitem(quality.FITS, "hgb", absent)
    monkeypatch.setattr(
        sys, "argv", ["quality.py", "--only", "hgb", "baselines", "--verticals", "energy", "--seeds", "2"]
    )
    tasks = quality.plan(quality.parse(["energy", "finance"]))
    assert [(task.vertical, task.seed, task.fit) for task in tasks] == [
        ("energy", 0, "baselines"),
        ("energy", 1, "baselines"),
    ]
    assert "hgb: left out, no_such_package.part is not installed" in capsys.readouterr().out


def test_every_vertical_can_be_planned_but_a_forecast(quality: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["quality.py", "--only", "lepton"])
    known = quality.find_verticals(quality.CONF)
    tasks = quality.plan(quality.parse(known))
    planned = {task.vertical for task in tasks}
    assert {name for name in known if name not in planned} == {"retail_demand"}
    assert {sum(task.vertical == each for task in tasks) for each in planned} == {3, 5}
    assert set(import_module("quality_results").HELD_OUT) < set(known)


# The rows.


@pytest.fixture
def shop(rows_module: Any) -> Any:
    return rows_module.Rows.make(shop_table(), declared(), seed=0)


def test_contenders_are_given_what_the_encoder_reads(shop: Any) -> None:
    table = shop_table()
    assert list(shop.raw.columns) == ["size [m]", "wealth", "city", "regular"]
    assert [dtype.name for dtype in shop.raw.dtypes] == ["float64", "float64", "category", "category"]
    np.testing.assert_array_equal(shop.raw["size [m]"], table["size [m]"])
    assert shop.raw["wealth"].isna().to_numpy().nonzero()[0].tolist() == [7]
    assert shop.raw["city"].astype("object").tolist() == table["city"].tolist()
    assert list(shop.encoded.columns) == ["size [m]", "size [m] is missing", "wealth", "city", "regular"]


def test_draw_follows_the_seed(rows_module: Any, shop: Any) -> None:
    again, other = (rows_module.Rows.make(shop_table(), declared(), seed) for seed in (0, 1))
    pd.testing.assert_frame_equal(again.split, shop.split)
    assert (other.split["part"] != shop.split["part"]).any()


def test_rows_are_the_same_when_they_are_read_again(rows_module: Any, shop: Any, tmp_path: Path) -> None:
    shop.save(tmp_path / "rows")
    again = rows_module.Rows.load(tmp_path / "rows")
    for name in ("raw", "encoded", "split"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(shop, name))


def test_parts_have_their_labels(shop: Any) -> None:
    table = shop_table()
    raw, labels = shop.labelled("train", "validation")
    assert len(raw) == 320
    assert (labels == (table.loc[raw.index, "bought"] == "yes")).all()
    assert set(raw.index).isdisjoint(shop.part("test"))


def test_columns_are_numbered(shop: Any) -> None:
    numbered = shop.numbered()
    assert list(numbered.raw.columns) == ["c0", "c1", "c2", "c3"]
    np.testing.assert_array_equal(numbered.raw["c0"], shop.raw["size [m]"])


def test_categories_that_were_not_fitted_are_missing(rows_module: Any) -> None:
    rows = pd.DataFrame({"city": pd.Categorical(["Bern", "Oslo", "Rome"]), "size": [1.0, 2.0, 3.0]})
    seen = rows_module.with_categories_of(rows, rows.iloc[:2])
    assert seen["city"].cat.categories.tolist() == ["Bern", "Oslo"]
    assert seen["city"].isna().tolist() == [False, False, True]
    assert rows["city"].isna().sum() == 0


def test_most_frequent_categories_stay(rows_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MOST_CATEGORIES", 2)
    rows = pd.DataFrame({"city": pd.Categorical(["Bern", "Oslo", "Oslo", "Rome", "Rome"])})
    assert rows_module.with_frequent_categories(rows)["city"].isna().tolist() == [
        True,
        False,
        False,
        False,
        False,
    ]


def test_missing_numbers_are_filled_with_the_median_of_training_rows(rows_module: Any, shop: Any) -> None:
    filled = rows_module.filled(shop)
    assert not filled.raw.select_dtypes("float64").isna().to_numpy().any()
    missing = shop.raw["size [m]"].isna()
    median = shop.raw.loc[shop.part("train"), "size [m]"].median()
    assert (filled.raw.loc[missing, "size [m]"] == median).all()
    assert (filled.raw["size [m] is missing"] == missing).all()
    assert shop.raw["size [m]"].isna().any()


# The contenders.


def test_contenders_have_names_of_their_own(results_module: Any) -> None:
    assert len(set(results_module.CONTENDERS)) == len(results_module.CONTENDERS) == 15
    assert results_module.OURS == OURS


def test_baselines_of_the_project_learn(quality: Any, shop: Any) -> None:
    measured, kept = quality.measure("baselines", 0, shop)
    assert set(kept.scores) == {LINEAR, "HGB (tuned)"}
    assert [each["contender"] for each in measured] == [LINEAR, "HGB (tuned)"]
    for each in measured:
        figures = {"auc", "log_loss", "average_precision"}
        assert set(each) == {"contender", *figures, "test_rows", "cpu_seconds"}
        assert each["auc"] > 0.85
        assert each["log_loss"] < 0.55
        assert each["cpu_seconds"] > 0


def test_tuned_boosting_is_fitted_again_with_the_best_number_of_trees(shop: Any) -> None:
    opponents = import_module("opponents")
    fits: list[tuple[str, int, int | None, int, float | None]] = []

    class Model:
        def predict_proba(self, rows: pd.DataFrame) -> Any:
            assert rows["c2"].cat.categories.tolist() == ["Bern", "Genoa", "Oslo"]
            return np.tile([0.25, 0.75], (len(rows), 1))

    def fit(task: str, rows: Any, validation: Any, seed: int, trees: float | None) -> tuple[Any, float]:
        fits.append((task, len(rows[0]), None if validation is None else len(validation[0]), seed, trees))
        return Model(), 42

    assert opponents.fit_opponent(fit, True, shop, 3).outputs.tolist() == [0.75] * 80
    assert fits == [("binary", 240, 80, 3, opponents.MOST_TREES), ("binary", 320, None, 3, 42)]
    fits.clear()
    opponents.fit_opponent(fit, False, shop, 3)
    assert fits == [("binary", 320, None, 3, None)]


@pytest.mark.parametrize(
    "fit", ["lightgbm", "lightgbm-tuned", "xgboost", "xgboost-tuned", "catboost", "catboost-tuned"]
)
def test_boosting_library_learns(quality: Any, shop: Any, monkeypatch: pytest.MonkeyPatch, fit: str) -> None:
    pytest.importorskip(fit.partition("-")[0])
    monkeypatch.setattr(import_module("opponents"), "MOST_TREES", 200)
    ((measured,), _) = quality.measure(fit, 0, shop)
    assert measured["auc"] > 0.85


def test_figures_are_those_of_the_positive_class(metrics: Any) -> None:
    scores = metrics.Prediction(np.array([0.2, 0.9, 0.6, 0.5]))
    assert metrics.figures("binary", np.array([0, 1, 0, 1]), scores) == {
        "auc": 0.75,
        "log_loss": 0.484485,
        "average_precision": 0.833333,
    }


# The whole.


def test_fit_runs_in_a_process_of_its_own(
    quality: Any, record_module: Any, shop: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.save(tmp_path / "rows")
    task = record_module.Task("energy", 0, "hgb")
    # Its imports alone take longer.
    assert quality.run_fit(task, tmp_path / "rows", 1, tmp_path / "scores") == [stopped(HGB, after=1)]
    (tmp_path / "rows" / "split.parquet").unlink()
    (failed,) = quality.run_fit(task, tmp_path / "rows", 60, tmp_path / "scores")
    assert failed == {"vertical": "energy", "seed": 0, "contender": HGB, "failed": "exit code 1"}
    assert "split.parquet" in capsys.readouterr().out


def test_benchmark_does_what_is_missing_and_reports_it(
    quality: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    conf, outputs = tmp_path / "conf", tmp_path / "project/data/04_feature/shop"
    (conf / "shop").mkdir(parents=True)
    outputs.mkdir(parents=True)
    (conf / "shop/parameters.yml").write_text("shop: {dataset: {target: bought, positive: 'yes', id: day}}")
    shop_table().to_parquet(outputs / "feature_table.parquet")
    monkeypatch.setattr(quality, "CONF", conf)
    files = [
        "--scores",
        tmp_path / "scores",
        "--outputs",
        tmp_path / "project",
        "--record",
        tmp_path / "record",
        "--output",
        tmp_path / "quality.md",
    ]
    command = [
        "quality.py",
        "--only",
        "hgb",
        "realmlp",
        "--verticals",
        "shop",
        "--seeds",
        "2",
        "--jobs",
        "2",
        "--max-rows-slow",
        "100",
        *files,
    ]
    # Installed or not, RealMLP is not tried: the table has more than 100 training rows.
    monkeypatch.setattr(sys, "argv", [str(each) for each in command])
    with pytest.raises(SystemExit) as stop:
        quality.main()
    assert stop.value.code == 0
    lines = [json.loads(each) for each in (tmp_path / "record").read_text().splitlines()]
    assert sorted(each["seed"] for each in lines if "contender" in each) == [0, 1]
    assert {each["contender"] for each in lines if "contender" in each} == {HGB}
    assert all(each["auc"] > 0.85 for each in lines if "contender" in each)
    assert [each["train"] for each in lines if "strategy" in each] == [240]
    kept = sorted(path.name for path in (tmp_path / "scores/shop").iterdir())
    assert kept == ["hgb-0.npz", "hgb-1.npz"]
    assert "| HGB (default) |" in (tmp_path / "quality.md").read_text()
    assert "no verdict" in capsys.readouterr().out
    monkeypatch.setattr(quality, "run_fit", None)
    with pytest.raises(SystemExit):
        quality.main()
    assert len((tmp_path / "record").read_text().splitlines()) == len(lines)
