"""What is said of ranks that fail, and how agents find one another; fits are in test_fitted_by_ranks."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import distributed
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from lepton_pipeline.errors import ConfigurationError, DivergedError, LeptonError
from lepton_pipeline.model.folds import Fold
from lepton_pipeline.model.networks import ranks as ranks_module
from lepton_pipeline.model.networks import torchrun
from lepton_pipeline.model.networks.fit import Spec
from lepton_pipeline.model.networks.ranks import Given, Work
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.model.networks.step import Rows
from lepton_pipeline.model.networks.torchrun import Agent, Fit, attend
from lepton_pipeline.parameters import Training
from lepton_pipeline.tasks.binary import Binary

FIT = Fit("first", machines=2, max_restarts=0, timeout=2, device="cpu", threads=1)
SHAPE = Shape(numeric=1, category_levels=(5,), members=2, bins=3, embedding=2, layers=1, width=4, dropout=0.0)


@pytest.fixture
def address() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


@pytest.fixture
def _as_a_rank(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0, "TORCHELASTIC_RESTART_COUNT": 0}.items():
        monkeypatch.setenv(name, str(value))
    yield
    assert not distributed.is_initialized()


def work(**changes) -> Given:
    training = Training(**{"batch_size": 4, "epochs": 2, "precision": "fp32", **changes})
    rows = Rows(torch.zeros(9, 1), torch.zeros(9, 1, dtype=torch.int32), torch.arange(9) % 2.0)
    groups = [[Fold(np.arange(6), np.arange(6, 9))]] * 2
    return Given(Work(Spec(SHAPE, Binary(), training), groups, "cpu"), lambda: rows)


def failure(tmp_path, exitcode, said=None, stack="the traceback", **more):
    file = tmp_path / f"{exitcode}-{len(list(tmp_path.iterdir()))}"
    if said is not None:
        message = {"message": said, "extraInfo": {"py_callstack": stack, "timestamp": "7"}}
        file.write_text(json.dumps({"message": message}))
    return ProcessFailure(local_rank=0, pid=4711, exitcode=exitcode, error_file=str(file))


@pytest.mark.usefixtures("_as_a_rank")
def test_a_rank_reports_every_epoch_and_returns_what_was_fitted(tmp_path):
    heard = []
    epochs = SimpleNamespace(send=heard.append)
    fitted, size = torchrun._be_rank(work(), epochs, FIT, str(tmp_path))
    assert (len(fitted), size) == (2, 1)
    assert [(each.network, each.number) for each in heard] == [(1, 1), (1, 2), (2, 1), (2, 2)]


@pytest.mark.usefixtures("_as_a_rank")
def test_an_error_that_all_ranks_have_keeps_its_kind(tmp_path):
    found = torchrun._be_rank(work(batch_size=4, learning_rate=1e38), None, FIT, str(tmp_path))
    assert type(found) is DivergedError
    assert str(found).startswith("training diverged")


def test_a_rank_that_was_killed_is_the_cause_of_what_others_felt(tmp_path):
    failures = {
        0: failure(tmp_path, 1, "RuntimeError: gloo: Connection closed by peer"),
        1: failure(tmp_path, -9),
    }
    found = torchrun._explained(failures)
    assert isinstance(found, LeptonError)
    assert "rank 1 (process 4711) was ended by SIGKILL" in str(found)
    assert "training.ranks.max_restarts" in str(found)


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("RuntimeError: Connection closed by peer [10.0.0.6]:4711", LeptonError, "rank 3 lost another rank"),
        ("OutOfMemoryError: CUDA out of memory", LeptonError, "lower training.batch_size"),
        ("KeyError: 7", RuntimeError, "rank 3 failed with exit code 1:\nthe traceback"),
    ],
)
def test_what_a_rank_failed_with_is_said(tmp_path, said, kind, words):
    found = torchrun._explained({3: failure(tmp_path, 1, said)})
    assert type(found) is kind
    assert words in str(found)


def test_other_machines_that_do_not_come_are_said(address, tmp_path, monkeypatch):
    monkeypatch.setattr(logging, "disable", lambda level: None)
    logging.getLogger("torch.distributed.elastic.rendezvous.dynamic_rendezvous").setLevel(logging.CRITICAL)
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    store = torchrun._open_store(address, FIT)
    with pytest.raises(
        LeptonError, match=rf"fewer than 2 machines .*within 2 seconds: run kedro join {address}"
    ):
        Agent(FIT, address, 1, tmp_path).run(None, None)
    del store


def test_an_address_that_is_none_or_taken_cannot_be_opened(address):
    with pytest.raises(
        LeptonError, match=r"'no\.such\.host\.invalid:29400' cannot be opened on this machine"
    ):
        torchrun._open_store("no.such.host.invalid:29400", FIT)
    with (
        socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))),
        pytest.raises(LeptonError, match=r"Address already in use\); name an address .* a port that is free"),
    ):
        torchrun._open_store(address, FIT)


def test_a_fit_is_found_where_it_is_offered(address, tmp_path):
    host, _, port = address.rpartition(":")
    assert torchrun._find_fit(host, int(port)) is None
    assert attend(address, 1, 1, tmp_path, print) == 0
    store = torchrun._open_store(address, FIT)
    assert torchrun._find_fit(host, int(port)) == FIT
    del store


def test_ranks_without_a_number_are_as_many_as_cores_allow(tmp_path, monkeypatch):
    monkeypatch.setattr(torchrun, "allowed_cores", lambda: 9)
    four = Fit("first", 1, 0, 2, "cpu", threads=2)
    assert Agent(four, None, None, tmp_path)._config().nproc_per_node == 4
    assert Agent(four, None, 3, tmp_path)._config().nproc_per_node == 3


def test_ranks_of_one_machine_exchange_over_the_loopback_interface(tmp_path):
    assert Agent(FIT, None, 1, tmp_path)._interface() == "lo"
    assert torchrun._interface_of("192.0.2.1") is None


def gathered(monkeypatch, *others):
    """Let ranks of other machines say this of themselves."""

    def gather(found, own):
        found[:] = [own, *(ranks_module._Facts(**{**vars(own), **each}) for each in others)]

    monkeypatch.setattr(distributed, "all_gather_object", gather)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 1 + len(others))
    monkeypatch.setattr(distributed, "get_rank", lambda: 0)


def test_the_first_rank_with_work_is_the_source(monkeypatch):
    gathered(monkeypatch, {"device": "cpu"}, {"device": "cpu"}, {})
    group, lacking = ranks_module._meet(None, 0)
    assert (group.rank, group.size, group.source, lacking) == (0, 4, 1, [0, 3])


def test_other_code_is_refused_by_the_name_of_its_machine(monkeypatch):
    gathered(monkeypatch, {"device": None, "host": "second", "code": "0b1f with torch 1.0"})
    with pytest.raises(
        ConfigurationError, match=r"^second has code 0b1f with torch 1\.0, but .*same release"
    ):
        ranks_module._meet(work(), 0)


def test_too_few_cards_are_refused(monkeypatch):
    given = work()
    given = Given(Work(given.work.spec, given.work.groups, "cuda"), given.read)
    gathered(monkeypatch, {"host": "second", "card": 1, "cards": 1})
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigurationError, match=r"^second has 1 CUDA cards, too few for rank 2 there"):
        ranks_module._meet(given, 0)


@pytest.mark.parametrize("numbers", [0, 5])
def test_rows_are_sent_whole_in_blocks(monkeypatch, numbers):
    sent = []
    monkeypatch.setattr(ranks_module, "_MOST_NUMBERS", 4)
    monkeypatch.setattr(distributed, "new_group", lambda members, backend: members)
    monkeypatch.setattr(
        distributed, "broadcast", lambda block, src, group: sent.append((block.clone(), group))
    )
    rows = Rows(torch.arange(2.0 * numbers).view(2, numbers), torch.zeros(2, 1), torch.ones(2))
    source = ranks_module.Group(0, 1)
    assert ranks_module._send_rows(rows, source, [1, 2]) == rows
    assert {tuple(group) for _, group in sent} == {(0, 1, 2)}
    assert max(len(block) for block, _ in sent) <= 4
    assert torch.cat([block for block, _ in sent]).tolist() == [*range(2 * numbers), 0, 0, 1, 1]
