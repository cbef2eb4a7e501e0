"""The project's commands; their modules are imported only when they run, to keep `kedro --help` fast."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click
from kedro.framework.cli.utils import KedroCliError

# With click 8.4 and later, Kedro's own prints "NoneType: None" in place of the message.
KedroCliError.show = click.ClickException.show  # type: ignore[method-assign]  # see above

# Module and help line of each command: the first line of its docstring, shortened for Kedro's own.
COMMANDS = {
    "adopt": ("project:adopt", "Take over the runs of a copied project."),
    "alerts": ("project:alerts", "Test alert channels."),
    "backfill": ("backfill:backfill", "Replay the retraining policy on past dates."),
    "champion": ("champion:champion", "Show, replace, verify and prune versions."),
    "compare": ("runs:compare", "Compare the latest runs of VERTICAL."),
    "export": ("export:export", "Write a model of VERTICAL as an ONNX file."),
    "ipython": ("project:ipython", "Open IPython with catalog and session."),
    "join": ("join:join", "Lend this machine to fits of another one."),
    "jupyter": (
        "kedro.framework.cli.jupyter:jupyter",
        "Open Jupyter with catalog and session.",
    ),
    "package": ("kedro.framework.cli.project:package", "Build a wheel of the project."),
    "reproduce": ("runs:reproduce", "Repeat a run and compare the results."),
    "retrain": ("retrain:retrain", "Train VERTICAL if its policy says so."),
    "retrain-log": ("retrain:retrain_log", "List the decisions on retraining VERTICAL."),
    "run": ("run:run_command", "Run training, scoring or monitoring."),
    "schedule": ("schedule:schedule", "Start retraining jobs when they are due."),
    "status": ("project:status", "Show the state of every vertical."),
    "tune": ("tune:tune", "Search better keys of training for VERTICAL."),
    "vertical": ("vertical:vertical", "Add, list, check and match verticals."),
}


class LazyCommand(click.Command):
    """A command's name and help line; imports the command when it is called."""

    def __init__(self, name: str, target: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self._target = target

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self._target.partition(":")
        module = module if "." in module else f"{__name__}.{module}"
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Parse the arguments as the command does, so that click invokes it."""
        return self.load().make_context(*arguments, **options)


# Named as Kedro's group is: the help lists both as one, `run` once.
cli = click.Group("kedro", commands=[LazyCommand(name, *command) for name, command in COMMANDS.items()])
