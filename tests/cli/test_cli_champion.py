"""`kedro champion`, in processes of its own, as an operator gives it."""

from __future__ import annotations

import mlflow
import pytest
from click.testing import CliRunner
from small_history import History

from lepton_pipeline.cli.champion import champion
from lepton_pipeline.system.locks import JOB_LOCKS, JobLock


@pytest.fixture
def two_versions(trained, tmp_path):
    """A copy of a trained project; its champion is registered a second time, as the challenger."""
    original, _ = trained
    copy = original.copy(tmp_path / "project")
    client = copy.client()
    # The model behind a version is looked up here.
    mlflow.set_tracking_uri(f"sqlite:///{copy.path}/mlflow.db")
    first = client.get_model_version("finance", "1")
    tags = {key: text for key, text in first.tags.items() if not key.startswith(("gate.", "champion."))}
    client.create_model_version("finance", first.source, first.run_id, tags=tags)
    client.set_registered_model_alias("finance", "challenger", "2")
    return copy


@pytest.mark.exhaustive
def test_a_champion_is_compared_replaced_rolled_back_and_listed(two_versions):
    compared = two_versions.run("champion", "diff", "finance", "champion", "challenger")
    assert compared.returncode == 0, compared.stderr
    assert "on the same 300 rows, new to both" in compared.stdout
    promoted = two_versions.run(
        "champion", "promote", "finance", "2", "--force", "--reason", "the bound was wrong"
    )
    assert promoted.stdout.splitlines() == [
        "finance: version 2 is champion, in place of version 1",
        "its report: data/08_reporting/finance/champion/report/report.html",
    ]
    kept = two_versions.output("08_reporting", "champion/report/report.html")
    assert kept.read_bytes() == two_versions.output("08_reporting", "report/report.html").read_bytes()
    rolled_back = two_versions.run("champion", "rollback", "finance", "--reason", "it was not")
    assert rolled_back.stdout.splitlines()[0] == "finance: version 1 is champion again, in place of version 2"
    assert two_versions.client().get_registered_model("finance").aliases == {"champion": 1}
    listed = " ".join(two_versions.run("champion", "list").stdout.split())
    for text in (
        "rollback by",
        "it was not",
        "promote by",
        "the bound was wrong",
        "gate by",
        "the first champion",
    ):
        assert text in listed
    assert listed.index("it was not") < listed.index("the first champion")


@pytest.mark.exhaustive
def test_an_altered_version_is_named_and_ends_with_exit_code_3(two_versions):
    next((two_versions.path / "mlruns").rglob("served_model.py")).write_text("")
    altered = two_versions.run("champion", "verify")
    assert altered.returncode == 3
    assert altered.stdout.splitlines()[1] == "finance: version 2: altered: served_model.py was altered"
    assert (
        "not as registered: version 1 of finance, version 2 of finance; restore the files" in altered.stderr
    )


def test_what_cannot_be_done_is_one_message_and_exit_code_2(trained):
    project, _ = trained
    refused = project.run("champion", "rollback", "finance", "--to", "7", "--reason", "x")
    assert refused.returncode == 2
    assert "error: finance has no version 7; there are 1." in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["promote", "finance", "2", "--reason", "x"], "--force: not given"),
        (["promote", "finance", "2", "--force"], "Missing option '--reason'"),
        (["rollback", "finance"], "Missing option '--reason'"),
        (["rollback", "finance", "--to", "two", "--reason", "x"], "'two' is not a valid integer"),
        (["diff", "finance", "1"], "Missing argument 'B'"),
        (["prune", "finance"], "Missing option '--keep'"),
        (["prune", "finance", "--keep", "0"], "0 is not in the range x>=1"),
        (["prune", "finance", "--keep", "1", "--older-than", "soon"], "--older-than: 'soon' is no duration"),
        (["prune", "finance", "--keep", "1", "--older-than", "99999999999999d"], "reaches too far back"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_touched(arguments, message):
    done = CliRunner().invoke(champion, arguments)
    assert done.exit_code == 2
    assert message in done.output


def grow(project):
    """A champion, and three refused versions after it."""
    # The model behind a version is looked up here.
    mlflow.set_tracking_uri(f"sqlite:///{project.path}/mlflow.db")
    past = History(project.client(), project.path, "finance", project.path / "mlruns")
    if not past.client.search_registered_models("name = 'finance'"):
        past.client.create_registered_model("finance")
        past.version("promoted")
    for _ in range(3):
        past.version()
    past.run("retraining", version="4", decision="due: max_age")
    return past


STOPPED_AT_THE_SECOND_RUN = """
import lepton_pipeline.registry.prune as prune
remove, calls = prune.remove_folder, iter(range(9))

def interrupted(address):
    if next(calls) == 2:
        raise KeyboardInterrupt
    return remove(address)

prune.remove_folder = interrupted
"""


def test_an_interrupted_pruning_says_what_went_and_is_finished_by_the_same_command(project):
    past = grow(project)
    command = ("champion", "prune", "finance", "--keep", "1")
    stopped = project.run(*command, before=STOPPED_AT_THE_SECOND_RUN)
    assert stopped.returncode == 130
    assert "1 version and 1 run removed, 0.0 MB freed; 1 of 2 lines are left" in stopped.stdout
    assert "finance: stopped; the same command removes the rest" in stopped.stderr
    done = project.run(*command)
    assert "finance: 0 versions and 1 run removed" in done.stdout
    assert past.versions() == [1, 4]
    assert past.runs() == {past.run_of(1), past.run_of(4)}


def test_old_versions_are_shown_removed_and_listed_and_other_commands_go_on(project):
    past = grow(project)
    shown = project.run("champion", "prune", "finance", "--keep", "1", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "finance: 2 versions and 2 runs would go" in shown.stdout
    assert past.versions() == [1, 2, 3, 4]
    project.declare("finance", lambda declared: declared.update(scoring={"version": 2}))
    with JobLock(project.path / JOB_LOCKS, "finance_scoring", "kedro run"):
        busy = project.run("champion", "prune", "finance", "--keep", "1")
    assert busy.returncode == 1
    assert "error: finance_scoring: another process is at work on it (kedro run, process" in busy.stderr
    assert past.versions() == [1, 2, 3, 4]
    done = project.run("champion", "prune", "finance", "--keep", "1")
    assert done.returncode == 0, done.stderr
    assert "finance: 1 version and 1 run removed, 0.0 MB freed" in done.stdout
    assert "declared as scoring.version" in done.stdout
    assert past.versions() == [1, 2, 4]
    said = {}
    for command in ("compare finance", "retrain-log finance", "status", "champion list", "champion verify"):
        one = project.run(*command.split())
        assert one.returncode == 0, one.stderr
        said[command] = one.stdout
    assert "version 4" in said["retrain-log finance"]
    assert "version 1" in said["status"]
    assert "versions 3, 1 run, 0.0 MB (--keep 1)" in said["champion list"]
    assert "version 3" not in said["champion verify"]


@pytest.mark.exhaustive
def test_what_a_pruning_leaves_is_whole_and_can_be_made_again(two_versions):
    run_id = two_versions.client().get_model_version("finance", "1").run_id
    grow(two_versions)
    pruned = two_versions.run("champion", "prune", "finance", "--keep", "1")
    assert pruned.returncode == 0, pruned.stderr
    verified = two_versions.run("champion", "verify", "finance")
    assert "finance: version 1: whole" in verified.stdout.splitlines()
    assert two_versions.run("reproduce", run_id).returncode == 0
    gone = two_versions.run("champion", "rollback", "finance", "--to", "3", "--reason", "x")
    assert "finance has no version 3; there are" in gone.stderr
