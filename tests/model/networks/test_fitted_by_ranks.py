"""Networks fitted by ranks, which are processes on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lepton_pipeline.errors import ConfigurationError, LeptonError
from lepton_pipeline.model.folds import Fold, Plan
from lepton_pipeline.model.networks.estimator import TorchNetworks
from lepton_pipeline.model.networks.fit import Spec, fit_together
from lepton_pipeline.model.networks.group import Group
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.model.networks.step import Rows
from lepton_pipeline.model.networks.torchrun import attend
from lepton_pipeline.parameters import Ranks, Training
from lepton_pipeline.system.workers import Call, Session
from lepton_pipeline.tasks.binary import Binary

ROWS = 400
TWO = {"launcher": "torchrun", "ranks": Ranks(processes=2)}
SMALL = {"width": 16, "batch_size": 63, "learning_rate": 1e-2, "epochs": 4, "device": "cpu"}
# Longer than any test waits.
ENDLESS = {"epochs": 10**6, "patience": 10**6}
MINUTE = 60
SHAPE = Shape(numeric=1, category_levels=(5,), members=2, bins=3, embedding=2, layers=1, width=4, dropout=0.0)


def make_rows() -> tuple[pd.DataFrame, np.ndarray, Plan]:
    """Rows whose labels can be learnt, in two folds; there are odd ones over in every part."""
    rng = np.random.default_rng(0)
    features = pd.DataFrame(
        {
            "a": rng.normal(size=ROWS).astype(np.float32),
            "b": rng.normal(size=ROWS).astype(np.float32),
            "c": rng.integers(0, 5, ROWS).astype(np.int32),
        }
    )
    labels = (features["a"] * features["b"] + (features["c"] == 3) > 0.3).to_numpy().astype(np.int8)
    held_out = np.arange(ROWS) % 4 == 0
    folds = [Fold(np.flatnonzero(~part), np.flatnonzero(part)) for part in (held_out, ~held_out)]
    return features, labels, Plan(folds, refit=False)


def fit(on_epoch=None, **changes):
    model = TorchNetworks(Training(**SMALL | changes), Binary())
    scores = model.fit(*make_rows(), on_epoch)
    return model, scores


def descendants(number: int) -> dict[int, list[int]]:
    """Processes below one, with the numbers of their own children."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = {}, [number]
    while waiting:
        each = waiting.pop()
        found[each] = children.get(each, [])
        waiting += found[each]
    return found


def ranks_of(number: int) -> list[int]:
    """The processes of the ranks: torch is loaded there, and they have started none."""
    below = descendants(number)
    return sorted(each for each, own in below.items() if not own and b"spawn_main" in command_of(each))


def command_of(number: int) -> bytes:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def wait_for(condition) -> None:
    for _ in range(10 * MINUTE):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("in vain for a minute")


@pytest.fixture(scope="module")
def together():
    heard = []
    return *fit(heard.append, **TWO, dropout=0.0), heard


def test_two_ranks_learn_what_one_process_does(together):
    """Without dropout, which ranks draw anew, only roundings differ."""
    model, scores, heard = together
    alone, expected = fit(dropout=0.0)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    for name, weights in alone.weights.items():
        np.testing.assert_allclose(model.weights[name], weights, atol=1e-4)
    pd.testing.assert_frame_equal(model.history, alone.history, rtol=1e-4)
    assert [(each.network, each.number) for each in heard] == [
        (network, number) for network in (1, 2) for number in range(1, 5)
    ]
    assert model.trained["ranks"] == 2
    assert "ranks" not in alone.trained


def test_a_rank_that_is_killed_is_said_once_and_all_others_end(capfd):
    def kill(epoch):
        if epoch.number == 2:
            os.kill(ranks_of(os.getpid())[-1], signal.SIGKILL)

    with pytest.raises(LeptonError, match=r"^rank \d \(process \d+\) was ended by SIGKILL.*processes"):
        fit(kill, **TWO, **ENDLESS)
    wait_for(lambda: ranks_of(os.getpid()) == [])
    assert capfd.readouterr() == ("", "")


def test_ranks_start_again_as_declared_with_the_same_bits_and_every_epoch_once(together):
    heard = []

    def kill(epoch):
        heard.append((epoch.network, epoch.number))
        if len(heard) == 2:
            os.kill(ranks_of(os.getpid())[0], signal.SIGKILL)

    ranks = Ranks(processes=2, max_restarts=1)
    model, _ = fit(kill, launcher="torchrun", ranks=ranks, dropout=0.0)
    assert model.weights_sha256 == together[0].weights_sha256
    assert heard == [(each.network, each.number) for each in together[2]]


def test_a_step_smaller_than_the_ranks_is_refused():
    rows = Rows(torch.zeros(9, 1), torch.zeros(9, 1, dtype=torch.int32), torch.zeros(9))
    fold = Fold(np.arange(6), np.arange(6, 9))
    spec = Spec(SHAPE, Binary(), Training(batch_size=2))
    with pytest.raises(ConfigurationError, match=r"a step of 2 rows cannot be divided over 3 ranks"):
        fit_together(spec, rows, [fold], 0, None, Group(0, 3))


def test_ranks_and_their_folder_end_with_an_interrupt(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def stop(epoch):
        assert len(ranks_of(os.getpid())) == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(stop, **TWO, **ENDLESS)
    wait_for(lambda: ranks_of(os.getpid()) == [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ranks_and_their_folder_end_with_the_run(tmp_path, number):
    text = (
        f"import sys; sys.path[:] = {sys.path!r}; from test_fitted_by_ranks import *\n"
        "from lepton_pipeline.system.signals import unwinding\n"
        f"with unwinding(): fit(lambda epoch: open({str(tmp_path / 'epoch')!r}, 'w').close(), **TWO, **ENDLESS)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    run = subprocess.Popen([sys.executable, "-c", text], env=environment, stderr=subprocess.PIPE, text=True)
    wait_for((tmp_path / "epoch").exists)
    below = set(descendants(run.pid)) - {run.pid}
    assert len(ranks_of(run.pid)) == 2
    run.send_signal(number)
    assert run.wait(MINUTE) == (128 + number if number == signal.SIGTERM else -number)
    wait_for(lambda: not any(command_of(each) for each in below))
    wait_for(lambda: [path.name for path in tmp_path.iterdir()] == ["epoch"])
    assert run.stderr.read() == ""
    run.stderr.close()


def test_a_rank_of_another_agent_gives_the_same_bits(together, tmp_path):
    """Two agents meet on the loopback interface, as two machines would."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
    said = []
    with ThreadPoolExecutor(1) as thread:
        with Session() as other:
            joined = thread.submit(other.run, Call(attend, (address, 1, MINUTE, other.folder)), said.append)
            ranks = Ranks(processes=1, machines=2, address=address)
            model, _ = fit(launcher="torchrun", ranks=ranks, dropout=0.0)
            wait_for(lambda: len(said) == 2)
        assert isinstance(joined.exception(), LeptonError)
    assert model.weights_sha256 == together[0].weights_sha256
    assert said == ["joined a fit on 2 machines, device cpu", "the fit is done"]
