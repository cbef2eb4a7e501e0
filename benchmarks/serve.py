"""Load on a served model: latency, errors and memory of `mlflow models serve`, single rows and batches, side by side.

The champion is that of a temporary copy of the project in which finance is trained, or of `--project`. Eight
connections send rows of the bundled table as fast as they are answered. Memory is that of the server's processes
together, read while it serves. Before the load: when `/ping` answers, and what the first request takes then.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter, sleep

import pandas as pd
from machine import describe
from overhead import COMMANDS, HERE, prepare, run_process, table

SOURCE = HERE.parent / "data/01_raw/finance/default_of_credit_card_clients.csv.gz"
_TARGET = "default payment next month"
_HEADERS = {"Content-Type": "application/json"}
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Growth over the second half that still counts as level: allocators keep what threads have used.
LEVEL = 0.03


@dataclass
class Load:
    """What connections saw.

    Attributes:
        rows: of a request.
        seconds: wall time of the load.
        latencies: seconds of each request that was answered.
        errors: what went wrong, one text a request.
        memory: MiB of all processes of the server, twice a second.
    """

    rows: int
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """Of the latencies, in milliseconds."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    @property
    def growth(self) -> float:
        """Memory at the end over that in the middle, less 1: means of a tenth of the readings each."""
        few, middle = max(len(self.memory) // 10, 1), len(self.memory) // 2
        inside, last = self.memory[middle : middle + few], self.memory[-few:]
        return sum(last) / len(last) / (sum(inside) / len(inside)) - 1


def main() -> None:
    """Serve the champion, load it, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--project", type=Path, help="with a champion of finance; default: one is trained")
    parser.add_argument("--seconds", type=float, default=60, help="of load by size of a request")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 100, 1000], help="of a request")
    parser.add_argument("--conditions", default="", help="what else the machine was doing, for the result")
    parser.add_argument("--output", type=Path, default=HERE / "results/serve.md")
    given = parser.parse_args()
    rows = json.loads(pd.read_csv(SOURCE).drop(columns=_TARGET).to_json(orient="records"))
    with TemporaryDirectory() as folder:
        project = (given.project or _train(Path(folder))).resolve()
        with served(project, Path(folder) / "server.log") as (port, process, started):
            warm = wait_until_warm(port, process) - started
            first = [_one_request(port, rows[:1]) for _ in range(2)]
            loads = []
            for size in given.rows:
                loads.append(load(port, process.pid, rows, size, given.seconds, given.connections))
                print(_line(loads[-1]), flush=True)
    text = report(loads, warm, first, given.connections, given.conditions)
    print(text)
    given.output.write_text(text, encoding="utf-8")
    if any(each.errors for each in loads):
        sys.exit(1)


def _train(folder: Path) -> Path:
    prepare(folder / "project")
    run_process(folder / "project", COMMANDS["kedro"])
    return folder / "project"


@contextmanager
def served(project: Path, log: Path) -> Iterator[tuple[int, subprocess.Popen[bytes], float]]:
    """A server of the champion, on a free port of this machine: port, process, and when it was started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", "models:/finance@champion"]
    command += ["--env-manager", "local", "--port", str(port)]
    found = {"MLFLOW_TRACKING_URI": f"sqlite:///{project}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true"}
    found["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with log.open("wb") as out:
        server = subprocess.Popen(
            command, cwd=project, env=os.environ | found, stdout=out, stderr=out, start_new_session=True
        )
        try:
            yield port, server, perf_counter()
        except Exception:
            print(log.read_text(encoding="utf-8", errors="replace")[-4000:], file=sys.stderr)
            raise
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def wait_until_warm(port: int, server: subprocess.Popen[bytes], seconds: float = 300) -> float:
    """When `/ping` first answered; raises RuntimeError if the server ends or stays silent."""
    end = monotonic() + seconds
    while monotonic() < end:
        asking = closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5))
        with suppress(OSError, http.client.HTTPException), asking as connection:
            connection.request("GET", "/ping")
            if connection.getresponse().status == 200:
                return perf_counter()
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}")
        sleep(0.02)
    raise RuntimeError(f"the server does not answer /ping within {seconds:g} seconds")


def load(
    port: int, server: int, rows: Sequence[dict[str, object]], size: int, seconds: float, connections: int
) -> Load:
    """Send requests of `size` rows over some connections, each as soon as the last one is answered."""
    found, lock, end = Load(size), threading.Lock(), perf_counter() + seconds

    def send(number: int) -> None:
        draw, own, wrong = random.Random(number), [], []
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            while perf_counter() < end:
                body = json.dumps({"dataframe_records": draw.choices(rows, k=size)})
                began = perf_counter()
                try:
                    answer = _ask(connection, body)
                except (OSError, http.client.HTTPException, ValueError) as error:
                    wrong.append(repr(error))
                    # The next request opens another one.
                    connection.close()
                    continue
                own.append(perf_counter() - began)
                if answer != size:
                    wrong.append(f"{answer} predictions for {size} rows")
        with lock:
            found.latencies += own
            found.errors += wrong

    threads = [threading.Thread(target=send, args=(number,)) for number in range(connections)]
    began = perf_counter()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found.memory.append(memory(server))
        sleep(0.5)
    found.seconds = perf_counter() - began
    return found


def _ask(connection: http.client.HTTPConnection, body: str) -> int:
    """How many predictions a request got; raises ValueError for any other answer than 200."""
    connection.request("POST", "/invocations", body, _HEADERS)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise ValueError(f"{answer.status}: {content[:200]!r}")
    return len(json.loads(content)["predictions"])


def _one_request(port: int, rows: Sequence[dict[str, object]]) -> float:
    """Seconds of a request of its own."""
    began = perf_counter()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        _ask(connection, json.dumps({"dataframe_records": list(rows)}))
    return perf_counter() - began


def memory(process: int) -> float:
    """Resident memory of a process and all below it, MiB."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name of a process may hold blanks and brackets.
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    total, waiting = 0, [process]
    while waiting:
        each = waiting.pop()
        waiting += children.get(each, [])
        with suppress(OSError):
            total += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return total * _PAGE / 2**20


def _line(found: Load) -> str:
    return (
        f"{found.rows} rows: {len(found.latencies) / found.seconds:.1f} requests a second, p50 "
        f"{found.quantile(0.5):.0f} ms, p99 {found.quantile(0.99):.0f} ms, {len(found.errors)} errors, memory "
        f"{found.memory[0]:.0f} to {found.memory[-1]:.0f} MiB"
    )


def report(
    loads: Sequence[Load], warm: float, first: Sequence[float], connections: int, conditions: str
) -> str:
    """The result as Markdown."""
    header = [
        "rows a request",
        "requests",
        "requests a second",
        "rows a second",
        "p50 ms",
        "p99 ms",
        "max ms",
    ]
    header += ["errors", "MiB at first", "in the middle", "at the end"]
    lines = [
        [
            f"{each.rows:,}",
            f"{len(each.latencies):,}",
            f"{len(each.latencies) / each.seconds:,.1f}",
            f"{len(each.latencies) * each.rows / each.seconds:,.0f}",
            f"{each.quantile(0.5):,.0f}",
            f"{each.quantile(0.99):,.0f}",
            f"{1000 * max(each.latencies):,.0f}",
            f"{len(each.errors):,}",
            f"{each.memory[0]:,.0f}",
            f"{each.memory[len(each.memory) // 2]:,.0f}",
            f"{each.memory[-1]:,.0f}",
        ]
        for each in loads
    ]
    wrong = [f"- {error}" for each in loads for error in each.errors[:3]]
    level = all(each.growth <= LEVEL for each in loads)
    return "\n".join(
        [
            "# Load on a served model",
            "",
            f"`mlflow models serve` with one worker, the champion of finance; {connections} connections, "
            f"{min(each.seconds for each in loads):.0f} seconds by size of a request, one after the other on one "
            "server. Client and server share the machine.",
            "",
            describe(("mlflow", "torch", "pandas", "scikit-learn"), conditions),
            "",
            table(header, lines),
            "",
            f"`/ping` answered {warm:.1f} s after the start of the command; the first request then took "
            f"{1000 * first[0]:.0f} ms, the second {1000 * first[1]:.0f} ms.",
            "",
            f"Goals: no error ({'met' if not wrong else 'missed'}); memory level, that is, at most {LEVEL:.0%} more at "
            f"the end of each load than in its middle ({'met' if level else 'missed'}: "
            f"{', '.join(f'{each.growth:+.1%}' for each in loads)}).",
            *(["", "Errors, the first of each load:", "", *wrong] if wrong else []),
            "",
        ]
    )


if __name__ == "__main__":
    main()
