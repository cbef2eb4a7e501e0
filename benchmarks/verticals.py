"""Seconds and peak memory of every stage of the verticals' pipelines, each vertical in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node
from overhead import HERE, prepare, reset, table

from lepton_pipeline.project.declaration import find_verticals

MINUTE, GIB = 60, 1024
_STATUS, _CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_SAMPLED_EVERY = 0.02
_VERSIONS = ("kedro", "mlflow", "great-expectations", "torch", "scikit-learn", "pandas")


@dataclass(frozen=True)
class Stage:
    """One node of a pipeline, from the load of its first input until its last output is saved and recorded.

    Attributes:
        name: of the node, without the vertical.
        seconds: wall time.
        peak: largest resident memory of the process in this time, MiB.
    """

    name: str
    seconds: float
    peak: float


@dataclass(frozen=True)
class Run:
    """One vertical, run in one process.

    Attributes:
        seconds: wall time of the whole process.
        stages: in the order in which they ran.
        outside: largest resident memory before, between and after the stages, MiB.
        exit_code: of the process.
    """

    seconds: float
    stages: list[Stage]
    outside: float
    exit_code: int = 0

    @property
    def ingestion(self) -> list[Stage]:
        """The stages that make the table from raw data: those before the contract on it is checked."""
        return list(takewhile(lambda stage: stage.name != "check_contract", self.stages))

    @property
    def all(self) -> Stage:
        """The whole process, seen as a stage."""
        return Stage("all", self.seconds, max(self.outside, total(self.stages).peak))


class PeakMemory:
    """The largest resident memory of this process, in MiB, from one `take` to the next.

    Linux keeps it and resets it where the process may ask for that; elsewhere a thread looks fifty times a second.
    """

    def __init__(self) -> None:
        self._seen = 0.0
        self.exact = self._restart()
        if not self.exact:
            threading.Thread(target=self._watch, daemon=True).start()

    def take(self) -> float:
        """The peak since the last call, or since the beginning."""
        if self.exact:
            peak = _status("VmHWM")
            self._restart()
        else:
            self.sample()
            peak, self._seen = self._seen, 0.0
        return peak

    def sample(self) -> None:
        """Look at the memory of this moment."""
        self._seen = max(self._seen, _status("VmRSS"))

    def _restart(self) -> bool:
        try:
            # 5 resets the peak to the memory of this moment, see proc_pid_clear_refs(5).
            _CLEAR_REFS.write_text("5")
        except OSError:
            return False
        return True

    def _watch(self) -> None:
        pause = threading.Event()
        while not pause.wait(_SAMPLED_EVERY):
            self.sample()


def _status(field: str) -> float:
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


class StageHook:
    """Measures the stages of a run.

    Args:
        peak: the peak of memory since its last call, MiB.
        now: a clock, in seconds.
    """

    def __init__(self, peak: Callable[[], float], now: Callable[[], float] = perf_counter):
        self.stages: list[Stage] = []
        self.outside = 0.0
        self._peak = peak
        self._now = now
        self._at_work = ""
        self._since = 0.0

    # The project's own hooks belong to the stage: they record its results.
    @hook_impl(tryfirst=True)
    def before_dataset_loaded(self, node: Node) -> None:
        """Begin a stage with its first input."""
        if self._at_work != node.name:
            self.look_outside()
            self._at_work, self._since = node.name, self._now()

    @hook_impl(trylast=True)
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """End it with its last output."""
        if dataset_name == node.outputs[-1]:
            seconds = self._now() - self._since
            self.stages.append(Stage(node.name.partition(".")[2], seconds, self._peak()))
            self._at_work = ""

    def look_outside(self) -> None:
        """Count the peak of memory since the last stage."""
        self.outside = max(self.outside, self._peak())


def watch(vertical: str, file: Path) -> None:
    """Run a vertical in this process with a hook that measures its stages, and write them to a file."""
    hook = StageHook(PeakMemory().take)
    install(hook)
    sys.argv = ["kedro", "run", "--pipelines", vertical]
    try:
        import_module("kedro.framework.cli.cli").main()
    finally:
        hook.look_outside()
        file.write_text(
            json.dumps({"stages": [asdict(stage) for stage in hook.stages], "outside": hook.outside})
        )


def install(hook: StageHook) -> None:
    """Add a hook to those of the project, before Kedro reads its settings."""
    settings = import_module("lepton_pipeline.settings")
    vars(settings)["HOOKS"] = (*vars(settings)["HOOKS"], hook)


def run_vertical(project: Path, command: Sequence[str], file: Path) -> Run:
    """Run a command that writes its stages to `file`, in the project as `reset` leaves it."""
    reset(project)
    file.unlink(missing_ok=True)
    log = project / "run.log"
    with log.open("wb") as output:
        started = perf_counter()
        process = subprocess.run(command, cwd=project, stdout=output, stderr=subprocess.STDOUT, check=False)
        seconds = perf_counter() - started
    if process.returncode:
        print(
            f"{' '.join(command)} ended with exit code {process.returncode}:\n{log.read_text()[-4000:]}",
            flush=True,
        )
    measured = json.loads(file.read_text()) if file.exists() else {}
    stages = [Stage(**stage) for stage in measured.get("stages", [])]
    return Run(seconds, stages, measured.get("outside", 0.0), process.returncode)


def total(stages: Sequence[Stage]) -> Stage:
    """Several stages as one: seconds add up, of the peaks the largest counts."""
    return Stage(
        "total", sum(stage.seconds for stage in stages), max((stage.peak for stage in stages), default=0.0)
    )


def stage_table(run: Run) -> str:
    """Seconds and peak of every stage, of what lies around them, and of the whole process."""
    around = Stage("around the stages", run.seconds - total(run.stages).seconds, run.outside)
    rows = [
        [stage.name, f"{stage.seconds:.2f}", f"{stage.peak:,.0f}"] for stage in (*run.stages, around, run.all)
    ]
    return table(["stage", "seconds", "peak MiB"], rows)


def summary_table(runs: Mapping[str, Run]) -> str:
    """One line a vertical; where several have run, their sum."""
    lines = {vertical: (run.all, total(run.ingestion), run.exit_code) for vertical, run in runs.items()}
    if len(lines) > 1:
        alls, ingestions, _ = zip(*lines.values(), strict=True)
        lines["all"] = (total(alls), total(ingestions), 0)
    rows = [
        [
            f"{vertical} (failed: exit code {exit_code})" if exit_code else vertical,
            *(f"{part.seconds:.1f}" for part in (whole, ingestion)),
            *(f"{part.peak:,.0f}" for part in (whole, ingestion)),
        ]
        for vertical, (whole, ingestion, exit_code) in lines.items()
    ]
    return table(["vertical", "seconds", "ingestion seconds", "peak MiB", "ingestion MiB"], rows)


def goals(runs: Mapping[str, Run], complete: bool) -> list[tuple[str, float, float, str]]:
    """What was to be reached, of the verticals that ran to their end: name, measured, less than, unit.

    Args:
        runs: by vertical.
        complete: whether these are all verticals of the project.
    """
    ingestion = {vertical: total(run.ingestion) for vertical, run in runs.items() if run.exit_code == 0}
    reached: list[tuple[str, float, float, str]] = []
    if "retail" in ingestion:
        reached.append(("retail, from raw lines to snapshots", ingestion["retail"].seconds, MINUTE, "s"))
        reached.append(("retail, from raw lines to snapshots", ingestion["retail"].peak, 4 * GIB, "MiB"))
    if "logistics" in ingestion:
        reached.append(("logistics, ingestion", ingestion["logistics"].seconds, MINUTE / 2, "s"))
    if complete and len(ingestion) == len(runs):
        reached.append(("all verticals", sum(run.seconds for run in runs.values()), 15 * MINUTE, "s"))
    return reached


def report(runs: Mapping[str, Run], complete: bool, exact: bool = True) -> str:
    """The result as Markdown."""
    versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in _VERSIONS)]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    verdicts = [
        [name, f"{measured:,.0f} {unit}", f"< {goal:,.0f} {unit}", "reached" if measured < goal else "missed"]
        for name, measured, goal, unit in goals(runs, complete)
    ]
    parts = [
        "# Seconds and memory of the verticals",
        f"{datetime.now(UTC):%Y-%m-%d}; {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{memory:.1f} GiB of memory;\n{', '.join(versions)}.",
        "One run of `kedro run --pipelines <vertical>` each, in a process of its own that begins without outputs.\n"
        "A stage lasts from the load of its first input until its last output is saved and recorded in MLflow; its\n"
        "peak is the largest resident memory of the process in this time, "
        + ("as the kernel counts it." if exact else "looked at fifty times a second."),
        summary_table(runs),
        *([table(["goal", "measured", "wanted", "verdict"], verdicts)] if verdicts else []),
        *(f"## {vertical}\n\n{stage_table(run)}" for vertical, run in runs.items()),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Measure, print, write the result; exit code 1 where a vertical fails or a goal is missed."""
    known = find_verticals(HERE.parent / "conf" / "base")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "verticals", nargs="*", metavar="VERTICAL", help=f"of {', '.join(known)} (default all)"
    )
    parser.add_argument(
        "--output", type=Path, default=HERE / "results" / "verticals.md", help="file of the result"
    )
    parser.add_argument("--watch", type=Path, metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    chosen = list(dict.fromkeys(options.verticals)) or known
    if unknown := [vertical for vertical in chosen if vertical not in known]:
        parser.error(f"no vertical {unknown[0]!r}; there are {', '.join(known)}")
    if options.watch:
        watch(chosen[0], options.watch)
        return
    if not _STATUS.exists():
        parser.error(f"memory is read from {_STATUS}, which this system does not have; use Linux")
    runs: dict[str, Run] = {}
    with TemporaryDirectory() as folder:
        project, file = Path(folder) / "project", Path(folder) / "stages.json"
        prepare(project)
        for vertical in chosen:
            raw = Path("data/01_raw") / vertical
            shutil.copytree(HERE.parent / raw, project / raw, dirs_exist_ok=True)
            command = [sys.executable, str(Path(__file__).resolve()), vertical, "--watch", str(file)]
            runs[vertical] = run_vertical(project, command, file)
            print(f"{vertical}\n{stage_table(runs[vertical])}\n", flush=True)
    complete = set(chosen) == set(known)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(report(runs, complete, PeakMemory().exact))
    print(summary_table(runs))
    missed = [name for name, measured, goal, _ in goals(runs, complete) if measured >= goal]
    failed = [vertical for vertical, run in runs.items() if run.exit_code]
    sys.exit(
        ", ".join([*(f"failed: {name}" for name in failed), *(f"missed: {name}" for name in missed)]) or 0
    )


if __name__ == "__main__":
    main()
