"""Runs of small stores side by side: order, comparable rows, what differs, and every kind of run without figures."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.evaluation.paired import Resamples
from lepton_pipeline.registry.versions import model_versions
from lepton_pipeline.reporting.report.formats import interval
from lepton_pipeline.runs.compare import TIE, compare_page, compare_runs, duration_text, read_stored
from lepton_pipeline.statistics.estimates import Estimate, Metrics
from lepton_pipeline.statistics.metric_table import ERRORS
from lepton_pipeline.system.records import to_json
from lepton_pipeline.terminal.runs import print_comparison
from lepton_pipeline.tracking.runs import Tracking
from lepton_pipeline.tracking.store import find_run, latest_runs, open_store

ORIGIN = {"data.sha256": "a" * 64, "data.rows": "1500", "seed": "7"}
SPLIT = {"split.strategy": "stratified", "split.seed": "7"}


@pytest.fixture
def client(store, tmp_path):
    import mlflow

    shutil.copy(store, tmp_path / "mlflow.db")
    address = f"sqlite:///{tmp_path}/mlflow.db"
    made = mlflow.MlflowClient(address, address)
    made.create_experiment("shop", artifact_location=(tmp_path / "mlruns").as_uri())
    return made


def add_run(client, auc=None, *, started=0, status="FINISHED", params=None, tags=None, name="as declared"):
    from mlflow.entities import Metric, Param, RunTag

    experiment = client.get_experiment_by_name("shop").experiment_id
    # A start at 0 would be taken for none.
    run = client.create_run(experiment, start_time=(1 + started) * 1000, run_name=name)
    figures = (
        {"test.auc": auc, "test.auc.low": auc - 0.05, "test.auc.high": auc + 0.05} if auc is not None else {}
    )
    rival = {"baseline.hist_gradient_boosting.auc": 0.7} if figures else {}
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(key, value, 0, 0) for key, value in {**figures, **rival}.items()],
        params=[
            Param(key, value) for key, value in {"gate.metric": "auc", **SPLIT, **(params or {})}.items()
        ],
        tags=[RunTag(key, value) for key, value in {**ORIGIN, **(tags or {})}.items()],
    )
    client.set_terminated(run.info.run_id, status, end_time=(91 + started) * 1000)
    return run.info.run_id


def compared(client, most=100):
    runs = latest_runs(client, "shop", most)
    return compare_runs("shop", runs, model_versions(client, "shop"), read_stored(client, runs))


def test_the_best_comes_first_with_its_interval_and_its_version(client, tmp_path):
    low, high = add_run(client, 0.7, started=2), add_run(client, 0.8, started=1)
    client.create_registered_model("shop")
    for run_id in (low, high):
        client.create_model_version("shop", source=tmp_path.as_uri(), run_id=run_id)
    client.set_registered_model_alias("shop", "champion", "2")
    (group,) = compared(client).groups
    first, second = group.runs
    assert (first.run_id, second.run_id) == (high, low)
    assert (first.figures["auc"].low, first.figures["auc"].high) == (0.75, 0.8500000000000001)
    assert (first.version, first.aliases, second.version, second.aliases) == (2, ("champion",), 1, ())
    assert first.baseline.value == 0.7
    assert first.seconds == 90


def test_figures_of_other_test_rows_stand_apart_those_of_the_latest_first(client):
    same = [add_run(client, 0.9, started=1), add_run(client, 0.7, started=2)]
    seed = add_run(client, 0.6, started=4, params={"split.seed": "8"})
    data = add_run(client, 0.95, started=3, tags={"data.sha256": "b" * 64})
    groups = compared(client).groups
    assert [[run.run_id for run in group.runs] for group in groups] == [[seed], [data], same]
    assert groups[0].split == {"seed": "8", "strategy": "stratified"}


def test_the_hash_of_the_test_rows_tells_which_are_the_same(client):
    shuffled = add_run(client, 0.9, started=1, tags={"rows.sha256": "s"})
    longer = add_run(client, 0.6, started=3, tags={"rows.sha256": "r", "data.sha256": "b" * 64})
    latest = add_run(client, 0.7, started=4, tags={"rows.sha256": "r"})
    before = add_run(client, 0.8, started=2)
    first, second = compared(client).groups
    assert [run.run_id for run in first.runs] == [before, latest, longer]
    assert [run.run_id for run in second.runs] == [shuffled]
    assert (first.assumed, second.assumed, second.remark) == (1, 0, "")
    assert first.remark.startswith("1 of 3 runs recorded no test rows")
    assert "recorded no test rows" in compare_page(compared(client))


def keep(client, run_id, value, *figures, drawn="same", metric="auc"):
    resamples = Resamples(metric, drawn, 1.0, value, list(figures))
    client.log_text(run_id, to_json(resamples), "evaluation/resamples.json")


def test_runs_that_the_best_is_not_ahead_of_for_certain_are_ties(client, capsys):
    runs = [add_run(client, auc, started=number) for number, auc in enumerate((0.8, 0.79, 0.7, 0.78, 0.77))]
    keep(client, runs[0], 0.8, 0.75, 0.8, 0.85)
    keep(client, runs[1], 0.79, 0.76, 0.79, 0.83)
    keep(client, runs[2], 0.7, 0.65, 0.7, 0.75)
    keep(client, runs[3], 0.78, 0.7, 0.8, 0.9, drawn="otherwise")
    comparison = compared(client)
    (group,) = comparison.groups
    assert [run.run_id for run in group.runs] == [runs[0], runs[1], runs[3], runs[4], runs[2]]
    assert [run.tied for run in group.runs] == [False, True, False, False, False]
    assert [run.behind is None for run in group.runs] == [True, False, True, True, False]
    assert group.runs[1].behind.ends == pytest.approx((-0.01, 0.02))
    assert group.runs[4].behind.ends == pytest.approx((0.1, 0.1))
    print_comparison(comparison)
    shown = capsys.readouterr().out
    assert len(re.findall(r"\btie\b", shown)) == 1 + shown.count("A tie: the 95 %")
    assert "behind" in shown
    page = compare_page(comparison)
    assert page.count(">tie</span>") == 2
    assert "0.0100<span" in page
    assert TIE in page


def test_runs_that_keep_no_resamples_are_compared_as_before(client, capsys):
    add_run(client, 0.8, started=1)
    add_run(client, 0.79, started=2)
    comparison = compared(client)
    print_comparison(comparison)
    assert "behind" not in capsys.readouterr().out
    assert "Behind the best" not in compare_page(comparison)


def test_only_parameters_that_differ_are_shown(client):
    add_run(
        client,
        0.7,
        started=1,
        params={"training.learning_rate": "0.1", "training.layers": "2", "about.question": "?"},
    )
    add_run(
        client,
        0.8,
        started=2,
        params={"training.learning_rate": "0.2", "training.layers": "2", "training.bins": "4"},
    )
    comparison = compared(client)
    assert comparison.differing == ["training.bins", "training.learning_rate"]
    best, other = comparison.groups[0].runs
    assert best.parameters == {"training.bins": "4", "training.learning_rate": "0.2"}
    assert other.parameters == {"training.learning_rate": "0.1"}


def test_intervals_are_marked_where_they_are_approximate_and_named_where_they_are_missing(client):
    add_run(client, 0.8, tags={"intervals": "approximate"})
    found = compared(client).groups[0].runs[0].figures["auc"]
    assert interval("auc", found) == "≈ 0.750 to 0.850"
    assert interval("auc", replace(found, low=None, high=None)) == "cannot be judged"


def test_runs_without_figures_are_listed_with_their_reason(client):
    failed = add_run(client, 0.9, started=3, status="FAILED", tags={"error": "DataError: no column"})
    short = add_run(client, started=2)
    good = add_run(client, 0.7, started=1)
    comparison = compared(client)
    assert [run.run_id for run in comparison.groups[0].runs] == [good]
    assert [(run.run_id, run.error) for run in comparison.others] == [
        (failed, "DataError: no column"),
        (short, ""),
    ]


def test_the_metric_is_that_of_the_gate(client):
    run_id = add_run(client, 0.7, params={"gate.metric": "f1"})
    assert compared(client).groups == []
    client.log_metric(run_id, "test.f1", 0.5)
    assert compared(client).metric == "f1"
    assert compared(client).groups[0].runs[0].figures["f1"].low is None


def test_intervals_rows_and_commit_are_those_of_the_artefacts_else_what_an_earlier_release_logged(client):
    former = add_run(client, 0.7, started=1, tags={"git.commit": "f" * 40, "git.dirty": "true"})
    client.log_metric(former, "test.f1", 0.4)
    client.log_metric(former, "test.f1.low", 0.3)
    client.log_metric(former, "test.f1.high", 0.5)
    latest = add_run(client, 0.8, started=2, tags={"git.commit": "e" * 40, "data.rows": "1"})
    client.log_metric(latest, "test.f1", 0.5)
    model = {"auc": Estimate(0.8, 0.75, 0.85, approximate=True), "f1": Estimate(0.5, 0.45, 0.55)}
    rival = {"auc": Estimate(0.7, 0.6, 0.75)}
    measured = Metrics(0.3, {}, {}, 100, {"model": model, "hist_gradient_boosting": rival})
    client.log_text(latest, to_json(measured), "evaluation/metrics.json")
    client.log_dict(
        latest, {"git.commit": "e" * 40, "git.dirty": "true", "data.rows": "1499"}, "lineage.json"
    )
    comparison = compared(client)
    assert comparison.metrics == ["auc", "f1"]
    (group,) = comparison.groups
    new, old = group.runs
    assert (new.figures, new.baseline) == (model, rival["auc"])
    assert (new.rows, old.rows) == ("1499", "1500")
    assert (new.commit, old.commit) == ("e" * 8 + "+", "f" * 8 + "+")
    assert old.figures["f1"] == Estimate(0.4, 0.3, 0.5)
    assert old.baseline == Estimate(0.7)


def test_the_smallest_loss_comes_first_and_no_run_needs_an_auc(client):
    runs = [add_run(client, started=number, params={"gate.metric": "log_loss"}) for number in range(3)]
    for run_id, loss in zip(runs, (0.5, 0.3, float("nan")), strict=True):
        client.log_metric(run_id, "test.log_loss", loss)
    comparison = compared(client)
    assert comparison.metrics == ["log_loss"]
    assert [run.run_id for run in comparison.groups[0].runs] == [runs[1], runs[0], runs[2]]
    assert "Log loss" in compare_page(comparison)
    print_comparison(comparison)


def test_deleted_runs_are_left_out_and_the_latest_are_found_page_by_page(client, monkeypatch):
    monkeypatch.setattr("lepton_pipeline.tracking.store._PAGE", 2)
    ids = [add_run(client, 0.5 + number / 100, started=number) for number in range(6)]
    client.delete_run(ids[5])
    assert [run.info.run_id for run in latest_runs(client, "shop", 5)] == ids[4::-1]
    assert [run.info.run_id for run in latest_runs(client, "shop", 3)] == ids[4:1:-1]


def test_partial_runs_are_left_out_and_do_not_count(client, monkeypatch):
    monkeypatch.setattr("lepton_pipeline.tracking.store._PAGE", 2)
    whole, before = (
        add_run(client, 0.7, started=2, tags={"kind": "training"}),
        add_run(client, 0.6, started=1),
    )
    for started in (3, 4, 5):
        add_run(client, 0.9, started=started, tags={"kind": "partial"})
    assert [run.info.run_id for run in latest_runs(client, "shop", 2)] == [whole, before]
    assert [run.info.run_id for run in latest_runs(client, "shop", 1)] == [whole]


def test_a_vertical_that_never_ran_is_said(client, tmp_path):
    with pytest.raises(ConfigurationError, match="no run of 'shopp'; did you mean 'shop'"):
        latest_runs(client, "shopp", 5)
    with pytest.raises(ConfigurationError, match=r"no run yet: none\.db does not exist"):
        open_store(Tracking(tracking_uri="sqlite:///none.db"), tmp_path)
    assert not (tmp_path / "none.db").exists()


def test_a_run_is_found_by_the_start_of_its_id(client):
    run_id, other = add_run(client, 0.7), add_run(client, 0.7)
    shared = next(number for number in range(33) if run_id[:number] != other[:number])
    start = run_id[: max(shared, 4)]
    assert find_run(client, start).info.run_id == run_id
    for text, message in (
        ("0123456789ab", "no run"),
        ("xyz", "no id of a run"),
        ("a%' OR '1", "no id of a run"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            find_run(client, text)
    client.delete_run(run_id)
    with pytest.raises(ConfigurationError, match="A deleted run must be restored first"):
        find_run(client, start)


def test_several_ids_with_the_same_start_are_named(client, monkeypatch):
    monkeypatch.setattr("lepton_pipeline.tracking.store._SHORTEST", 1)
    # Seventeen ids cannot begin with sixteen different characters.
    experiment = client.get_experiment_by_name("shop").experiment_id
    ids = [client.create_run(experiment).info.run_id for _ in range(17)]
    first = next(run_id[0] for run_id in ids if sum(other[0] == run_id[0] for other in ids) > 1)
    with pytest.raises(ConfigurationError, match="begins the ids of several runs"):
        find_run(client, first)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def test_the_page_needs_nothing_else_and_runs_no_foreign_markup(client):
    hostile = "<script>alert(1)</script>"
    add_run(
        client,
        0.8,
        started=1,
        name=hostile,
        params={"training.model": hostile, "split.seed": '"><img src=x>'},
    )
    add_run(client, 0.7, started=2, tags={"gate.decision": '"><b onclick=x>', "gate.reason": hostile})
    add_run(client, started=3, status="FAILED", tags={"error": hostile})
    page = compare_page(compared(client))
    parser = Tags()
    parser.feed(page)
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in parser.seen}
    assert not any(name.startswith("on") for _, attributes in parser.seen for name in attributes)
    assert "http" not in page
    assert page.count("&lt;script&gt;") >= 4


def test_bars_lie_where_the_figures_are(client):
    add_run(client, 0.8, started=1)
    add_run(client, 0.6, started=2)
    page = compare_page(compared(client))
    # The axis goes from 0.55 to 0.85, with 4 % of it free on both sides.
    places = [float(place) for place in re.findall(r'class="value" style="left:([\d.]+)%"', page)]
    assert places == pytest.approx([100 * (0.25 + 0.012) / 0.324, 100 * (0.05 + 0.012) / 0.324], abs=0.01)


def test_the_scale_is_written_as_the_figures_are(client):
    for error in (123456.7, 127379.7):
        run = add_run(client, params={"gate.metric": "rmse"})
        client.log_metric(run, "test.rmse", error)
    page = compare_page(compared(client))
    assert re.findall(r'<span style="[^"]*">([^<]*)</span>', page) == ["123,457", "127,380"]


def test_one_run_and_none_are_no_error(client, capsys):
    print_comparison(compared(client))
    assert "no runs with test figures" in capsys.readouterr().out
    assert "No run has figures" in compare_page(compared(client))
    add_run(client, 0.8)
    print_comparison(compared(client))
    assert "There is nothing to compare it with yet." in capsys.readouterr().out


@pytest.mark.parametrize("width", [110, 130])
def test_the_tables_fit_the_width_they_are_given(client, capsys, monkeypatch, width):
    monkeypatch.setattr("lepton_pipeline.terminal.console._WIDTH_OF_A_LOG", width)
    add_run(client, 0.8, started=1, params={"training.model": "x" * 300}, tags={"gate.decision": "promoted"})
    add_run(
        client, 0.7, started=2, tags={"gate.reason": "[bold]because[/bold] " * 20, "gate.decision": "refused"}
    )
    add_run(client, started=3, status="KILLED", tags={"error": "e" * 500})
    print_comparison(compared(client))
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= width
    assert "0.750–0.850" in printed
    assert "[bold]because" in printed
    assert "…" in printed


def test_no_interval_is_cut_where_many_metrics_have_wide_ones(client, capsys):
    run = add_run(client, params={"gate.metric": "rmse"})
    ends = Estimate(1234567.0, 1023456.0, 1434567.0, approximate=True)
    figures = {each.name: ends if each.in_unit else Estimate(0.8, 0.75, 0.85) for each in ERRORS}
    client.log_metric(run, "test.rmse", ends.value)
    measured = Metrics(None, {}, {}, 100, {"model": figures})
    client.log_text(run, to_json(measured), "evaluation/metrics.json")
    print_comparison(compared(client))
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert printed.count("1,434,567") == 4


def test_a_split_shows_only_what_it_declares(client, capsys):
    add_run(client, 0.8, params={"split.rows": "None"})
    comparison = compared(client)
    print_comparison(comparison)
    assert "None" not in capsys.readouterr().out + compare_page(comparison)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "not ended"), (59.4, "59 s"), (61, "1 min 01 s"), (7_260, "2 h 01 min")]
)
def test_durations_read_well(seconds, text):
    assert duration_text(seconds) == text
