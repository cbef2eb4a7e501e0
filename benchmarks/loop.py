"""What our training step saves: CPU seconds of an epoch of a multilayer perceptron, against a plain DataLoader loop.

Both sides train the same network from the same weights on the same random table, each epoch on one thread: ours by
`model.step.Step`, which gathers the rows of a batch from tensors; the plain one as tutorials write it, a `DataLoader`
over a `TensorDataset`, `nn.Sequential` and AdamW.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time

import torch
from machine import describe
from overhead import HERE, table
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lepton_pipeline.model.networks.perceptron import Perceptron
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.model.networks.step import Rows, Step
from lepton_pipeline.parameters import Training
from lepton_pipeline.tasks.binary import Binary

COLUMNS, LAYERS, WIDTH = 50, 3, 256
# By batch size: CPU seconds of the plain loop over ours.
GOALS = {256: 1.35, 4096: 1.75}
TRAINING = Training(model="mlp", layers=LAYERS, width=WIDTH, dropout=0, learning_rate=1e-3, precision="fp32")
Side = Callable[[], float]


@dataclass(frozen=True)
class Comparison:
    """Epochs of both sides with one batch size.

    Attributes:
        seconds: of processor time, one entry an epoch, by side.
        losses: mean training loss of the last epoch, by side.
    """

    seconds: dict[str, list[float]]
    losses: dict[str, float]

    @property
    def ratio(self) -> float:
        """Median of the plain loop over the median of ours."""
        return median(self.seconds["DataLoader"]) / median(self.seconds["ours"])


def random_rows(rows: int, columns: int = COLUMNS) -> Rows:
    """A table of standard normal numbers, whose label depends on the first of them and on noise."""
    generator = torch.Generator().manual_seed(0)
    numeric = torch.randn(rows, columns, generator=generator)
    labels = (numeric[:, 0] + torch.randn(rows, generator=generator) > 0).float()
    return Rows(numeric, torch.empty(rows, 0, dtype=torch.int32), labels)


def perceptron(columns: int, layers: int, width: int) -> Perceptron:
    """Our network; always the same weights."""
    torch.manual_seed(0)
    return Perceptron(
        Shape(columns, (), members=1, bins=1, embedding=1, layers=layers, width=width, dropout=0)
    )


def sequential(network: Perceptron) -> nn.Sequential:
    """The same layers with the same weights as one would write them."""
    layers: list[nn.Module] = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        layer = nn.Linear(weight.shape[1], weight.shape[2])
        with torch.no_grad():
            layer.weight.copy_(weight[0].T)
            layer.bias.copy_(bias[0, 0])
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def our_epoch(network: Perceptron, rows: Rows, batch_size: int) -> Side:
    """An epoch as `model.fit` runs it; returns the mean loss."""
    step = Step(network, Binary(), rows, TRAINING, batch_size)
    generator = torch.Generator(rows.targets.device).manual_seed(0)
    return lambda: float(step.run(whole_batches(rows, batch_size, generator)))


def whole_batches(rows: Rows, batch_size: int, generator: torch.Generator) -> Tensor:
    """A permutation of the rows that begins anew until the last batch is full, [1, steps * batch_size]."""
    count = len(rows.targets)
    order = torch.randperm(count, generator=generator, device=rows.targets.device)
    length = -(-count // batch_size) * batch_size
    return order.repeat(-(-length // count))[None, :length]


def plain_epoch(network: nn.Module, rows: Rows, batch_size: int) -> Side:
    """An epoch of a plain loop; returns the mean loss of its batches."""
    loader = DataLoader(TensorDataset(rows.numeric, rows.targets), batch_size=batch_size, shuffle=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=TRAINING.weight_decay)
    loss_of = nn.BCEWithLogitsLoss()

    def epoch() -> float:
        network.train()
        total = 0.0
        for numeric, labels in loader:
            optimizer.zero_grad()
            loss = loss_of(network(numeric).squeeze(1), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total / len(loader)

    return epoch


def compare(rows: Rows, batch_size: int, epochs: int, layers: int = LAYERS, width: int = WIDTH) -> Comparison:
    """Let the sides take turns, an epoch each; the first of each is not counted."""
    network = perceptron(rows.numeric.shape[1], layers, width)
    sides = {
        "DataLoader": plain_epoch(sequential(network), rows, batch_size),
        "ours": our_epoch(network, rows, batch_size),
    }
    return take_turns(sides, epochs)


def take_turns(sides: Mapping[str, Side], epochs: int, now: Callable[[], float] = process_time) -> Comparison:
    """Run one epoch of each side after the other, `epochs` times after a first that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    losses: dict[str, float] = {}
    for _ in range(epochs + 1):
        for name, epoch in sides.items():
            started = now()
            losses[name] = epoch()
            seconds[name].append(now() - started)
    return Comparison({name: each[1:] for name, each in seconds.items()}, losses)


def missed(compared: Mapping[int, Comparison]) -> list[int]:
    """The batch sizes whose goal is not reached."""
    return [size for size, each in compared.items() if each.ratio < GOALS.get(size, 0)]


def comparison_table(compared: Mapping[int, Comparison]) -> str:
    """One line a batch size."""
    rows = []
    for size, each in compared.items():
        goal = GOALS.get(size)
        verdict = "" if goal is None else "missed" if size in missed(compared) else "reached"
        cells = [_spread(each.seconds[name]) for name in ("DataLoader", "ours")]
        losses = " / ".join(f"{each.losses[name]:.4f}" for name in ("DataLoader", "ours"))
        rows.append([f"{size:,}", *cells, f"{each.ratio:.2f}", f"{goal or '—'}", verdict, losses])
    return table(["rows a step", "DataLoader", "ours", "ratio", "goal", "verdict", "losses at the end"], rows)


def report(compared: Mapping[int, Comparison], rows: int) -> str:
    """The result as Markdown."""
    epochs = len(next(iter(compared.values())).seconds["ours"])
    return f"""# What the training step saves

CPU seconds of one epoch over a random table of {rows:,} rows and {COLUMNS} columns: a multilayer perceptron of
{LAYERS} hidden layers with {WIDTH} units, AdamW, one thread.

{describe(["torch", "numpy"])}

Median (lowest to highest) of {epochs} epochs of each side, in turn; the first ones are not counted. Both sides begin
with the same weights.

{comparison_table(compared)}
"""


def _spread(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


def main() -> None:
    """Measure, print, write the result; exit code 1 where a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=7, help="timed epochs of each side (default 7)")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the table (default 100,000)")
    parser.add_argument(
        "--batch-sizes", type=int, nargs="+", default=list(GOALS), help="rows a step (default 256 4096)"
    )
    parser.add_argument(
        "--output", type=Path, default=HERE / "results" / "loop.md", help="file of the result"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = random_rows(options.rows)
    compared: dict[int, Comparison] = {}
    for size in options.batch_sizes:
        compared[size] = compare(rows, size, options.epochs)
        print(f"{size:6,} rows a step  ratio {compared[size].ratio:.2f}", flush=True)
    text = report(compared, options.rows)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text)
    print(f"\n{text}")
    sys.exit(bool(missed(compared)))


if __name__ == "__main__":
    main()
