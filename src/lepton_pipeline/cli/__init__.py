"""The commands of the project, one module a group; Kedro adds them to its own."""

import click

from lepton_pipeline.cli.adopt import adopt
from lepton_pipeline.cli.alerts import alerts
from lepton_pipeline.cli.backfill import backfill
from lepton_pipeline.cli.champion import champion
from lepton_pipeline.cli.retrain import retrain, retrain_log
from lepton_pipeline.cli.run import run_command
from lepton_pipeline.cli.runs import compare, reproduce
from lepton_pipeline.cli.schedule import schedule
from lepton_pipeline.cli.status import status
from lepton_pipeline.cli.vertical import vertical


@click.group(name="lepton_pipeline")
def cli() -> None:
    """Commands of lepton_pipeline."""


for _command in (
    run_command,
    vertical,
    compare,
    reproduce,
    champion,
    retrain,
    retrain_log,
    backfill,
    schedule,
    alerts,
    status,
    adopt,
):
    cli.add_command(_command)
