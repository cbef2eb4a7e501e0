"""How near an epoch on a CUDA card comes to what the card could do at best, and how far ahead of plain loops it is.

For a multilayer perceptron of 3 x 512 units and for the default model's network, on a random table of 1,000,000 x 50:
milliseconds an epoch, rows a second and the share of the roofline (see `roofline.py`), whose rates are those of a copy
and of a bf16 matrix product measured on the same card; beside it the same steps without a captured graph, and a plain
`DataLoader` loop that trains the same network in the same precision.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from gpu_tables import EAGER, GRAPH, LOADER, LOADER_ROWS, Measured, goals, report, result_table
from loop import random_rows, whole_batches
from overhead import HERE
from roofline import Card, epoch_work
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lepton_pipeline.model.networks import defaults
from lepton_pipeline.model.networks.network import Network, find_architecture
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.model.networks.step import Rows, Step
from lepton_pipeline.parameters import Training
from lepton_pipeline.system.device import choose_precision, reproducible
from lepton_pipeline.tasks.binary import Binary

COLUMNS = 50
MODELS = {"MLP 3x512": Training(model="mlp", layers=3, width=512, dropout=0), "default": Training()}
BATCH_SIZES = (4096, 8192, 16384, 32768, 65536, 131072)
_COPY_BYTES, _PRODUCT_SIZE = {"cuda": 2**30, "cpu": 2**22}, {"cuda": 8192, "cpu": 256}
Epoch = Callable[[], object]


class Bench:
    """Measures on one device.

    Args:
        device: "cuda" or "cpu".
        precision: of matrix products, resolved.
        rows: of the table.
        epochs: timed ones of each way.
    """

    def __init__(self, device: str, precision: str, rows: int, epochs: int) -> None:
        self.device, self.precision, self.epochs = device, precision, epochs
        self._host = random_rows(rows, COLUMNS)
        self._rows = Rows(
            *(part.to(device) for part in (self._host.numeric, self._host.codes, self._host.targets))
        )

    @property
    def number_bytes(self) -> int:
        """Of a number in a matrix product."""
        return 2 if self.precision == "bf16" else 4

    def card(self) -> Card:
        """Measure what the device does at most."""
        source = torch.ones(_COPY_BYTES[self.device], dtype=torch.uint8, device=self.device)
        copy = torch.empty_like(source)
        bandwidth = 2 * len(source) / self._best(lambda: copy.copy_(source))
        size = _PRODUCT_SIZE[self.device]
        dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
        left, right = (torch.randn(size, size, device=self.device, dtype=dtype) for _ in range(2))
        rate = 2 * size**3 / self._best(lambda: left @ right)
        name = torch.cuda.get_device_name() if self.device == "cuda" else "no card, a CPU"
        return Card(name, bandwidth, rate)

    def measure(self, model: str, batch_size: int) -> Measured:
        """Time all ways, each with a network of its own from the same weights."""
        training = MODELS[model].model_copy(update={"precision": self.precision})
        shape = network_shape(training, COLUMNS)
        parameters = sum(value.numel() for value in find_architecture(training.model)(shape).parameters())
        rows = len(self._rows.targets)
        ways: dict[str, Callable[[], float]] = {
            GRAPH: lambda: self._time_steps(training, shape, batch_size),
            EAGER: lambda: self._time_steps(
                training.model_copy(update={"cuda_graph": False}), shape, batch_size
            ),
            LOADER: lambda: self._time_loader(training, shape, batch_size),
        }
        seconds = {name: self._or_none(way) for name, way in ways.items()}
        work = epoch_work(training.model, shape, parameters, rows, batch_size, self.number_bytes)
        return Measured(model, batch_size, rows, COLUMNS, seconds, work)

    def _time_steps(self, training: Training, shape: Shape, batch_size: int) -> float:
        step = Step(self._network(training, shape), Binary(), self._rows, training, batch_size)
        generator = torch.Generator(self.device).manual_seed(0)

        def epoch() -> None:
            step.run(whole_batches(self._rows, batch_size, generator)).tolist()

        return median(self._seconds(epoch, self.epochs))

    def _time_loader(self, training: Training, shape: Shape, batch_size: int) -> float:
        batches = max(1, min(LOADER_ROWS, len(self._host.targets)) // batch_size)
        epoch = loader_epoch(self._network(training, shape), self._host, training, batch_size, batches)
        passed = min(batches * batch_size, len(self._host.targets))
        return min(self._seconds(epoch, 2)) * len(self._host.targets) / passed

    def _network(self, training: Training, shape: Shape) -> Network:
        torch.manual_seed(0)
        network = find_architecture(training.model)(shape)
        network.fit_inputs(self._host.numeric[:100_000])
        return network.to(self.device)

    def _or_none(self, way: Callable[[], float]) -> float | None:
        try:
            return way()
        except torch.OutOfMemoryError:
            pass
        # Outside the handler: what its traceback holds on to would still fill the card.
        torch.cuda.empty_cache()
        return None

    def _best(self, operation: Epoch, runs: int = 10) -> float:
        return min(self._seconds(lambda: [operation() for _ in range(10)], runs)) / 10

    def _seconds(self, epoch: Epoch, runs: int) -> list[float]:
        """Wall time of each run after a first that is not counted."""
        seconds = []
        for _ in range(runs + 1):
            self._wait()
            started = perf_counter()
            epoch()
            self._wait()
            seconds.append(perf_counter() - started)
        return seconds[1:]

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def network_shape(training: Training, columns: int) -> Shape:
    """The shape that a table of so many numbers gets."""
    return Shape(
        numeric=columns,
        category_levels=(),
        members=training.members,
        bins=training.bins,
        embedding=training.embedding or defaults.embedding(columns),
        layers=training.layers,
        width=training.width,
        dropout=training.dropout,
    )


def loader_epoch(network: Network, rows: Rows, training: Training, batch_size: int, batches: int) -> Epoch:
    """The first batches of an epoch as a plain loop over rows of the host passes them, the loss fetched every step."""
    loader = DataLoader(
        TensorDataset(rows.numeric, rows.codes, rows.targets), batch_size=batch_size, shuffle=True
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    loss_of = nn.BCEWithLogitsLoss()
    device = network.device

    def epoch() -> float:
        network.train()
        total = 0.0
        for batch in islice(loader, batches):
            numeric, codes, labels = (part.to(device) for part in batch)
            optimizer.zero_grad()
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=training.precision == "bf16"):
                logits = network(numeric[None], codes[None])[0].squeeze(2)
            loss = loss_of(logits.float(), labels[:, None].expand(logits.shape))
            torch.autograd.backward(loss)
            optimizer.step()
            total += loss.item()
        return total / batches

    return epoch


def main() -> None:
    """Measure, print, write the result; exit code 1 where a goal is missed, 2 where there is no card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table (default 1,000,000)")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=list(BATCH_SIZES), help="rows a step")
    parser.add_argument("--epochs", type=int, default=7, help="timed epochs (default 7)")
    parser.add_argument("--precision", choices=("auto", "fp32", "tf32", "bf16"), default="auto")
    parser.add_argument(
        "--device", choices=("cuda", "cpu"), default="cuda", help="cpu: to try the code, not to measure"
    )
    parser.add_argument(
        "--output", type=Path, help="file of the result (default results/gpu.md; on a CPU none)"
    )
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print(
            f"torch {torch.__version__} sees no CUDA card, so there is nothing to measure; "
            "try the code with --device cpu --rows 2000 --batch-sizes 256",
            file=sys.stderr,
        )
        sys.exit(2)
    precision = choose_precision(options.precision, options.device)
    with reproducible(0, 1, options.device, precision):
        bench = Bench(options.device, precision, options.rows, options.epochs)
        card = bench.card()
        measured = []
        for model in MODELS:
            for batch_size in options.batch_sizes:
                measured.append(bench.measure(model, batch_size))
                print(f"{result_table(measured[-1:], card)}\n", flush=True)
    text = report(measured, card, options.epochs, precision)
    output = options.output or (HERE / "results" / "gpu.md" if options.device == "cuda" else None)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text)
    print(f"\n{text}")
    sys.exit(not all(goals(measured, card).values()))


if __name__ == "__main__":
    main()
