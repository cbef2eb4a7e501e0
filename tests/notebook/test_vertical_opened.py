"""A vertical opened from a notebook, with wrong input, too."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import Project, _environment

ASK = """
import os, sys
os.chdir("notebooks")
from lepton_pipeline.errors import LeptonError
from lepton_pipeline.notebook import open_vertical

def told(what):
    try:
        what()
    except LeptonError as error:
        print(type(error).__name__, error)

told(lambda: open_vertical("finanze"))
vertical = open_vertical("finance")
told(lambda: vertical.load("score"))
told(lambda: vertical.draw_columns("PAY_ATM1"))
told(lambda: vertical.what_if(-1))
told(lambda: vertical.what_if(change={"NOBODY": 1}))
print(vertical.draw_columns("PAY_0"))
print(vertical.load("scores").shape[0], vertical.task)
os.chdir("/")
told(lambda: open_vertical("finance"))
"""


@pytest.mark.exhaustive
def test_every_mistake_is_one_message(trained, tmp_path):
    project = trained[0].copy(tmp_path / "copy")
    (project.path / "notebooks").mkdir()
    done = asked(project)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = done.stdout.splitlines()
    assert said[0] == "ConfigurationError no vertical 'finanze'; did you mean 'finance'? there are finance."
    assert said[1].startswith(
        "ConfigurationError finance leaves no 'score'; did you mean 'scores'? there are alert_figures, artefact, "
    )
    assert said[2].startswith(
        "ConfigurationError no distribution of 'PAY_ATM1' was kept; did you mean 'PAY_AMT1'? there are, "
    )
    assert said[3].startswith("ConfigurationError no row -1; those of the feature table are 0 to ")
    assert said[4].startswith("ConfigurationError the model reads no column 'NOBODY'; it reads ")
    assert said[5] == "<picture: finance: PAY_0>"
    assert said[6].endswith(" binary")
    assert (
        said[7] == "ConfigurationError / lies in no Kedro project; open the notebook in one of its folders."
    )


def test_before_the_first_run_it_says_what_to_do(project):
    (project.path / "mlflow.db").unlink()
    code = "from lepton_pipeline.notebook import open_vertical; open_vertical('finance')"
    done = asked(project, code)
    assert "ConfigurationError: no run yet: mlflow.db does not exist; make one with kedro run" in done.stderr


def asked(project: Project, code: str = ASK) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=project.path, env=_environment(), capture_output=True, text=True, check=False
    )
