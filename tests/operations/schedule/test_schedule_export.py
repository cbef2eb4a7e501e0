from __future__ import annotations

import ast
import os
import shlex
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner

from lepton_pipeline.cli.schedule import schedule
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.schedule.export import Place, write_export
from lepton_pipeline.operations.schedule.export.kubernetes import _name
from lepton_pipeline.operations.schedule.export.scripts import on_calendar
from lepton_pipeline.operations.schedule.policies import Cron, Policies, Policy

BERLIN = Cron("30 2 * * 1-5", "Europe/Berlin")
POLICIES = Policies(
    {
        "finance": Policy("finance", BERLIN, retries=2, timeout=7200),
        "credit_risk": Policy("credit_risk", Cron("0 3 1 * 0", "America/New_York"), timeout=5400),
        "retail": Policy("retail", None),
    }
)
NASTY = '/srv/it\'s 100% "my" $HOME project'


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path / "out", NASTY, "/opt/my env/python", "prod", "registry/lepton:1")


def exported(target: str, place: Place, policies: Policies = POLICIES) -> dict[str, str]:
    return {path.name: path.read_text() for path in write_export(target, policies, place, [])}


def fake_python(folder: Path, codes: list[int]) -> Path:
    """Notes how it was started, and ends with the next of `codes`."""
    path = folder / 'a python\'s "$1" 100%'
    (folder / "codes").write_text("\n".join(map(str, codes)) + "\n")
    here = shlex.quote(str(folder))
    path.write_text(
        f'#!/bin/sh\necho "$PWD|$*" >> {here}/calls\ncode=$(head -n 1 {here}/codes)\n'
        f"sed -i 1d {here}/codes\nexit $code\n"
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("codes", "starts", "code"), [([0], 1, 0), ([1, 1, 0], 3, 0), ([1, 9, 7], 3, 7), ([2], 1, 2)]
)
def test_the_script_of_cron_and_systemd_retries_as_the_policy_says(tmp_path, codes, starts, code):
    project = tmp_path / 'my "$HOME" 100% proj\'ect'
    project.mkdir()
    place = Place(tmp_path / "o u't", str(project), str(fake_python(tmp_path, codes)), "prod")
    files = exported("cron", place)
    # No waiting: sleep does nothing here.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sleep").write_text(f"#!/bin/sh\necho $1 >> {tmp_path}/waits\n")
    (tmp_path / "bin/sleep").chmod(0o755)
    line = next(line for line in files["lepton.crontab"].splitlines() if " finance " in line)
    command = line.split(maxsplit=5)[5].replace("\\%", "%")
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    done = subprocess.run(["/bin/sh", "-c", command], env=environment, cwd="/", check=False)
    assert done.returncode == code
    assert (tmp_path / "calls").read_text().splitlines() == [
        f"{project}|-m kedro retrain finance --env prod"
    ] * starts
    if starts == 3:
        assert (tmp_path / "waits").read_text().split() == ["60", "120"]


def test_a_crontab_says_each_zone_and_escapes_percent(tmp_path):
    text = exported("cron", Place(tmp_path / "100%", "/srv", "python"))["lepton.crontab"]
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if line.startswith("CRON_TZ")] == [
        "CRON_TZ=Europe/Berlin",
        "CRON_TZ=America/New_York",
    ]
    assert lines[1].startswith("30 2 * * 1-5 /bin/sh ")
    assert lines[1].count("%") == lines[1].count("\\%") == 1


def test_each_vertical_has_a_service_and_a_timer(place):
    files = exported("systemd", place)
    assert set(files) == {
        "retrain.sh",
        *(
            f"lepton-retrain-{name}.{kind}"
            for name in ("finance", "credit_risk")
            for kind in ("service", "timer")
        ),
    }
    assert (
        "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00 Europe/Berlin" in files["lepton-retrain-finance.timer"]
    )
    assert files["lepton-retrain-credit_risk.timer"].count("OnCalendar=") == 2


def test_units_escape_paths(tmp_path):
    files = exported("systemd", Place(tmp_path / 'a "b" 100% $c', "/srv", "python"))
    assert 'a \\"b\\" 100%% $$c/retrain.sh" finance 2 7200' in files["lepton-retrain-finance.service"]


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@needs_systemd
@pytest.mark.parametrize(
    "expression",
    ["30 2 * * 1-5", "*/20 4,16 * * *", "0 3 1 * 0", "5 0 29 2 *", "0 */6 */10 1-3 *", "59 23 31 * 7"],
)
def test_systemd_reads_the_same_moments(expression):
    cron = Cron(expression, "Asia/Kolkata")
    start = datetime(2026, 11, 2, 12, tzinfo=UTC)
    expected, moment = [], start
    for _ in range(4):
        moment = cron.after(moment)
        expected.append(moment)
    found = set()
    for event in on_calendar(cron):
        shown = subprocess.run(
            [
                "systemd-analyze",
                "calendar",
                "--iterations=4",
                f"--base-time={start:%Y-%m-%d %H:%M:%S} UTC",
                event,
            ],
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for line in shown.splitlines():
            if "UTC" in line:
                found.add(
                    datetime.strptime(line[line.index("20") :].strip(), "%Y-%m-%d %H:%M:%S UTC").replace(
                        tzinfo=UTC
                    )
                )
    assert sorted(found)[:4] == expected


@needs_systemd
def test_systemd_accepts_the_units(place):
    paths = [str(path) for path in write_export("systemd", POLICIES, place, []) if path.suffix == ".timer"]
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if "lepton" in line], done.stderr


def test_manifests_fit_the_schema_of_kubernetes(place):
    files = exported("kubernetes", place)
    assert set(files) == {"retrain-finance.yaml", "retrain-credit-risk.yaml"}
    for text in files.values():
        assert kubernetes_validate.validate(yaml.safe_load(text), "1.34", strict=True)
    spec = yaml.safe_load(files["retrain-finance.yaml"])["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == (
        "30 2 * * 1-5",
        "Europe/Berlin",
        "Forbid",
    )
    job = spec["jobTemplate"]["spec"]
    assert job["backoffLimit"] == 2
    assert job["template"]["spec"]["activeDeadlineSeconds"] == 7200
    assert job["activeDeadlineSeconds"] > 3 * 7200
    (container,) = job["template"]["spec"]["containers"]
    assert container["command"] == [
        "/opt/my env/python",
        "-m",
        "kedro",
        "retrain",
        "finance",
        "--env",
        "prod",
    ]
    assert container["workingDir"] == NASTY


def test_names_in_kubernetes_are_short_and_different():
    names = [_name(name) for name in ("a" * 80, "a" * 81, "credit_risk", "odd_", "odd__x")]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 52 and not name.endswith("-") and "_" not in name for name in names)


def test_kubernetes_needs_an_image(tmp_path):
    with pytest.raises(ConfigurationError, match="--image"):
        write_export("kubernetes", POLICIES, Place(tmp_path, "/app", "python"), [])


def test_a_dag_is_python_with_the_policy_in_it(place):
    files = exported("airflow", place)
    assert set(files) == {"lepton_retrain_finance.py", "lepton_retrain_credit_risk.py"}
    tree = ast.parse(files["lepton_retrain_finance.py"])
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert values["COMMAND"] == ["/opt/my env/python", "-m", "kedro", "retrain", "finance", "--env", "prod"]
    assert values["PROJECT"] == NASTY
    keywords = {
        word.arg: ast.unparse(word.value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for word in call.keywords
    }
    assert keywords["retries"] == "2"
    assert keywords["execution_timeout"] == "timedelta(seconds=7200)"
    assert keywords["schedule"] == "CronTriggerTimetable('30 2 * * 1-5', timezone='Europe/Berlin')"


def test_wrong_policies_are_named_and_the_others_written(tmp_path):
    policies = Policies(POLICIES.good, {"energy": "energy.retraining.schedule: wrong."})
    with pytest.raises(ConfigurationError, match=r"energy\.retraining\.schedule: wrong"):
        write_export("cron", policies, Place(tmp_path, "/srv", "python"), [])
    assert (tmp_path / "lepton.crontab").exists()
    # Asked for by name, only what is asked for counts.
    assert write_export("cron", policies, Place(tmp_path, "/srv", "python"), ["finance"])


@pytest.mark.parametrize(
    ("verticals", "env", "said"),
    [
        (["shop"], None, "no vertical 'shop'"),
        (["retail"], None, "retail.retraining.schedule: not declared"),
        ([], "a b", "no name of a folder"),
    ],
)
def test_what_cannot_be_exported_is_said(tmp_path, verticals, env, said):
    with pytest.raises(ConfigurationError, match=said):
        write_export("cron", POLICIES, Place(tmp_path, "/srv", "python", env), verticals)


def test_days_that_crons_read_differently_are_refused(place):
    policies = Policies({"finance": Policy("finance", Cron("0 3 */2 * 1", "UTC"))})
    with pytest.raises(ConfigurationError, match="something else to each cron"):
        write_export("kubernetes", policies, place, [])
    assert exported("systemd", place, policies)


def test_a_path_with_a_line_break_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="control character"):
        Place(tmp_path, "/srv\nrm -rf /", "python")


def test_a_target_that_went_is_refused_with_the_others_named(tmp_path):
    done = CliRunner().invoke(schedule, ["export", "github", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "'github' is not one of 'airflow', 'cron', 'systemd', 'kubernetes'" in done.output
