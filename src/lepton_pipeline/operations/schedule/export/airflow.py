"""An Airflow 3 DAG with one task for each vertical."""

from __future__ import annotations

from pprint import pformat

from lepton_pipeline.operations.schedule.export.place import NOTE, Place, cron_of, expression
from lepton_pipeline.operations.schedule.policies import Policy
from lepton_pipeline.operations.schedule.state import FINAL_CODES, FIRST_RETRY, LONGEST_WAIT


def airflow_files(policies: list[Policy], place: Place) -> dict[str, str]:
    """Files for the DAG folder. They import Airflow only: the project runs in its own environment."""
    return {f"lepton_retrain_{policy.vertical}.py": _dag(policy, place) for policy in policies}


def _dag(policy: Policy, place: Place) -> str:
    command = pformat(place.command(policy.vertical), width=100, sort_dicts=False).replace("\n", "\n    ")
    return f'''\
"""Retraining of {policy.vertical}. {NOTE}"""

import os
import signal
import subprocess
from datetime import datetime, timedelta, timezone

from airflow.sdk import CronTriggerTimetable, dag, task
from airflow.sdk.exceptions import AirflowFailException

COMMAND = {command}
PROJECT = {place.project!r}
# The same a minute later: bad usage, broken data, a refusal by the gate.
FINAL_CODES = {FINAL_CODES!r}


@dag(
    dag_id="lepton_retrain_{policy.vertical}",
    schedule=CronTriggerTimetable({expression(policy)!r}, timezone={cron_of(policy).zone!r}),
    start_date=datetime(2025, 1, 1, tzinfo=timezone.utc),
    # What was missed is made up for once, by its latest tick.
    catchup=False,
    max_active_runs=1,
    tags=["lepton_pipeline", "retraining"],
)
def lepton_retrain_{policy.vertical}():
    @task(
        retries={policy.retries},
        retry_delay=timedelta(seconds={FIRST_RETRY.total_seconds():g}),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(seconds={LONGEST_WAIT.total_seconds():g}),
        execution_timeout=timedelta(seconds={policy.timeout:g}),
    )
    def retrain():
        process = subprocess.Popen(COMMAND, cwd=PROJECT, start_new_session=True)
        try:
            code = process.wait()
        finally:
            # Timed out or told to stop: the job gets a minute to leave a true status.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(timeout=60)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if code in FINAL_CODES:
            raise AirflowFailException(f"exit code {{code}}: see the log; the same would happen again")
        if code:
            raise RuntimeError(f"exit code {{code}}: see the log")

    retrain()


lepton_retrain_{policy.vertical}()
'''
