"""How good forecasts of weekly demand are, on the invoice lines of retail, beside what one would take instead.

python benchmarks/demand.py --python ../demand-env/bin/python --ours forecasts.parquet
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from demand_measures import PAIRED, Parts, differences, figures_of, parts_of, scales_of, truth_of
from demand_opponents import METHODS, NEEDS, file_of
from demand_table import HORIZON, ORIGINS, Demand, as_array, read_lines, select_sales, sum_weeks
from machine import describe
from overhead import table

HERE = Path(__file__).parent
# The set-up by which figures are compared; a filter that changes it must not go unnoticed.
EXPECTED = {"lines": 1_044_848, "sales lines": 1_014_944, "tested products": 1_810}
SHARES = ("coverage", "bias")


def prepare(raw: Path) -> tuple[Demand, dict[str, float]]:
    """The weekly grid, and what it was made of.

    Raises:
        ValueError: lines or products are other ones than those of the recorded figures.
    """
    lines = read_lines(raw)
    sales = select_sales(lines)
    demand = sum_weeks(sales)
    counts = {"lines": len(lines), "sales lines": len(sales), "tested products": int(demand.tested.sum())}
    if counts != EXPECTED:
        raise ValueError(
            f"{counts} instead of {EXPECTED}; the recorded figures are of these, so check {raw}."
        )
    truth, everything = (truth_of(each, ORIGINS) for each in (demand, demand.with_all_tested()))
    return demand, {
        **counts,
        "products": len(demand.products),
        "share of units": float(truth.sum() / everything.sum()),
        "share of zeros": float(np.mean(truth == 0)),
    }


def forecast(names: Iterable[str], demand: Demand, folder: Path, python: str | None) -> None:
    """Let every method that has no file in `folder` forecast, one after the other, each in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as temporary:
        panel = Path(temporary) / "panel.parquet"
        demand.save(panel)
        for name in names:
            output = folder / file_of(name)
            if output.exists() or (name in NEEDS and python is None):
                continue
            script = [python or sys.executable, str(HERE / "demand_opponents.py"), name]
            subprocess.run([*script, "--panel", str(panel), "--output", str(output)], check=True)
            print(f"{name}: {output}", flush=True)


def measure(files: Mapping[str, Path], ours: Sequence[str], demand: Demand) -> dict[str, Any]:
    """Figures and costs of every file of forecasts, and how far ours are from all others."""
    truth, scales = truth_of(demand, ORIGINS), scales_of(demand, ORIGINS)
    parts: dict[str, dict[str, Parts]] = {}
    methods = {}
    for name, file in files.items():
        parts[name] = parts_of(truth, scales, as_array(demand, pd.read_parquet(file)))
        cost = file.with_suffix(".json")
        methods[name] = {
            **figures_of(parts[name]),
            "by origin": {
                measured: each.by_origin() for measured, each in parts[name].items() if measured in PAIRED
            },
            **(json.loads(cost.read_text()) if cost.exists() else {}),
        }
    apart = {
        name: {
            other: {measured: vars(each) for measured, each in differences(parts[name], parts[other]).items()}
            for other in files
            if other not in ours
        }
        for name in ours
    }
    return {"methods": methods, "differences": apart}


def report(record: Mapping[str, Any]) -> str:
    """The result as Markdown."""
    data, methods = record["data"], record["methods"]
    lines = [
        f"# Demand by product and week\n\n{ABOUT.format(**data, horizon=HORIZON, first=ORIGINS[0], last=ORIGINS[-1])}"
    ]
    lines.append(record["environment"])
    lines.append(_figures(methods))
    lines.append("## WQL by origin, MASE where there are no quantiles\n\n" + _by_origin(methods))
    for name, others in record["differences"].items():
        lines.append(f"## {name} minus others\n\n{_differences(others)}")
    lacking = [name for name in METHODS if name not in methods]
    if lacking:
        lines.append(
            f"Not measured: {', '.join(lacking)}; `--python` names an environment that has their libraries."
        )
    return "\n\n".join(lines) + "\n"


def _figures(methods: Mapping[str, Any]) -> str:
    measures = ("MASE", "WAPE", "WQL", "coverage", "width", "bias")
    costs = {"CPU s": "cpu_seconds", "peak MiB": "peak_mib"}

    def cell(each: Mapping[str, Any], name: str) -> str:
        if name not in each:
            return "—"
        return f"{each[name]:.1%}" if name in SHARES else f"{each[name]:.3f}"

    def cost(each: Mapping[str, Any], name: str) -> str:
        return f"{each[name]:,.0f}" if name in each else "—"

    rows = [
        [name, *(cell(each, kind) for kind in measures), *(cost(each, kind) for kind in costs.values())]
        for name, each in methods.items()
    ]
    return table(["method", *measures, *costs], rows)


def _by_origin(methods: Mapping[str, Any]) -> str:
    rows = []
    for name, each in methods.items():
        kind = "WQL" if "WQL" in each["by origin"] else "MASE"
        rows.append([name, kind, *(f"{value:.3f}" for value in each["by origin"][kind])])
    return table(["method", "measure", *ORIGINS], rows)


def _differences(others: Mapping[str, Any]) -> str:
    def cell(each: Mapping[str, float] | None) -> str:
        return "—" if each is None else f"{each['value']:+.4f} ({each['low']:+.4f} to {each['high']:+.4f})"

    rows = [[name, *(cell(each.get(kind)) for kind in PAIRED)] for name, each in others.items()]
    return table(["other", *PAIRED], rows)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    results = HERE / "results"
    parser.add_argument(
        "--ours",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="forecasts of ours, named after their file",
    )
    parser.add_argument("--only", nargs="*", choices=METHODS, default=list(METHODS), metavar="METHOD")
    parser.add_argument("--python", help="interpreter of the environment that has the other libraries")
    parser.add_argument("--fresh", action="store_true", help="forecast again, also where forecasts are kept")
    parser.add_argument("--raw", type=Path, default=HERE.parent / "data" / "01_raw" / "retail")
    parser.add_argument("--forecasts", type=Path, default=results / "demand", help="where forecasts are kept")
    parser.add_argument("--record", type=Path, default=results / "demand.json", help="file of the figures")
    parser.add_argument("--output", type=Path, default=results / "demand.md", help="file of the report")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Forecast where forecasts lack, measure all of them, write the report."""
    options = parse(arguments)
    demand, data = prepare(options.raw)
    if options.fresh:
        for name in options.only:
            (options.forecasts / file_of(name)).unlink(missing_ok=True)
    forecast(options.only, demand, options.forecasts, options.python)
    others = {name: options.forecasts / file_of(name) for name in METHODS}
    ours = {file.stem: file for file in options.ours}
    files = ours | {name: file for name, file in others.items() if file.exists()}
    record = {
        "environment": describe(("pandas", "numpy")),
        "data": data,
        **measure(files, list(ours), demand),
    }
    options.record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    options.output.write_text(report(record), encoding="utf-8")
    print(report(record))


ABOUT = """\
Online Retail II: {lines:,} invoice lines after repeated invoices were dropped, {sales lines:,} of them sales of
products, summed by week from 2009-11-30 to 2011-12-04. Tested are {tested products:,} of {products:,} products: older
than a year, and with a sale in at least 20 of the 52 weeks to the first origin. They hold {share of units:.0%} of the
units in the test weeks; {share of zeros:.0%} of their weeks have no sale. Six origins four weeks apart, from {first} to
{last}, horizon {horizon} weeks; a method learns again at every origin. All forecasts are whole units.

MASE is the mean error of the median forecast over the product's mean change from week to week, from its first sale to
the origin. WAPE is the sum of errors over units sold. WQL is twice the pinball loss over units sold, mean of the
quantiles .1, .5 and .9. Coverage is that of the range from .1 to .9 (goal: 80 %), width its mean over mean units. Bias
is the sum of median forecasts over units sold, less 1: a median of skewed demand is below its mean. CPU seconds (one
thread) and peak memory are those of a process that forecasts from all origins. Differences below 0 favour the first;
their 95 % intervals draw products and origins, both with replacement."""

if __name__ == "__main__":
    main()
