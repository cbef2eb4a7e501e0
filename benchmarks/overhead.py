"""What Kedro costs: the wall time of `kedro run --pipelines finance` over that of a plain script with the same work."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

HERE = Path(__file__).parent
GOAL = 1.15
COMMANDS = {
    "kedro": [sys.executable, "-m", "kedro", "run", "--pipelines", "finance"],
    "plain": [sys.executable, str(HERE / "plain_run.py")],
}
_VERSIONS = ("kedro", "mlflow", "great-expectations", "torch", "scikit-learn", "pandas")


@dataclass(frozen=True)
class Run:
    """One whole process.

    Attributes:
        wall: seconds from start to end.
        cpu: seconds of processor time, its child processes' included.
        made: the text of its metrics, the hash of its weights and the names of its files; the same for the same work.
    """

    wall: float
    cpu: float
    made: tuple[str, ...]


def prepare(project: Path) -> None:
    """Copy what a run needs from this repository, with an MLflow store whose tables exist."""
    # Keeps the libraries quiet by variables that the processes inherit, as the settings do within Kedro.
    import_module("lepton_pipeline.settings")
    from lepton_pipeline.tracking.runs import RunLog, read_tracking

    (project / "src").mkdir(parents=True)
    for folder in ("conf/base", "data/01_raw/finance"):
        shutil.copytree(HERE.parent / folder, project / folder)
    (project / "conf/local").mkdir()
    for file in ("pyproject.toml", ".telemetry", "conf/logging.yml"):
        shutil.copy(HERE.parent / file, project / file)
    RunLog(read_tracking({"tracking_uri": "sqlite:///empty.db"}), project)


def reset(project: Path) -> None:
    """Remove what a run has made and put the empty store back, so that every run starts from the same state."""
    for folder in [*project.glob("data/0[2-8]_*"), project / "mlruns"]:
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copy(project / "empty.db", project / "mlflow.db")


def run_process(project: Path, command: Sequence[str]) -> Run:
    """Run a command in the project as `reset` leaves it, and measure it."""
    reset(project)
    log = project / "run.log"
    with log.open("wb") as output:
        started = perf_counter()
        process = subprocess.Popen(command, cwd=project, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        wall = perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with exit code {process.returncode}:\n{log.read_text()[-4000:]}")
    reports = project / "data/08_reporting/finance"
    weights = json.loads((reports / "registration.json").read_text())["weights_sha256"]
    files = [*project.glob("data/*/finance/*"), *project.glob("mlruns/finance/*/artifacts/**/*")]
    names = sorted("/".join(path.relative_to(project).parts[3:]) for path in files)
    made = ((reports / "metrics.json").read_text(), weights, *names)
    return Run(wall, used.ru_utime + used.ru_stime, made)


def run_clocked(project: Path, side: str) -> tuple[Run, dict[str, float]]:
    """Run one side with a clock at its seams; the seconds by part add up to its wall time."""
    file = project / "seconds.json"
    run = run_process(project, [sys.executable, str(HERE / "clocked_run.py"), side, str(file)])
    seconds = json.loads(file.read_text())
    return run, {"interpreter start and exit": run.wall - sum(seconds.values()), **seconds}


def require_same_work(runs: Sequence[Run]) -> None:
    """Refuse to compare runs whose metrics or weights differ by a bit, or that wrote other files."""
    made = [set(run.made) for run in runs]
    if differing := made[0].union(*made) - made[0].intersection(*made):
        sys.exit("\n".join(["the runs did not do the same work; they differ in", *sorted(differing)]))


def ratio(kedro: Sequence[float], plain: Sequence[float]) -> float:
    """Median over median."""
    return median(kedro) / median(plain)


def compare(kedro: Sequence[Mapping[str, float]], plain: Sequence[Mapping[str, float]]) -> list[list[str]]:
    """Rows of part, kedro, plain, difference in median seconds: the stages' functions last and together, then the sum.

    The other parts stand in the order of what Kedro adds; a part that a side lacks counts as 0.
    """
    names = dict.fromkeys(part for seconds in (*kedro, *plain) for part in seconds)
    parts = {name: [median(run.get(name, 0.0) for run in side) for side in (kedro, plain)] for name in names}
    stages = [name for name in names if name.startswith("stage ")]
    others = sorted(set(names) - set(stages), key=lambda name: parts[name][1] - parts[name][0])

    def row(name: str, members: Sequence[str]) -> list[str]:
        first, second = (sum(parts[member][side] for member in members) for side in (0, 1))
        return [name, f"{first:.2f}", f"{second:.2f}", f"{first - second:+.2f}"]

    return [
        *(row(name, [name]) for name in others),
        row("all of these", others),
        *(row(name, [name]) for name in stages),
        row("all stages", stages),
        row("sum", list(names)),
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, aligned as plain text, too: the first column to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    aligned = ([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in (head, rule, *rows))
    return "\n".join(f"| {' | '.join(row)} |" for row in aligned)


def report(runs: Mapping[str, Sequence[Run]], parts: Sequence[Sequence[str]]) -> str:
    """The result as Markdown."""
    wall, cpu = (
        {side: [getattr(run, kind) for run in runs[side]] for side in runs} for kind in ("wall", "cpu")
    )
    reached = ratio(**wall)
    measured = [
        [
            name,
            *(f"{median(each):.2f} ({min(each):.2f} to {max(each):.2f})" for each in of.values()),
            f"{ratio(**of):.3f}",
        ]
        for name, of in (("wall", wall), ("CPU", cpu))
    ]
    versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in _VERSIONS)]
    return f"""# What Kedro costs

`kedro run --pipelines finance` takes **{reached:.3f}** times the wall time of a plain script that does the same work
(goal: at most {GOAL}; {"reached" if reached <= GOAL else "missed"}).
All runs came to the same metrics and weights, bit by bit, and wrote the same files.

{datetime.now(UTC):%Y-%m-%d}; {platform.system()} {platform.machine()}, {os.cpu_count()} cores;
{", ".join(versions)}.

Seconds of the whole process, median (lowest to highest) of {len(wall["kedro"])} runs of each side, in turn:

{table(["seconds", *runs, "ratio"], measured)}

Where they go, medians of further runs with a clock at the seams. A library's import counts where it first happens.
A stage is its function alone, the same on both sides: what differs there is noise, or where a garbage collection falls.

{table(["part", *runs, "difference"], parts)}
"""


def main() -> None:
    """Measure, print, write the result; exit code 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each side (default 5)")
    parser.add_argument(
        "--clocked", type=int, default=3, help="further runs that show where time goes (default 3)"
    )
    parser.add_argument(
        "--output", type=Path, default=HERE / "results" / "overhead.md", help="file of the result"
    )
    options = parser.parse_args()
    runs: dict[str, list[Run]] = {side: [] for side in COMMANDS}
    with TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        prepare(project)
        warm = [run_process(project, command) for command in COMMANDS.values()]
        for number in range(options.runs):
            for side, command in COMMANDS.items():
                runs[side].append(run_process(project, command))
                print(f"run {number + 1}  {side}  {runs[side][-1].wall:6.2f} s", flush=True)
        clocked = [{side: run_clocked(project, side) for side in COMMANDS} for _ in range(options.clocked)]
    require_same_work([*warm, *chain(*runs.values()), *(run for pair in clocked for run, _ in pair.values())])
    text = report(runs, compare(*([pair[side][1] for pair in clocked] for side in COMMANDS)))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text)
    print(f"\n{text}")
    sys.exit(ratio(*([run.wall for run in each] for each in runs.values())) > GOAL)


if __name__ == "__main__":
    main()
