"""What needs no Ray; benchmarks/ranks.py fits on a cluster."""

from __future__ import annotations

from queue import Queue
from types import SimpleNamespace

import pytest

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.model.networks import on_ray
from lepton_pipeline.model.networks.fit import Spec
from lepton_pipeline.model.networks.ranks import Work
from lepton_pipeline.model.networks.shape import Epoch
from lepton_pipeline.parameters import Ranks, Training

RANKS = Ranks(processes=2, machines=3, address="127.0.0.1:6379")


def work(device="cpu"):
    return Work(Spec(None, None, Training(launcher="ray", ranks=RANKS, threads=2)), [], device)


def test_a_cluster_that_is_too_small_is_said_before_ray_waits_for_it_to_grow():
    on_ray._require_room(work(), {"CPU": 12.0})
    with pytest.raises(
        LeptonError, match=r"6 ranks need 12 CPUs, but the Ray cluster has 11; start more nodes"
    ):
        on_ray._require_room(work(), {"CPU": 11.0, "GPU": 6.0})
    with pytest.raises(LeptonError, match="6 ranks need 6 GPUs, but the Ray cluster has 0"):
        on_ray._require_room(work("cuda"), {"CPU": 12.0})


def test_epochs_are_reported_and_the_last_result_counts():
    told, heard, found = Queue(), [], []
    epoch = Epoch(1, 1, 0.5, 0.5, 0.7, best=True)
    for each in (epoch, ([], 2), epoch, ([], 3), None):
        told.put(each)
    on_ray._hear(told, heard.append, found, KeyError)
    assert heard == [epoch, epoch]
    assert found == [([], 3)]


def test_a_queue_that_is_lost_ends_what_is_heard():
    def lose():
        raise KeyError

    found = []
    on_ray._hear(SimpleNamespace(get=lose), print, found, KeyError)
    assert found == []


GLOO = RuntimeError("[gloo/transport/tcp/pair.cc:537] Read error: Connection reset by peer")
DEAD = RuntimeError("A worker health check failed.\\nThe actor is dead because its worker process has died.")


@pytest.mark.parametrize(
    ("failures", "kind", "words"),
    [
        ({0: GLOO, 1: DEAD}, LeptonError, "rank 1 was ended on the Ray cluster"),
        ({0: GLOO}, LeptonError, "rank 0 lost another rank; train again"),
        ({1: KeyError(7)}, RuntimeError, "Ray could not train:"),
        ({}, RuntimeError, "Ray could not train:"),
    ],
)
def test_a_rank_that_was_killed_is_the_cause_of_what_others_felt_on_ray(failures, kind, words):
    error = RuntimeError("errors of workers")
    if failures:
        error.worker_failures = failures
    found = on_ray._explained(error)
    assert type(found) is kind
    assert words in str(found)
