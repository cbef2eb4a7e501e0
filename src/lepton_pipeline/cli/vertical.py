"""`kedro vertical`: add, list, check and match verticals."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from lepton_pipeline.cli import options
from lepton_pipeline.cli.errors import report_error
from lepton_pipeline.system.readable import say


@click.group()
def vertical() -> None:
    """Add, list, check and match verticals."""


@vertical.command()
@click.argument("name")
@click.option(
    "--from",
    "files",
    required=True,
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="CSV, Parquet, JSON or .xlsx file, or a folder of them; may be given several times.",
)
@click.option("--target", help="Column to predict.")
@click.option(
    "--positive",
    help="Value of the target that is the positive class, several (\"in ['a', 'b']\"), or a comparison (\">= 15\").",
)
@click.option(
    "--task",
    type=click.Choice(["binary", "multiclass", "regression"]),
    help="What is asked: one class against the others, which of several classes, or a number.",
)
@click.option("--time", help="Column of dates, or of numbers in their order.")
@click.option("--group", help="Column of what several rows belong to, a customer say.")
@click.option(
    "--series",
    multiple=True,
    help="Column that tells series apart, whose periods to come are forecast; may be given several times.",
)
@click.option("--horizon", type=click.IntRange(1, 400), help="Periods of each series that are forecast.")
@click.option(
    "--frequency",
    type=click.Choice(["15min", "30min", "h", "D", "W", "MS", "QS", "YS"]),
    help="How long a period is, from a quarter of an hour to a year; by default as the dates suggest.",
)
@click.option("--customer", help="Column of interactions that names who; with --item, what to offer whom.")
@click.option("--item", help="Column of interactions that names what is offered.")
@click.option(
    "--purpose",
    type=click.Choice(["repeat", "discovery"]),
    help="Offer any item, or only those that a customer never had; by default as the interactions suggest.",
)
@options.reports_errors
def new(name: str, files: tuple[Path, ...], **wanted: Any) -> None:
    """Draft the declaration of a vertical NAME.

    With --series and --horizon, of one that forecasts series. With --customer and --item, of one that
    recommends items to customers.
    """
    from lepton_pipeline.onboarding.new.draft import new_vertical, print_new
    from lepton_pipeline.onboarding.new.plan import Wanted

    print_new(new_vertical(options.project_folder(), name, list(files), Wanted(**wanted)))


@vertical.command(name="list")
@options.in_project
def list_verticals(env: str | None) -> None:
    """List verticals with data and champion."""
    from lepton_pipeline.onboarding.overview import overview, print_overview

    print_overview(overview(options.base_folder(), options.tracking(env), options.project_folder()))


@vertical.command()
@click.argument("name", required=False)
@options.env_option
@options.debug_option
def check(name: str | None, env: str | None, debug: bool) -> None:
    """Check a declaration against its data.

    Of the vertical NAME, or of all. Nothing is trained.

    Exit codes: 0 done, 2 bad configuration, 3 data that cannot be used or break the contract, 1 anything
    else.
    """
    from lepton_pipeline.onboarding.check import check_vertical, print_check
    from lepton_pipeline.project.declaration import find_verticals

    codes = []
    try:
        names = [name] if name else find_verticals(options.base_folder())
    except Exception as error:
        sys.exit(report_error(error, debug))
    for each in names:
        try:
            print_check(check_vertical(each, env), brief=name is None)
        except Exception as error:
            if name is None:
                say(f"\n{each}: not ready to train", to_stderr=True)
            codes.append(report_error(error, debug))
    sys.exit(next(iter(codes), 0))


@vertical.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@options.reports_errors
def match(file: Path) -> None:
    """Rank the verticals that FILE may fit."""
    from lepton_pipeline.onboarding.match import match_file, print_matches

    print_matches(match_file(options.project_folder(), file))
