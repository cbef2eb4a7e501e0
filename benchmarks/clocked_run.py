"""Run one side of `overhead.py` with a clock at its seams: `clocked_run.py kedro|plain FILE` writes seconds by part."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

FRAME, MLFLOW_OPEN, MLFLOW_RECORD = (
    "configuration, session, catalog, hooks",
    "MLflow: import, open",
    "MLflow: record",
)
_TRACKING = "lepton_pipeline.tracking.runs:"
_BOTH: dict[str, Any] = {
    f"{_TRACKING}RunLog.__init__": MLFLOW_OPEN,
    f"{_TRACKING}RunLog.open": MLFLOW_OPEN,
    f"{_TRACKING}RunLog.parameters": MLFLOW_OPEN,
    f"{_TRACKING}RunLog.record": MLFLOW_RECORD,
    f"{_TRACKING}RunLog.metrics": MLFLOW_RECORD,
    f"{_TRACKING}RunLog.close": "MLflow: close",
    "lepton_pipeline.terminal.training:print_summary": "summary",
}
# What is called -> the part its time belongs to, or a function that says so from the call's arguments.
# What is imported by name elsewhere stands before the modules that do so.
SEAMS: dict[str, dict[str, Any]] = {
    "kedro": {
        **_BOTH,
        "kedro.io:DataCatalog.load": "data sets: read",
        "kedro.io:DataCatalog.save": "data sets: write",
        "kedro.pipeline.node:Node.run": lambda node, *_: f"stage {node.func.__name__}",
        "lepton_pipeline.hooks.run:remove_stale": "data sets: remove stale",
        "lepton_pipeline.cli.run:_check_declarations": FRAME,
        "lepton_pipeline.cli.run:_run_one": FRAME,
    },
    "plain": {
        **_BOTH,
        "plain_run:save": "data sets: write",
        "plain_run:PlainRun.stage": lambda run, function, *_: f"stage {function.__name__}",
        "plain_run:main": FRAME,
    },
}


class Clock:
    """Seconds by part; while one part calls another, only the inner one's time runs."""

    def __init__(self, outermost: str, now: Callable[[], float] = perf_counter):
        self.seconds: dict[str, float] = {}
        self._now = now
        self._parts = [outermost]
        self._since = now()

    def timed(self, function: Callable[..., Any], part: Any) -> Callable[..., Any]:
        """Wrap a function so that its time goes to `part`."""

        @functools.wraps(function)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.book()
            self._parts.append(part(*arguments) if callable(part) else part)
            try:
                return function(*arguments, **options)
            finally:
                self.book()
                self._parts.pop()

        return wrapped

    def book(self) -> None:
        """Credit the time since the last call to the part that is at work."""
        now = self._now()
        self.seconds[self._parts[-1]] = self.seconds.get(self._parts[-1], 0.0) + now - self._since
        self._since = now

    def install(self, seam: str, part: Any) -> None:
        """Replace what `seam` names, "module:owner.function", by its timed self."""
        module, _, path = seam.partition(":")
        *owners, name = path.split(".")
        owner = functools.reduce(getattr, owners, import_module(module))
        setattr(owner, name, self.timed(getattr(owner, name), part))


def main(side: str, file: str) -> None:
    """Run one side and write its seconds by part."""
    clock = Clock("imports, command line")
    for seam, part in SEAMS[side].items():
        clock.install(seam, part)
    try:
        if side == "kedro":
            sys.argv = ["kedro", "run", "--pipelines", "finance"]
            import_module("kedro.framework.cli.cli").main()
        else:
            import_module("plain_run").main()
    finally:
        clock.book()
        Path(file).write_text(json.dumps(clock.seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
