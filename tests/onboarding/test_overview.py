import shutil
from datetime import UTC, datetime
from types import SimpleNamespace

import mlflow
import pytest
import yaml

from lepton_pipeline.data.reading import IngestionRecord
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.onboarding.overview import Champion, LastRun, VerticalOverview, overview, print_overview
from lepton_pipeline.tracking.runs import RunLog, Tracking

TRACKING = Tracking(tracking_uri="sqlite:///mlflow.db", artifact_root="mlruns")
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
DAY = 86_400_000


@pytest.fixture
def declare(tmp_path):
    """Write a vertical's parameters file, from what stands below its top key or from text."""

    def write(name, declared):
        folder = tmp_path / "conf" / "base" / name
        folder.mkdir(parents=True)
        text = declared if isinstance(declared, str) else yaml.safe_dump({name: declared})
        (folder / "parameters.yml").write_text(text, encoding="utf-8")

    return write


def look(project):
    return {row.name: row for row in overview(project / "conf" / "base", TRACKING, project)}


def finished(client, experiment, after, status, tags, auc=None):
    """A run that started `after` days after noon."""
    start = int(NOON.timestamp() * 1000) + after * DAY
    run = client.create_run(experiment, start_time=start, tags=tags).info.run_id
    if auc is not None:
        client.log_metric(run, "test.auc", auc)
    client.set_terminated(run, status)
    return run


@pytest.fixture(scope="module")
def used(store, tmp_path_factory):
    """A store in which shop has a champion and failed since, mill ran without a promotion, old was deleted."""
    path = tmp_path_factory.mktemp("used") / "mlflow.db"
    shutil.copy(store, path)
    client = mlflow.MlflowClient(f"sqlite:///{path}", f"sqlite:///{path}")
    shop, mill, old = (client.create_experiment(name, "file:///nowhere") for name in ("shop", "mill", "old"))
    # Written out of order: the latest is the one that started last.
    finished(client, shop, 2, "FAILED", {})
    run = finished(client, shop, 1, "FINISHED", {"data.rows": "1200", "data.base_rate": "0.2"}, auc=0.75)
    finished(client, shop, 0, "FINISHED", {"data.rows": "1000", "data.base_rate": "0.1"}, auc=0.5)
    finished(client, shop, 3, "FINISHED", {"kind": "partial", "data.rows": "9"}, auc=0.9)
    finished(client, mill, 0, "FINISHED", {"data.rows": "nan", "data.base_rate": "much"}, auc=0.875)
    finished(client, old, 0, "FINISHED", {"data.rows": "7"})
    client.delete_experiment(old)
    for name in ("shop", "mill"):
        client.create_registered_model(name)
        for auc in ("0.7", "0.75"):
            version = client.create_model_version(
                name, "file:///nowhere", run, tags={"test.auc": auc}
            ).version
    client.set_registered_model_alias("shop", "champion", "1")
    client.set_registered_model_alias("mill", "challenger", version)
    return path


def test_without_a_store_everything_never_ran_and_none_is_made(tmp_path, declare):
    declare("shop", {"dataset": {"target": "bought", "positive": "yes"}})
    declare(
        "mill",
        {
            "about": {"caution": "synthetic data"},
            "dataset": {"target": "wear", "positive_when": "wear > 3", "time": "day", "label_delay": "90d"},
            "split": {"strategy": "time", "gap": "1d"},
        },
    )
    assert overview(tmp_path / "conf" / "base", TRACKING, tmp_path) == [
        VerticalOverview("mill", "wear > 3", "time, label delay 90d, gap 1d", "synthetic data"),
        VerticalOverview("shop", "bought = 'yes'", "stratified"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]


def test_targets_without_a_positive_class_are_named_by_their_column(tmp_path, declare):
    declare("kinds", {"dataset": {"target": "kind", "classes": "all"}})
    declare("prices", {"dataset": {"target": "price", "task": "regression"}})
    assert overview(tmp_path / "conf" / "base", TRACKING, tmp_path) == [
        VerticalOverview("kinds", "kind", "stratified", metric="log_loss"),
        VerticalOverview("prices", "price", "stratified", metric="rmse"),
    ]


def test_errors_are_shown_in_the_digits_of_their_size(capsys):
    small = VerticalOverview("power", "load", "time", metric="mae", champion=Champion(1, 0.0312))
    large = VerticalOverview(
        "prices", "price", "time", metric="rmse", last_run=LastRun("FINISHED", NOON, 134_567.8)
    )
    print_overview([small, large])
    printed = capsys.readouterr().out
    assert "MAE 0.0312" in printed
    assert "finished, RMSE 134,568" in printed


def test_runs_and_champions_are_those_of_the_store(tmp_path, declare, used):
    for name in ("shop", "mill", "old", "new"):
        declare(name, {"dataset": {"target": "bought", "positive": 1}})
    shutil.copy(used, tmp_path / "mlflow.db")
    rows = look(tmp_path)
    shop = rows["shop"]
    assert (shop.rows, shop.base_rate) == (1200, 0.2)
    assert shop.last_run == LastRun("FAILED", datetime(2026, 11, 4, 12, 0, tzinfo=UTC), None)
    assert shop.champion == Champion(1, 0.7)
    mill = rows["mill"]
    assert (mill.rows, mill.base_rate, mill.champion) == (None, None, None)
    assert mill.last_run == LastRun("FINISHED", NOON, 0.875)
    for name in ("old", "new"):
        assert rows[name] == VerticalOverview(name, "bought = 1", "stratified")


def test_rows_of_a_run_are_those_of_its_data_set_and_figures_those_of_the_gate(tmp_path, store, declare):
    declare("shop", {"dataset": {"target": "bought", "positive": 1}, "gate": {"metric": "f1"}})
    shutil.copy(store, tmp_path / "mlflow.db")
    log = RunLog(TRACKING, tmp_path)
    run = log.open("shop", "first", {})
    record = IngestionRecord(1200, {"bought": "number"}, "ab" * 32, 0.25)
    log.record(run, SimpleNamespace(metadata={"mlflow": {"dataset": True}}), record)
    log.metrics(run, {"test.f1": 0.5, "test.auc": 0.75})
    log.client.create_registered_model("shop")
    log.client.create_model_version("shop", "file:///nowhere", run, tags={"test.f1": "0.5"})
    log.client.set_registered_model_alias("shop", "champion", "1")
    log.close(run, "FINISHED")
    shop = look(tmp_path)["shop"]
    assert (shop.rows, shop.base_rate, shop.metric) == (1200, 0.25, "f1")
    assert (shop.last_run.figure, shop.champion) == (0.5, Champion(1, 0.5))


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (
            {"dataset": {"target": "x", "positive": 1}, "split": {"tests": 0.2}},
            "mill.split.tests: unknown key",
        ),
        ("mill: {dataset: [", r"mill: .*parameters.yml cannot be read: .*correct its YAML"),
        ("mill: {dataset: {target: x, positive: '${nothing}'}}", "mill: .*cannot be read: .*nothing"),
        ("mill:", "vertical 'mill' declares None"),
        ("", "vertical 'mill' declares None"),
        ("- mill", "vertical 'mill' declares"),
    ],
)
def test_a_broken_declaration_does_not_hide_the_others(tmp_path, declare, used, declared, problem):
    declare("mill", declared)
    declare("shop", {"dataset": {"target": "bought", "positive": 1}})
    shutil.copy(used, tmp_path / "mlflow.db")
    rows = look(tmp_path)
    with pytest.raises(ConfigurationError, match=problem):
        raise ConfigurationError(rows["mill"].problem)
    assert rows["mill"].last_run == LastRun("FINISHED", NOON, 0.875)
    assert rows["shop"].problem == ""
    assert rows["shop"].target == "bought = 1"


def test_a_declaration_is_read_as_kedro_reads_it(tmp_path, declare):
    declare("shop", "shop: {dataset: {target: x, positive: 1}, training: {learning_rate: 1e-3}}")
    assert look(tmp_path)["shop"].problem == ""


def test_a_project_without_a_vertical_says_so(tmp_path):
    with pytest.raises(ConfigurationError, match="no vertical in"):
        overview(tmp_path, TRACKING, tmp_path)


def test_a_store_that_cannot_be_used_says_so(tmp_path, declare):
    declare("shop", {"dataset": {"target": "x", "positive": 1}})
    (tmp_path / "mlflow.db").write_text("no database")
    with pytest.raises(ConfigurationError, match=r"mlflow\.db is damaged: file is not a database"):
        overview(tmp_path / "conf" / "base", TRACKING, tmp_path)


ROWS = [
    VerticalOverview(
        "manufacturing",
        "Air temperature [K] > 300",
        "time, label delay 90d, gap 12h",
        caution="synthetic data: no real machine",
        rows=1_067_371,
        base_rate=0.03391,
        last_run=LastRun("FINISHED", NOON, 0.97123),
        champion=Champion(12, 0.96987),
    ),
    VerticalOverview(
        "finance", "default payment next month = 1", "stratified", last_run=LastRun("FAILED", NOON, None)
    ),
    VerticalOverview("shop", problem="shop.split.tests: unknown key; " + "valid keys are so many " * 8),
]


def test_the_table_shows_every_fact_in_the_width_of_a_log(capsys):
    print_overview(ROWS)
    printed = capsys.readouterr().out
    table, problem = printed.rstrip().rsplit("\n", 1)
    for text in (
        "manufacturing",
        "1,067,371",
        "Air temperature [K] > 300",
        "synthetic data: no real machine",
        "3.4%",
        "label delay 90d",
        "finished, AUC 0.9712",
        f"{NOON.astimezone():%Y-%m-%d %H:%M}",
        "version 12",
        "AUC 0.9699",
        "default payment next month",
        "failed",
        "never run",
    ):
        assert text in table
    assert max(map(len, table.splitlines())) <= 130
    # Whole, on one line, so that it can be copied and searched for.
    assert problem == ROWS[2].problem.rstrip()
