"""Networks fitted by one process, by ranks of one machine, of two agents, and of a Ray cluster of two nodes."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from machine import describe
from overhead import table

from lepton_pipeline.model.folds import Fold, Plan
from lepton_pipeline.model.networks.estimator import TorchNetworks
from lepton_pipeline.parameters import Ranks, Training
from lepton_pipeline.tasks.binary import Binary

HERE = Path(__file__).parent
COLUMNS, KINDS = 20, 50
ALONE, HERE_BOTH, AGENTS, RAY = (
    "one process",
    "torchrun, two ranks of one machine",
    "torchrun, one rank here and one of kedro join",
    "Ray, two nodes with one rank each",
)


@dataclass(frozen=True)
class Fitted:
    """What one fit took and gave; `cpu` has no share of what runs in other process trees."""

    wall: float
    cpu: float
    log_loss: float
    auc: float
    weights: str


def make_table(rows: int) -> tuple[pd.DataFrame, np.ndarray, Plan]:
    """Numbers and a category with a known effect, [rows], the last fifth of them held out."""
    rng = np.random.default_rng(7)
    numbers = {f"x{place}": rng.normal(size=rows).astype(np.float32) for place in range(COLUMNS)}
    features = pd.DataFrame(numbers).assign(kind=rng.integers(2, 2 + KINDS, rows).astype(np.int32))
    effect = pd.Series(rng.normal(size=2 + KINDS))
    logit = features["x0"] * features["x1"] + np.abs(features["x2"]) - 1 + features["kind"].map(effect)
    labels = (rng.random(rows) < 1 / (1 + np.exp(-logit))).to_numpy().astype(np.int8)
    cut = rows * 4 // 5
    return features, labels, Plan([Fold(np.arange(cut), np.arange(cut, rows))], refit=False)


def fit(data: tuple[pd.DataFrame, np.ndarray, Plan], epochs: int, **changes: Any) -> Fitted:
    """Fit one network of the default model."""
    before, begun = os.times(), time.perf_counter()
    model = TorchNetworks(Training(epochs=epochs, patience=epochs, device="cpu", **changes), Binary())
    model.fit(*data)
    wall, after = time.perf_counter() - begun, os.times()
    # The first four are of this process and of those that it has waited for.
    cpu = sum(after[:4]) - sum(before[:4])
    best = model.history.sort_values("validation_log_loss").iloc[0]
    return Fitted(wall, cpu, best["validation_log_loss"], best["validation_auc"], model.weights_sha256[:12])


def free_port() -> int:
    """A port of the loopback interface that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


@contextmanager
def started(command: Sequence[str], **environment: str) -> Iterator[None]:
    """A command in the background, which ends with the block, with all that it has started."""
    process = subprocess.Popen(
        command,
        cwd=HERE.parent,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def ray_cluster(folder: str) -> Iterator[str]:
    """Two nodes of one processor each, on this machine; yields the address of their head."""
    address = f"127.0.0.1:{free_port()}"
    node = ["--num-cpus=1", "--node-ip-address=127.0.0.1", "--object-store-memory=200000000", "--block"]
    ray = [str(Path(sys.executable).with_name("ray")), "start"]
    head = [*ray, "--head", f"--port={address.rpartition(':')[2]}", "--include-dashboard=false"]
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": folder}
    with (
        started([*head, f"--temp-dir={folder}", *node], **quiet),
        started([*ray, f"--address={address}", *node], **quiet),
    ):
        wait_for_nodes(address)
        yield address


def wait_for_nodes(address: str) -> None:
    """Wait until both nodes are there."""
    code = (
        f"import ray; ray.init({address!r}, log_to_driver=False, logging_level='ERROR'); "
        "raise SystemExit(ray.cluster_resources().get('CPU') != 2)"
    )
    for _ in range(60):
        time.sleep(2)
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
        if done.returncode == 0:
            return
    sys.exit("no Ray cluster of two nodes within two minutes")


def measure(rows: int, epochs: int) -> dict[str, list[Fitted]]:
    """Every way twice."""
    data, found = make_table(rows), {}
    found[ALONE] = [fit(data, epochs) for _ in range(2)]
    print(ALONE, found[ALONE], flush=True)
    two = Ranks(processes=2)
    found[HERE_BOTH] = [fit(data, epochs, launcher="torchrun", ranks=two) for _ in range(2)]
    print(HERE_BOTH, found[HERE_BOTH], flush=True)
    address = f"127.0.0.1:{free_port()}"
    ranks = Ranks(processes=1, machines=2, address=address)
    with started([sys.executable, "-m", "kedro", "join", address, "--processes", "1"]):
        found[AGENTS] = [fit(data, epochs, launcher="torchrun", ranks=ranks) for _ in range(2)]
    print(AGENTS, found[AGENTS], flush=True)
    if find_spec("ray") is None:
        print("Ray is not installed: left out")
        return found
    with TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder, ray_cluster(folder) as head:
        ranks = Ranks(processes=1, machines=2, address=head)
        found[RAY] = [fit(data, epochs, launcher="ray", ranks=ranks) for _ in range(2)]
    print(RAY, found[RAY], flush=True)
    return found


def report(found: dict[str, list[Fitted]], rows: int, epochs: int) -> str:
    """The result as Markdown."""
    lines = []
    for name, fits in found.items():
        walls = " and ".join(f"{each.wall:.1f}" for each in fits)
        cpu = "—" if name in (AGENTS, RAY) else " and ".join(f"{each.cpu:.1f}" for each in fits)
        same = "yes" if len({each.weights for each in fits}) == 1 else "no"
        last = fits[-1]
        lines.append([name, walls, cpu, f"{last.log_loss:.6f}", f"{last.auc:.6f}", last.weights, same])
    heads = ["fit", "seconds", "CPU seconds", "log loss", "AUC", "weights", "same bits twice"]
    return f"""# Ranks

{describe(("torch", "ray"))}

One network of the default model on {rows:,} made rows of {COLUMNS} numbers and a category, a fifth of them held out,
{epochs} epochs, without boosting. Each way twice, one after the other; seconds include the start of all processes.
Everything runs on one machine: two agents and two Ray nodes stand for two machines, and gain no speed. CPU seconds are
left out where other process trees have a share.

{table(heads, lines)}
"""


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the table (default 20000)")
    parser.add_argument("--epochs", type=int, default=4, help="passes over them (default 4)")
    parser.add_argument(
        "--output", type=Path, default=HERE / "results" / "ranks.md", help="file of the result"
    )
    options = parser.parse_args()
    text = report(measure(options.rows, options.epochs), options.rows, options.epochs)
    print(text)
    options.output.write_text(text)


if __name__ == "__main__":
    main()
