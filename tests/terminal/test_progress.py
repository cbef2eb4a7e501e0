import logging
from math import nan

import pytest

from lepton_pipeline.model.networks.shape import Epoch
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.terminal import progress
from lepton_pipeline.terminal.progress import show_epochs


def epoch(network, number, log_loss=0.5, *, best=True):
    return Epoch(network, number, train_loss=0.6, validation_loss=log_loss, validation_figure=0.75, best=best)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when the test says so."""
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage().strip() for record in caplog.records]


def test_a_log_has_a_line_at_first_and_then_now_and_then(clock, said):
    with show_epochs(Binary.curves) as show:
        for number in range(1, 100):
            clock[0] += 1
            show(epoch(1, number, best=False))
        assert said() == [
            f"network 1  epoch {number:3d}  held-out log loss 0.5000  AUC 0.7500"
            for number in (1, 21, 41, 61, 81)
        ]


def test_its_last_line_sums_all_networks_up(clock, said):
    with show_epochs(Binary.curves) as show:
        show(epoch(1, 1, 0.6))
        show(epoch(1, 2, 0.4))
        show(epoch(1, 3, 0.7, best=False))
        show(epoch(2, 1, 0.5))
    assert said()[1:] == ["2 networks, best epoch 2, 1, held-out log loss 0.4500"]


def test_one_network_is_one(clock, said):
    with show_epochs(Binary.curves) as show:
        show(epoch(1, 7, 0.25))
    assert said()[1:] == ["1 network, best epoch 7, held-out log loss 0.2500"]


def test_a_second_fit_on_all_rows_has_no_held_out_figures(clock, said):
    with show_epochs(Binary.curves) as show:
        show(epoch(1, 4, 0.25))
        clock[0] += 30
        show(Epoch(1, 1, 0.5, nan, nan, best=True))
    assert said()[1:] == [
        "network 1  epoch   1  on all rows, loss 0.5000",
        "1 network, best epoch 4, held-out log loss 0.2500",
    ]


@pytest.mark.parametrize(
    ("task", "figures"),
    [
        (Multiclass("abc"), "held-out log loss 0.5000  accuracy 0.7500 (best)"),
        (Regression(), "held-out squared error 0.5000  absolute error 0.7500 (best)"),
    ],
)
def test_figures_are_named_as_the_task_names_them(clock, said, task, figures):
    with show_epochs(task.curves) as show:
        show(epoch(1, 1))
    assert said()[0] == f"network 1  epoch   1  {figures}"


def test_nothing_is_said_of_nothing(clock, said):
    with show_epochs(Binary.curves):
        pass
    assert said() == []


def test_an_error_inside_passes_through():
    with pytest.raises(ZeroDivisionError), show_epochs(Binary.curves):
        raise ZeroDivisionError


def test_a_terminal_has_a_bar_and_no_log(monkeypatch, capsys, said):
    from rich.console import Console

    monkeypatch.setattr(Console, "is_terminal", True)
    with show_epochs(Binary.curves) as show:
        show(epoch(1, 12, 0.4321))
        show(epoch(2, 5, 0.9, best=False))
    shown = capsys.readouterr().err
    assert "network 2  epoch   5  held-out log loss 0.9000" in shown
    assert said() == []
