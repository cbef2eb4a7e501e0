"""The benchmark's arithmetic, and that its two sides train the same network; nothing is timed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """On a busy machine, further threads would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("loop")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("machine")


def comparison(loop: Any, plain: list[float], ours: list[float]) -> Any:
    return loop.Comparison({"DataLoader": plain, "ours": ours}, {"DataLoader": 0.5, "ours": 0.4999})


def test_ratio_is_that_of_the_medians(loop: Any) -> None:
    assert comparison(loop, [3.0, 90.0, 2.0], [2.0, 1.0, 30.0]).ratio == 1.5


def test_both_sides_are_the_same_network(loop: Any) -> None:
    rows = loop.random_rows(40, columns=6)
    network = loop.perceptron(6, layers=3, width=8)
    ours = network(rows.numeric[None], rows.codes[None])[0]
    plain = loop.sequential(network)
    torch.testing.assert_close(plain(rows.numeric), ours[:, :, 0])
    assert [type(layer).__name__ for layer in plain] == ["Linear", "ReLU"] * 3 + ["Linear"]


def test_sides_do_not_share_weights(loop: Any) -> None:
    network = loop.perceptron(6, layers=1, width=8)
    plain = loop.sequential(network)
    before = network.weights[0].clone()
    with torch.no_grad():
        plain[0].weight.zero_()
    assert torch.equal(network.weights[0], before)


@pytest.mark.parametrize("size", [64, 512])
def test_both_sides_learn_as_much(loop: Any, size: int) -> None:
    rows = loop.random_rows(2_000, columns=6)
    losses = loop.compare(rows, size, epochs=3, layers=2, width=32).losses
    assert max(losses.values()) < 0.69
    assert losses["ours"] == pytest.approx(losses["DataLoader"], abs=0.02)


def test_every_row_is_passed_and_the_last_batch_is_full(loop: Any) -> None:
    rows = loop.random_rows(10, columns=2)
    order = loop.whole_batches(rows, 4, torch.Generator().manual_seed(1))
    assert order.shape == (1, 12)
    assert sorted(order[0, :10].tolist()) == list(range(10))
    assert torch.equal(order[0, 10:], order[0, :2])
    assert loop.whole_batches(rows, 32, torch.Generator()).shape == (1, 32)


def test_sides_take_turns_and_the_first_turn_does_not_count(loop: Any) -> None:
    ran: list[str] = []
    clock = count()

    def side(name: str, ticks: int) -> Any:
        def epoch() -> float:
            ran.append(name)
            for _ in range(ticks + 100 * (ran.count(name) == 1)):
                next(clock)
            return float(len(ran))

        return epoch

    taken = loop.take_turns({"DataLoader": side("a", 5), "ours": side("b", 2)}, 2, lambda: float(next(clock)))
    assert ran == ["a", "b"] * 3
    assert taken.seconds == {"DataLoader": [6.0, 6.0], "ours": [3.0, 3.0]}
    assert taken.ratio == 2
    assert taken.losses == {"DataLoader": 5.0, "ours": 6.0}


def test_table_has_the_verdicts(loop: Any) -> None:
    compared = {256: comparison(loop, [2.7], [2.0]), 4096: comparison(loop, [1.7], [1.0])}
    assert loop.missed(compared) == [4096]
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in loop.comparison_table(compared).splitlines()
    ]
    assert cells[2] == [
        "256",
        "2.70 (2.70 to 2.70)",
        "2.00 (2.00 to 2.00)",
        "1.35",
        "1.35",
        "reached",
        "0.5000 / 0.4999",
    ]
    assert cells[3][3:6] == ["1.70", "1.75", "missed"]


def test_other_batch_sizes_have_no_goal(loop: Any) -> None:
    compared = {128: comparison(loop, [1.0], [2.0])}
    assert loop.missed(compared) == []
    assert "—" in loop.comparison_table(compared)


def test_result_is_printed_and_written(
    loop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "results" / "loop.md"
    arguments = ["loop.py", "--rows", "300", "--epochs", "2", "--batch-sizes", "128", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as stop:
        loop.main()
    assert stop.value.code == 0
    text = output.read_text()
    assert text in capsys.readouterr().out
    assert "300 rows and 50 columns" in text
    assert "of 2 epochs of each side" in text
    assert "| 128 " in text


def test_machine_is_described(machine: Any) -> None:
    first, second = machine.describe(["torch", "no-such-package"], "one card").splitlines()
    assert first.endswith(" GiB, one card;")
    assert " cores, " in first
    assert f"torch {torch.__version__}" in second
    assert "no-such-package" not in second


def test_processor_has_the_name_that_the_kernel_gives(
    machine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "_PROCESSORS", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Abacus 9\nmodel name\t: Abacus 9\n")
    assert ", Abacus 9, " in machine.describe_machine()
    (tmp_path / "cpuinfo").unlink()
    assert "Abacus" not in machine.describe_machine()
