"""Where verticals stand, with a real store: what is known of each, and what needs a person."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from monitored import column, monitored, window

from lepton_pipeline.operations.monitoring.findings import Coverage, IndexPeriod, IndexResult
from lepton_pipeline.operations.retraining.state import Champion, JobRun
from lepton_pipeline.operations.schedule.policies import Cron, Policies, Policy
from lepton_pipeline.operations.schedule.state import Record, Result, State
from lepton_pipeline.operations.status.collect import VerticalStatus, cells_of, collect, render_page
from lepton_pipeline.registry.champion import move_champion
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.system.readable import span_text
from lepton_pipeline.system.records import to_json
from lepton_pipeline.terminal.status import print_status
from lepton_pipeline.tracking.runs import RunLog, Tracking

NOW = datetime.now(UTC)
TRACKING = Tracking(tracking_uri="sqlite:///mlflow.db", artifact_root="mlruns")
NIGHTLY = Cron("30 2 * * *", "Europe/Berlin")
RESULT = monitored(
    1,
    columns=[column("<b>age</b>", flagged=True)],
    windows=[window(None, None, value) for value in (0.8, None, 0.78, 0.75)],
    drifted=True,
    decayed=False,
    bound=0.7,
)


class Site:
    """A project's store and files without a project."""

    def __init__(self, path, store):
        self.path = path
        shutil.copy(store, path / "mlflow.db")
        self.log = RunLog(TRACKING, path)

    def version(self, name, auc, **tags):
        run = self.log.open(name, "training", {})
        self.log.parameters(run, {"gate": {"metric": "auc"}})
        self.log.close(run, "FINISHED")
        tags |= {
            f"test.auc{end}": f"{auc + moved:.6g}" for end, moved in (("", 0), (".low", -0.1), (".high", 0.1))
        }
        self.log.client.create_registered_model(name)
        self.log.client.create_model_version(
            name, self.log.client.get_run(run).info.artifact_uri, run, tags=tags
        )

    def crown(self, name, **tags):
        self.version(name, 0.82, **tags)
        move_champion(self.log.client, name, 1, "gate", "the first")

    def job(self, name, status, **tags):
        run = self.log.open(
            f"{name}_retraining", "job", {key.replace("_", "."): text for key, text in tags.items()}
        )
        if status != "RUNNING":
            self.log.close(run, status, "ValueError: odd" if status == "FAILED" else None)
        return run

    def write(self, name, content):
        path = self.path / "data/08_reporting" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def schedule(self, name, record):
        State(self.path / "data/.scheduler/state.json").put(name, record)

    def look(self, *names, wrong=None, tracking=TRACKING):
        policies = Policies({name: Policy(name, NIGHTLY) for name in names}, wrong or {})
        return collect(self.path, policies, tracking, datetime.now(UTC))


@pytest.fixture(scope="module")
def site(store, tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("site"), store)
    made.crown("well", **{"data.until": "2026-11-01T00:00:00", "data.rows": "1234"})
    made.job("well", "FAILED")
    made.job(
        "well",
        "FINISHED",
        due="false",
        decision="not due: no trigger holds",
        data_until="2026-11-09T10:20:00",
    )
    made.write("well/report/report.html", "")
    made.crown("moved", **{"data.rows": "1234"})
    made.write("moved/monitoring/result.json", to_json(RESULT))
    made.write("moved/monitoring/monitoring.html", "")
    made.crown("stale")
    made.write("stale/monitoring/result.json", to_json(monitored(7, drifted=True)))
    made.crown("failing")
    made.job("failing", "FINISHED", due="false", decision="not due: no trigger holds")
    made.first = made.job("failing", "KILLED")
    made.job("failing", "FAILED")
    made.crown("refused")
    refusal = {
        "due": "true",
        "decision": "due: x",
        "version": "2",
        "promoted": "false",
        "gate_reason": "auc 0.6 is low",
    }
    made.job("refused", "FINISHED", **refusal)
    made.crown("late")
    made.schedule("late", Record(datetime.now(UTC) - timedelta(days=3)))
    made.crown("unstarted")
    made.job("unstarted", "FINISHED", due="false", decision="not due")
    soon = datetime.now(UTC) + timedelta(minutes=1)
    made.schedule("unstarted", Record(soon, last=Result("not started", None, 2, soon, soon)))
    made.version("disowned", 1)
    made.crown("unreadable")
    made.write("unreadable/monitoring/result.json", "{")
    return made


NAMES = (
    "well",
    "moved",
    "stale",
    "failing",
    "refused",
    "late",
    "unstarted",
    "unreadable",
    "disowned",
    "never",
)


@pytest.fixture(scope="module")
def status(site):
    return site.look(*NAMES, wrong={"wrong": "wrong.gate.metric: 5 must be 'auc' or 'f1'."})


@pytest.fixture(scope="module")
def by_name(status):
    return {each.vertical: each for each in status.verticals}


def test_intervals_that_no_longer_hold_need_a_person():
    covered = window(None, None, 5.0, metric="rmse", coverage=Estimate(0.7, 0.6, 0.8), coverage_below=True)
    watched = Coverage(Estimate(0.9, 0.88, 0.92), 0.88, True)
    found = monitored(1, windows=[covered], drifted=False, decayed=False, bound=6.0, coverage=watched)
    it = VerticalStatus("houses", champion=Champion(1, None, None, 9, NOW, NOW, 9, None), monitoring=found)
    assert it.findings == ["decayed"]
    assert cells_of(it, NOW)["quality"][1].startswith(
        "holds: rmse 5.0000 [4.9500, 5.0500] in the one window, bound 6.0000; coverage decayed: 70.00 % "
        "[60.00 %, 80.00 %], bound 88.00 %"
    )


def test_an_index_that_turned_needs_a_person():
    figures = [Estimate(value, value - 0.05, value + 0.05) for value in (-0.46, -0.53)]
    last = IndexPeriod(
        since=None, until=None, rows=300, index=figures[0], change=figures[1], p_adjusted=1e-9, flagged=True
    )
    index = IndexResult(Estimate(0.07, 0.03, 0.11), 0.08, "inputs", [last])
    found = monitored(1, index=index, drifted=False, decayed=False)
    it = VerticalStatus("press", champion=Champion(1, None, None, 9, NOW, NOW, 9, None), monitoring=found)
    assert it.findings == ["turned"]
    said = "index turned: -0.4600 [-0.5100, -0.4100], 0.5300 lower than 0.0700 before (p 1e-09)"
    assert said in cells_of(it, NOW)["drift"][1]


def test_what_needs_a_person_comes_first(status):
    assert [(each.vertical, each.findings) for each in status.verticals] == [
        ("unreadable", ["broken"]),
        ("wrong", ["broken"]),
        ("failing", ["failing"]),
        ("unstarted", ["failing"]),
        ("moved", ["drifted"]),
        ("refused", ["refused"]),
        ("late", ["overdue"]),
        ("disowned", ["no champion"]),
        ("stale", []),
        ("well", []),
        ("never", []),
    ]
    assert [len(group) for group in status.groups] == [8, 2, 1]
    assert status.headline == "8 verticals need attention, 2 do not, 1 was never trained"
    assert status.problem == ""


def test_each_is_told_of_in_words(by_name, status):
    well = by_name["well"]
    assert cells_of(well, status.at)["champion"][0] == "version 1"
    assert cells_of(well, NOW)["data"] == ("2026-11-01", "latest seen 2026-11-09 10:20")
    assert cells_of(well, NOW)["job"][0] == "not due"
    assert cells_of(well, NOW)["job"][1].endswith("; no trigger holds")
    assert cells_of(well, NOW)["drift"] == ("not compared yet", "")
    assert cells_of(well, status.at)["next"][0].split()[1] == "02:30"
    assert cells_of(well, status.at)["quality"] == ("auc 0.8200 [0.7200, 0.9200] on the test", "")
    assert "failing" not in cells_of(well, status.at)["job"][1]
    assert cells_of(by_name["moved"], NOW)["data"] == ("1,234 rows", "no column of time")
    assert cells_of(by_name["moved"], NOW)["drift"] == ("drift: <b>age</b> (PSI 0.40)", "as of 2026-11-20")
    quality = cells_of(by_name["moved"], NOW)["quality"]
    assert quality[0] == "auc 0.8200 [0.7200, 0.9200] on the test"
    assert quality[1] == "holds: auc 0.7500 [0.7000, 0.8000] in the last window, bound 0.7000"
    assert cells_of(by_name["stale"], NOW)["drift"] == ("not compared yet", "")
    assert cells_of(by_name["refused"], NOW)["job"][0] == "version 2 refused"
    assert cells_of(by_name["refused"], NOW)["job"][1].endswith("; auc 0.6 is low")
    assert "; ValueError: odd; failing since 20" in cells_of(by_name["failing"], NOW)["job"][1]
    assert cells_of(by_name["unstarted"], NOW)["job"][1].rpartition("; ")[2].startswith("failing since 20")
    assert cells_of(by_name["late"], status.at)["next"][0].startswith("due for ")
    assert cells_of(by_name["never"], status.at)["champion"] == ("none", "")


def test_the_terminal_tells_the_trend(status, capsys):
    print_status(status)
    shown = capsys.readouterr().out
    assert "█ ▅▁" in shown
    assert shown.index("moved") < shown.index("well")


def test_a_job_that_trained_the_champion_again_needs_nobody():
    job = JobRun("r", NOW, "", "FINISHED", True, (), "due: x", "t", 2, None, 0, "it is the same model")
    it = VerticalStatus("again", job=job)
    assert cells_of(it, NOW)["job"] == (
        "version 2 same as champion",
        f"{NOW:%Y-%m-%d %H:%M}; it is the same model",
    )
    assert "refused" not in it.findings


def test_failing_counts_from_the_first_failure_in_a_row(site, by_name):
    begun = site.log.client.get_run(site.first).info.start_time
    assert by_name["failing"].failing_since == datetime.fromtimestamp(begun / 1000, UTC)


def test_a_time_in_the_future_is_said(by_name, status):
    crowned = by_name["failing"]
    earlier = status.at - timedelta(days=3650)
    assert cells_of(crowned, earlier)["champion"][1].endswith(", in the future: was a clock wrong?")
    assert cells_of(crowned, earlier)["job"][1].endswith(", in the future: was a clock wrong?")
    assert cells_of(crowned, crowned.champion.trained_at - timedelta(minutes=5))["champion"][1].endswith(
        "0 s ago"
    )


def test_a_job_whose_process_is_gone_is_no_job_at_work(site):
    site.crown("ghost")
    run = site.job("ghost", "RUNNING")
    assert cells_of(site.look("ghost").verticals[0], NOW)["job"][0] == "at work"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    site.log.tag(run, {"process.id": str(ended.pid)})
    ghost = site.look("ghost").verticals[0]
    assert (cells_of(ghost, NOW)["job"][0], ghost.findings) == ("killed", ["failing"])


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for key, value in attributes if key in ("href", "src")]


def test_the_page_says_the_same_and_links_what_is_there(site, status, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "a page").mkdir()
    text = render_page(status, folder / "a page")
    page = Page(text)
    assert "8 verticals need attention, 2 do not, 1 was never trained" in text
    assert (
        text.index(">Need attention<") < text.index(">Do not need attention<") < text.index(">Never trained<")
    )
    assert "kedro run --pipelines never" in text
    # The trend of the only vertical with several windows.
    assert (page.tags.count("svg"), page.tags.count("circle")) == (1, 1)
    assert len(page.links) == 2
    for link in page.links:
        assert (folder / "a page" / link).is_file()
    assert not {"script", "link", "img"} & set(page.tags)
    assert "http" not in text
    assert "&lt;b&gt;age&lt;/b&gt;" in text
    order = [text.index(f'id="{each.vertical}"') for each in status.verticals if not each.untouched]
    assert order == sorted(order)


def test_a_server_is_linked_without_its_credentials(site, monkeypatch):
    # As a store that is a server would answer.
    monkeypatch.setattr(
        "lepton_pipeline.operations.status.collect.existing_store", lambda *_: site.log.client
    )
    status = site.look("refused", tracking=Tracking(tracking_uri="https://me:secret@mlflow.example.org/"))
    links = status.verticals[0].links
    assert set(links) == {"champion", "job"}
    assert links["job"].startswith("https://***@mlflow.example.org/#/experiments/")
    assert links["job"].endswith(f"{status.verticals[0].job.run_id}?workflowType=machine_learning")
    assert links["job"] in Page(render_page(status, site.path)).links


def test_nothing_needs_to_be_there(tmp_path, capsys):
    status = collect(tmp_path, Policies({"shop": Policy("shop", None)}), TRACKING, NOW)
    print_status(status)
    assert [each.findings for each in status.verticals] == [[]]
    shown = capsys.readouterr().out
    assert shown.startswith("No verticals need attention, 1 was never trained.")
    assert "Never trained: shop. Train one: kedro run --pipelines shop" in shown
    assert list(tmp_path.iterdir()) == []


def test_a_store_or_state_that_cannot_be_read_hides_nothing_else(site, tmp_path, capsys):
    (tmp_path / "mlflow.db").write_text("no database")
    (tmp_path / "data/.scheduler").mkdir(parents=True)
    (tmp_path / "data/.scheduler/state.json").write_text("{}")
    status = collect(tmp_path, Policies({"shop": Policy("shop", NIGHTLY)}), TRACKING, NOW)
    assert "mlflow.db is damaged" in status.problem
    assert "is no state of the scheduler" in status.problem
    # Not "no champion": nobody knows.
    assert [each.findings for each in status.verticals] == [[]]
    assert cells_of(status.verticals[0], NOW)["champion"][0] == "not known"
    print_status(status)
    assert "02:30" in capsys.readouterr().out
    assert "mlflow.db is damaged" in render_page(status, tmp_path)


@pytest.mark.parametrize(
    ("hours", "shown"), [(-1, "0 s"), (0.5, "30 min"), (5, "5 h"), (60, "2 days"), (24 * 1500, "1,500 days")]
)
def test_spans_are_read_at_a_glance(hours, shown):
    assert span_text(timedelta(hours=hours)) == shown


def test_data_are_dates_or_numbers():
    champion = Champion(1, None, "7", 1, NOW, None, None, None)
    numbers = VerticalStatus("shop", champion=champion, latest_data="11")
    assert cells_of(numbers, NOW)["data"] == ("7", "latest seen 11")
