"""The arithmetic of the roofline, the tables, and all code paths of the benchmark, tiny on a CPU; nothing is timed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from lepton_pipeline.model.networks.members import Members
from lepton_pipeline.model.networks.perceptron import Perceptron
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.system.device import choose_precision

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
# Small numbers that are all different, so that a factor too many or too few shows.
MLP = Shape(numeric=5, category_levels=(), members=1, bins=1, embedding=1, layers=3, width=7, dropout=0)
MEMBERS = Shape(numeric=5, category_levels=(), members=3, bins=4, embedding=2, layers=2, width=7, dropout=0)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """On a busy machine, further threads would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.fixture
def gpu() -> Any:
    return import_module("gpu")


@pytest.fixture
def tables() -> Any:
    return import_module("gpu_tables")


@pytest.fixture
def roofline() -> Any:
    return import_module("roofline")


def counted_operations(shape: Shape, architecture: type[Perceptron | Members], rows: int) -> int:
    """Operations of a step as torch counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    network = architecture(shape)
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(
            network(torch.ones(1, rows, shape.numeric), torch.empty(1, rows, 0).int()).sum()
        )
    return int(counter.get_total_flops())


def test_operations_of_a_perceptron(roofline: Any) -> None:
    work = roofline.epoch_work("mlp", MLP, parameters=0, rows=11, batch_size=4, number_bytes=2)
    # Forwards and for the weights; for the inputs of all layers but the first.
    assert work.operations == 11 * 2 * (2 * (5 * 7 + 7 * 7 + 7 * 7 + 7) + (7 * 7 + 7 * 7 + 7))
    assert work.operations == counted_operations(MLP, Perceptron, 11)


def test_operations_of_the_default_model(roofline: Any) -> None:
    work = roofline.epoch_work("default", MEMBERS, parameters=0, rows=11, batch_size=4, number_bytes=2)
    embedding, first, hidden, output = 5 * 5 * 2, 10 * 21, 3 * 7 * 7, 3 * 7
    assert work.operations == 11 * 2 * (2 * embedding + 3 * (first + hidden + output))
    # Torch computes the output layer element by element and does not count it.
    assert work.operations - 11 * 2 * 3 * output == counted_operations(MEMBERS, Members, 11)


def test_a_million_rows_of_a_large_perceptron(roofline: Any) -> None:
    shape = Shape(50, (), members=1, bins=1, embedding=1, layers=3, width=512, dropout=0)
    work = roofline.epoch_work(
        "mlp", shape, parameters=551_937, rows=1_000_000, batch_size=65_536, number_bytes=2
    )
    assert work.operations == pytest.approx(3.25e12, rel=0.01)
    assert work.moved == pytest.approx(33.5e9, rel=0.02)


def test_bytes_of_products(roofline: Any) -> None:
    work = roofline.epoch_work("mlp", MLP, parameters=0, rows=10, batch_size=4, number_bytes=2)
    numbers = 2 * (5 + 7) + 3 * (7 + 7) + 3 * (7 + 7) + 3 * (7 + 1)
    gathered = 2 * 4 * (5 + 1) + 3 * 8
    assert work.moved_fused == 10 * (2 * numbers + gathered)
    assert work.moved - work.moved_fused == 10 * 2 * 5 * 3 * 7


def test_bytes_between_the_products_of_the_default_model(roofline: Any) -> None:
    def between(dropout: float) -> float:
        shape = Shape(5, (), members=3, bins=4, embedding=2, layers=2, width=7, dropout=dropout)
        work = roofline.epoch_work("default", shape, parameters=0, rows=10, batch_size=10, number_bytes=4)
        return float(work.moved - work.moved_fused) / 10 / 4

    assert between(0) == 5 * 2 * 3 * 7 + 5 * 5
    assert between(0.2) - between(0) == 4 * 2 * 3 * 7 + 3 * 2 * 7


@pytest.mark.parametrize(("number_bytes", "fused", "separate"), [(2, 38, 58), (4, 44, 52)])
def test_parameters_are_moved_in_every_step(
    roofline: Any, number_bytes: int, fused: int, separate: int
) -> None:
    def moved(parameters: int) -> Any:
        return roofline.epoch_work("mlp", MLP, parameters, rows=9, batch_size=4, number_bytes=number_bytes)

    assert moved(100).moved_fused - moved(0).moved_fused == 3 * 100 * fused
    assert moved(100).moved - moved(0).moved == 3 * 100 * separate
    assert moved(100).operations == moved(0).operations


def test_least_time_is_that_of_the_scarcer(roofline: Any) -> None:
    card = roofline.Card("a card", bandwidth=10.0, rate=100.0)
    assert card.least_seconds(roofline.Work(operations=500, moved=40, moved_fused=20)) == 5
    assert card.least_seconds(roofline.Work(operations=500, moved=80, moved_fused=20)) == 8
    assert card.least_seconds(roofline.Work(operations=500, moved=80, moved_fused=60), fused=True) == 6


def test_what_is_not_counted_is_refused(roofline: Any) -> None:
    with pytest.raises(ValueError, match="'linear' are not known"):
        roofline.products("linear", MLP)
    categories = Shape(5, (3, 4), members=1, bins=1, embedding=1, layers=3, width=7, dropout=0)
    with pytest.raises(ValueError, match="this one has 2 categories"):
        roofline.epoch_work("mlp", categories, 0, 10, 4, 2)


def measured(
    tables: Any, roofline: Any, graph: float | None, loader: float | None, batch_size: int = 4096
) -> Any:
    seconds = {tables.GRAPH: graph, tables.EAGER: 0.02, tables.LOADER: loader}
    work = roofline.Work(operations=4e12, moved=24e9, moved_fused=12e9)
    return tables.Measured("MLP", batch_size, 1_000_000, 50, seconds, work)


def test_shares_and_goals(tables: Any, roofline: Any) -> None:
    card = roofline.Card("a card", bandwidth=4e12, rate=800e12)
    small = measured(tables, roofline, 0.012, 0.3)
    large = measured(tables, roofline, 0.008, 0.12, 65_536)
    assert small.share(card) == pytest.approx(0.5)
    assert small.share(card, fused=True) == pytest.approx(0.005 / 0.012)
    assert small.ahead == pytest.approx(25)
    assert list(tables.goals([small], card).values()) == [False, True]
    assert list(tables.goals([large], card).values()) == [True, False]
    assert list(tables.goals([small, large], card).values()) == [True, True]
    assert "MLP: 75% of the roofline (goal: at least 60%)" in tables.goals([small, large], card)
    line = tables.result_table([large], card).splitlines()[2]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells == ["MLP", "65,536", "8.00", "125.00", "75 %", "62 %", "20.00", "120", "15.0x"]


def test_batch_beyond_the_memory_of_the_card_is_left_out(tables: Any, roofline: Any) -> None:
    card = roofline.Card("a card", bandwidth=4e12, rate=800e12)
    none = measured(tables, roofline, None, None)
    assert (none.share(card), none.ahead) == (None, None)
    assert tables.result_table([none], card).count("—") == 6
    assert list(tables.goals([none], card).values()) == [False, False]


def test_lack_of_memory_is_no_end(gpu: Any) -> None:
    bench = gpu.Bench("cpu", "fp32", 64, 1)

    def too_large() -> float:
        raise torch.OutOfMemoryError

    assert bench._or_none(too_large) is None
    assert bench._or_none(lambda: 2.0) == 2.0


def test_plain_loop_trains_the_same_network(gpu: Any) -> None:
    training = gpu.MODELS["default"].model_copy(update={"precision": "fp32", "dropout": 0.0})
    rows = gpu.random_rows(256, 5)
    torch.manual_seed(0)
    network = Members(gpu.network_shape(training, 5))
    network.fit_inputs(rows.numeric)
    epoch = gpu.loader_epoch(network, rows, training, batch_size=32, batches=8)
    losses = [epoch() for _ in range(4)]
    assert losses[-1] < losses[0]
    assert network.training


def test_all_paths_run_on_a_cpu(
    gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "gpu.md"
    arguments = ["gpu.py", "--device", "cpu", "--rows", "300", "--batch-sizes", "128", "--epochs", "1"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--output", str(output)])
    with pytest.raises(SystemExit) as stop:
        gpu.main()
    # The goals are a card's.
    assert stop.value.code == 1
    text = output.read_text()
    assert text in capsys.readouterr().out
    lines = [line for line in text.splitlines() if line.startswith(("| MLP 3x512 |", "| default   |"))]
    assert len(lines) == 2
    assert not any("—" in line for line in lines)
    assert "no card, a CPU" in text
    assert not torch.are_deterministic_algorithms_enabled()


def test_no_card_is_said_in_one_line(
    gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    output = tmp_path / "gpu.md"
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--output", str(output)])
    with pytest.raises(SystemExit) as stop:
        gpu.main()
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "sees no CUDA card" in said.err
    assert not output.exists()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA card")
def test_card_is_measured(gpu: Any) -> None:
    bench = gpu.Bench("cuda", choose_precision("auto", "cuda"), 20_000, 2)
    card = bench.card()
    assert card.rate > card.bandwidth > 1e9
    measured = bench.measure("default", 1024)
    assert all(seconds is not None and seconds > 0 for seconds in measured.seconds.values())
    # A share above 1 would mean that the work is overstated.
    assert 0 < measured.share(card) <= 1.05
