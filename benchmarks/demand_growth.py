"""How the cost of a forecast grows with the series: the vertical retail_demand on shares of its products.

python benchmarks/demand_growth.py

Each share is forecast from the last origin of `demand.py` by `demand_ours.py`, in a process of its own: rows, fit and
forecasts, not the reading of the invoice lines.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from demand_table import ORIGINS
from machine import describe
from overhead import table

HERE = Path(__file__).parent
SHARES = (0.125, 0.25, 0.5, 1.0)


def measure(share: float) -> dict[str, float]:
    """What `demand_ours.py` says of a share of the products: `series`, `rows`, `peak_mib`, `cpu_seconds`."""
    with TemporaryDirectory() as folder:
        output = Path(folder, "forecasts.parquet")
        options = ["--output", str(output), "--origins", ORIGINS[-1], "--share", str(share)]
        subprocess.run([sys.executable, str(HERE / "demand_ours.py"), *options], check=True)
        cost = json.loads(output.with_suffix(".json").read_text())
        seconds = cost["cpu_seconds"] - cost["reading_cpu_seconds"]
        return {name: cost[name] for name in ("series", "rows", "peak_mib")} | {"cpu_seconds": seconds}


def report(measured: Sequence[dict[str, float]]) -> str:
    """A table by number of rows, and the exponents of growth."""
    rows = [[f"{each[name]:,.0f}" for name in measured[0]] for each in measured]
    first, last = measured[0], measured[-1]
    cpu, memory = (
        np.log(last[name] / first[name]) / np.log(last["rows"] / first["rows"])
        for name in ("cpu_seconds", "peak_mib")
    )
    lines = [
        "# Growth of the cost of demand",
        "",
        "retail_demand at one origin, on shares of its products: from a table of invoice lines to forecasts.",
        "",
        describe(["pandas", "torch"]),
        "",
        table(["series", "rows", "peak MiB", "CPU s"], rows),
        "",
        f"Exponent of growth with the rows: {cpu:.2f} of CPU seconds, {memory:.2f} of memory. The default fits fewer",
        "networks and faster trees where rows are many, and each stops by its held-out loss.",
        "",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every share, and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="of the products, ascending")
    parser.add_argument("--output", type=Path, default=HERE / "results/demand_growth.md")
    options = parser.parse_args(arguments)
    text = report([measure(share) for share in options.shares])
    options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
