"""Scoring in bulk on two Ray nodes on this machine: are the scores those of one process, and at what cost?

The nodes listen on loopback only. Each scoring is the untouched `kedro run --pipelines finance_scoring`; in one of them
a node is killed, and one is stopped and goes on in one process.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import perf_counter, sleep
from typing import Any

import pandas as pd
from machine import describe
from overhead import COMMANDS, HERE, prepare, run_process, table
from score import SOURCE, stage_seconds, write_rows

_TARGET = "default payment next month"
_OUTPUT = Path("data/07_model_output/finance/batch_scores.parquet")
# Ray takes the address of a network for that of this machine, unless it is told that there is none.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


@dataclass
class Usage:
    """What processes have used: CPU seconds by process, and the largest sum of their resident memory in MiB."""

    cpu: dict[int, float] = field(default_factory=dict)
    peak: float = 0.0

    def note(self, processes: Iterator[tuple[int, float, float]]) -> None:
        """Note the processes that there are: number, CPU seconds, MiB."""
        total = 0.0
        for number, cpu, memory in processes:
            self.cpu[number] = cpu
            total += memory
        self.peak = max(self.peak, total)

    def since(self, before: Usage) -> float:
        """CPU seconds that were not used before."""
        return sum(cpu - before.cpu.get(number, 0.0) for number, cpu in self.cpu.items())


@dataclass(frozen=True)
class Scoring:
    """One process, and what the cluster did for it.

    Attributes:
        name: of the way it was scored.
        code: exit code.
        seconds: wall time, and that of the stage that scores, 0 where it did not end.
        stage: see `seconds`.
        cpu: seconds of processor time of the process, and of the cluster's.
        nodes_cpu: see `cpu`.
        peak: largest resident memory in MiB of the process, and of the cluster's together, shared memory in each.
        nodes_peak: see `peak`.
        sha256: of the scores; empty where there are none.
    """

    name: str
    code: int
    seconds: float
    stage: float
    cpu: float
    nodes_cpu: float
    peak: float
    nodes_peak: float
    sha256: str

    def row(self) -> list[str]:
        """Row of the report."""
        numbers = (self.seconds, self.stage, self.cpu, self.nodes_cpu, self.peak, self.nodes_peak)
        return [
            self.name,
            str(self.code),
            *(f"{number:,.0f}" for number in numbers),
            self.sha256[:12] or "none",
        ]


def descendants(root: int) -> Iterator[tuple[int, float, float]]:
    """Processes below a process: number, CPU seconds, MiB of resident memory."""
    parents, found = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended
            continue
        parts = text.rpartition(")")[2].split()
        number = int(path.parent.name)
        parents[number] = int(parts[1])
        found[number] = (int(parts[11]) + int(parts[12])) / _TICKS, int(parts[21]) * _PAGE / 2**20
    for number, (cpu, memory) in found.items():
        above = number
        while above in parents and above != root:
            above = parents[above]
        if above == root and number != root:
            yield number, cpu, memory


@contextmanager
def measured(root: int, leaving_out: int) -> Iterator[tuple[Usage, Usage]]:
    """Usage before and during the block of all processes below one, but for one."""
    before, usage, ended = Usage(), Usage(), Event()

    def note(into: Usage) -> None:
        into.note(each for each in descendants(root) if each[0] != leaving_out)

    def watch() -> None:
        while not ended.wait(0.5):
            note(usage)

    note(before)
    thread = Thread(target=watch)
    thread.start()
    try:
        yield before, usage
    finally:
        ended.set()
        thread.join()


def has_ended(child: int) -> bool:
    """Whether a process has ended, which is still to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def score(
    name: str, project: Path, rows: Path, engine: str, half_way: Callable[[Any], None] | None = None
) -> Scoring:
    """Score a file in a process of its own; `half_way` is called with it once some chunks are finished."""
    log, chunks = project / "score.log", (project / _OUTPUT).with_suffix(".chunks")
    (project / _OUTPUT).unlink(missing_ok=True)
    declared = f"finance.scoring.reasons=0,finance.scoring.chunk_rows=5000,finance.scoring.engine={engine}"
    command = [sys.executable, "-m", "kedro", "run", "--pipelines", "finance_scoring"]
    with log.open("wb") as output:
        started = perf_counter()
        process = subprocess.Popen(
            [*command, "--params", f"{declared},finance.scoring.input={rows}"],
            cwd=project,
            stdout=output,
            stderr=output,
        )
        with measured(os.getpid(), process.pid) as (before, usage):
            if half_way is not None:
                while len(list(chunks.glob("chunk-*"))) < 4 and not has_ended(process.pid):
                    sleep(0.05)
                half_way(process)
            _, status, used = os.wait4(process.pid, 0)
            seconds = perf_counter() - started
    code = process.returncode = os.waitstatus_to_exitcode(status)
    text, scores = log.read_text(), project / _OUTPUT
    if code not in (0, 143):
        sys.exit(f"{name} ended with exit code {code}:\n{text[-4000:]}")
    return Scoring(
        name,
        code,
        seconds,
        0.0 if code else stage_seconds(text)[1],
        used.ru_utime + used.ru_stime,
        usage.since(before),
        used.ru_maxrss / 1024,
        usage.peak,
        hashlib.sha256(scores.read_bytes()).hexdigest() if scores.exists() else "",
    )


def measure(project: Path, rows: Path) -> list[Scoring]:
    """All ways to score a file: one process, two nodes, a node lost, stopped, and gone on with."""
    from ray.cluster_utils import Cluster

    measured = [score("one process", project, rows, "local")]
    node = {"num_cpus": 1, "object_store_memory": 200 << 20}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        second = cluster.add_node(**node)
        measured.append(score("two nodes", project, rows, "ray"))
        measured.append(
            score("two nodes, one killed", project, rows, "ray", lambda _: cluster.remove_node(second, False))
        )
        cluster.add_node(**node)
        stop = score(
            "two nodes, stopped (SIGTERM)",
            project,
            rows,
            "ray",
            lambda process: process.send_signal(signal.SIGTERM),
        )
        measured.append(stop)
    finally:
        cluster.shutdown()
    measured.append(score("... and one process goes on", project, rows, "local"))
    return measured


def report(count: int, measured: Sequence[Scoring]) -> str:
    """The result as Markdown."""
    whole = [each for each in measured if not each.code]
    same = len({each.sha256 for each in whole}) == 1
    head = [
        "how",
        "exit code",
        "seconds",
        "in score_input",
        "CPU seconds",
        "of the nodes",
        "peak MiB",
        "of the nodes",
        "SHA-256",
    ]
    # Of a quarter of an hour: what else the machine had to do.
    load = f"load average {os.getloadavg()[2]:.0f}"
    return f"""# Scoring on two Ray nodes

{count:,} rows of finance in chunks of 5,000, without reasons, by `kedro run --pipelines finance_scoring`, whole
processes. The nodes are on this machine, with a processor each, on loopback. CPU seconds and memory of the nodes are
those of all of Ray's processes; what they share counts in each.

{describe(("ray", "torch", "mlflow", "pandas", "pyarrow"), load)}

{table(head, [each.row() for each in measured])}

The files of all {len(whole)} whole scorings are {"the same, byte by byte" if same else "NOT the same"}.
"""


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--project", type=Path, help="a project whose finance has a champion, instead of training one"
    )
    parser.add_argument("--rows", type=int, default=200_000, help="number of rows")
    parser.add_argument(
        "--output", type=Path, default=HERE / "results/two_nodes.md", help="file of the result"
    )
    options = parser.parse_args()
    os.environ.update(_LOOPBACK)
    with TemporaryDirectory() as folder:
        project = options.project
        if project is None:
            project = Path(folder) / "project"
            prepare(project)
            run_process(project, COMMANDS["kedro"])
        rows = Path(folder) / "rows.parquet"
        write_rows(pd.read_csv(SOURCE).drop(columns=_TARGET), options.rows, rows)
        measured = measure(project.resolve(), rows)
    text = report(options.rows, measured)
    options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
