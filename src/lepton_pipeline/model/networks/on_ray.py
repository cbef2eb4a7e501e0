"""Start ranks by Ray's TorchTrainer, on a cluster that is there."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import torch
from torch import distributed

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.model.networks.ranks import BACKENDS, LOST, Done, Given, Work, fit_by_rank, read_rows
from lepton_pipeline.model.networks.shape import Epoch
from lepton_pipeline.model.networks.step import Rows
from lepton_pipeline.parameters import Ranks
from lepton_pipeline.system.ray_cluster import attached
from lepton_pipeline.system.workers import Report

ADDRESS = "training.ranks.address"
# Of a process that ended without a word.
_DEAD = "actor is dead"


def launch_on_ray(work: Work, folder: Path, report: Report) -> Done:
    """Fit by ranks on the cluster's nodes, which get the rows from Ray's store; every epoch is reported.

    Raises what the ranks raise; a LeptonError if the cluster cannot be used or is too small, or a rank ends more often
    than it may start again.
    """
    # What happens to ranks is said once, by the error; Ray says it at length on its own.
    logging.disable(logging.CRITICAL)
    with Path(os.devnull).open("w", encoding="ascii") as nowhere:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere.fileno(), stream.fileno())
    training, ranks = work.spec.training, work.spec.training.ranks
    with attached(ranks.address, ADDRESS):
        import ray
        from ray.exceptions import RayError
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
        from ray.train.v2.api.exceptions import TrainingFailedError
        from ray.util.queue import Queue

        _require_room(work, ray.cluster_resources())
        rows = ray.put(
            {
                name: None if value is None else value.numpy()
                for name, value in vars(read_rows(folder)).items()
            }
        )
        told = Queue(actor_options={"num_cpus": 0})
        found: list[Done | LeptonError] = []
        hearing = Thread(target=_hear, args=(told, report, found, RayError), daemon=True)
        hearing.start()
        on_cards = work.device == "cuda"
        trainer = TorchTrainer(
            _be_rank,
            train_loop_config={"work": work, "rows": rows, "told": told},
            torch_config=TorchConfig(backend=BACKENDS[work.device], timeout_s=ranks.timeout),
            scaling_config=ScalingConfig(
                num_workers=_count(ranks),
                use_gpu=on_cards,
                resources_per_worker={"CPU": training.threads, **({"GPU": 1} if on_cards else {})},
                placement_strategy="SPREAD" if ranks.machines > 1 else "PACK",
            ),
            run_config=RunConfig(
                storage_path=str(folder), failure_config=FailureConfig(max_failures=ranks.max_restarts)
            ),
        )
        try:
            trainer.fit()
        except TrainingFailedError as error:
            raise _explained(error) from error
        finally:
            # Before this process is no driver any more, which would end it. A queue that is lost has ended the thread.
            with suppress(RayError):
                told.put(None)
            hearing.join()
    (done,) = found
    if isinstance(done, LeptonError):
        raise done
    return done


def _count(ranks: Ranks) -> int:
    return ranks.machines * (ranks.processes or 1)


def _require_room(work: Work, resources: Mapping[str, float]) -> None:
    """Raise a LeptonError where the cluster can never hold all ranks: Ray would wait for it to grow."""
    training = work.spec.training
    count = _count(training.ranks)
    wanted = {"CPU": count * training.threads, "GPU": count if work.device == "cuda" else 0}
    for kind, needed in wanted.items():
        if resources.get(kind, 0) < needed:
            raise LeptonError(
                f"{count} ranks need {needed} {kind}s, but the Ray cluster has {resources.get(kind, 0):g}; start more "
                "nodes, or declare fewer training.ranks.processes or training.ranks.machines."
            )


def _hear(told: Any, report: Report, found: list[Done | LeptonError], lost: type[Exception]) -> None:
    """Report epochs and keep the last result, until None comes or the queue is `lost`."""
    with suppress(lost):
        while (message := told.get()) is not None:
            if isinstance(message, Epoch):
                report(message)
            else:
                found[:] = [message]


def _be_rank(config: Mapping[str, Any]) -> None:
    """Be one of the ranks of the process group that Ray has made; the first tells what was done."""
    told = config["told"]
    card = 0
    if config["work"].device == "cuda":
        from ray.train.torch import get_device

        card = get_device().index
    try:
        done: Done | LeptonError | None = fit_by_rank(
            Given(config["work"], partial(_get_rows, config["rows"])), told.put, card
        )
    except LeptonError as error:
        # All ranks have it in common.
        done = error
    if distributed.get_rank() == 0:
        told.put(done)


def _get_rows(reference: Any) -> Rows:
    """Rows in Ray's store, which ranks of a node share."""
    import ray

    arrays = ray.get(reference)
    with warnings.catch_warnings():
        # They cannot be written, and are not.
        warnings.simplefilter("ignore")
        tensors = {name: None if each is None else torch.from_numpy(each) for name, each in arrays.items()}
    return Rows(**tensors)  # type: ignore[arg-type]  # None only for what may be


def _explained(error: Exception) -> Exception:
    """What a user can do about ranks that ended; a RuntimeError with the traceback where that is nothing.

    `error` has the failures of ranks as `worker_failures`, if any.
    """
    failures: Mapping[int, Exception] = getattr(error, "worker_failures", {})
    again = "train again, or let training.ranks.max_restarts start all ranks anew."
    for rank, failure in failures.items():
        # Ray wraps the error that says so.
        if _DEAD in str(failure):
            return LeptonError(
                f"rank {rank} was ended on the Ray cluster; if its node has no memory for it, declare fewer "
                f"training.ranks.processes. Else {again}"
            )
    for rank, failure in failures.items():
        if any(word in str(failure) for word in LOST):
            return LeptonError(f"rank {rank} lost another rank; {again}")
    return RuntimeError(f"Ray could not train:\n{error}")
