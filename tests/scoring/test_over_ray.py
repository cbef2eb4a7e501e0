"""Scoring on a cluster of two Ray nodes on this machine; skipped where Ray is not installed."""

from __future__ import annotations

import os
import signal
from contextlib import closing

import pandas as pd
import pytest
from test_score import AGE, contract, files, run
from test_score import artefact as artefact

from lepton_pipeline.errors import DataError, LeptonError
from lepton_pipeline.scoring import over_ray

os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
ray = pytest.importorskip("ray")
pytestmark = [
    # Ray leaves sockets and processes to the system.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
]


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with a processor each, which only this machine reaches."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Else Ray takes the address of a network, on any system but these.
        patch.setattr("ray._private.ray_constants.ENABLE_RAY_CLUSTER", False)
        node = {"num_cpus": 1, "object_store_memory": 100 << 20}
        found = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
        found.add_node(**node)
        yield found
        found.shutdown()


@pytest.fixture
def rows():
    return pd.DataFrame(
        {"id": [f"c{row}" for row in range(40)], "age": range(20, 60), "city": ["Oslo", "Rome"] * 20}
    )


def test_files_are_those_of_one_process(cluster, artefact, rows, tmp_path):
    rows.loc[30:34, "age"] = 7
    agreed = contract(AGE | {"on_failure": "quarantine"}, max_quarantined=0.5)
    before = signal.getsignal(signal.SIGTERM)
    # A chunk of five rows is quarantined as a whole.
    options = {"chunk_rows": 5, "reasons": 2, "reasons_for": "all"}
    scores, _, record = run(files(rows), artefact, tmp_path / "here", agreed, **options)
    options |= {"engine": "ray", "address": cluster.address}
    _, _, there = run(files(rows), artefact, tmp_path / "there", agreed, **options)
    for name in ("scores.parquet", "quarantine.parquet"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
    assert scores["input_row"].tolist() == [row for row in range(40) if not 30 <= row <= 34]
    assert there.mean_score == record.mean_score
    assert not ray.is_initialized()
    assert signal.getsignal(signal.SIGTERM) == before


def test_it_resumes_what_one_process_has_finished(cluster, artefact, rows, tmp_path, monkeypatch):
    _, _, record = run(files(rows), artefact, tmp_path / "whole", chunk_rows=10)
    sent = []
    wave = over_ray._score_wave

    def killed(chunks, work):
        sent.append([each.index[0] for each in chunks])
        with closing(wave(chunks, work)) as found:
            yield next(found)
            raise KeyboardInterrupt

    options = {"chunk_rows": 10, "engine": "ray", "address": cluster.address}
    with monkeypatch.context() as patch:
        patch.setattr(over_ray, "_score_wave", killed)
        with pytest.raises(KeyboardInterrupt):
            run(files(rows), artefact, tmp_path / "killed", **options)
    assert len(list((tmp_path / "killed/chunks").glob("chunk-*.parquet"))) == 1
    assert not (tmp_path / "killed/scores.parquet").exists()

    def watched(chunks, work):
        sent.append([each.index[0] for each in chunks])
        return wave(chunks, work)

    monkeypatch.setattr(over_ray, "_score_wave", watched)
    run(files(rows), artefact, tmp_path / "killed", **options)
    assert sent == [[0, 10, 20, 30], [10, 20, 30]]
    assert (tmp_path / "killed/scores.parquet").read_bytes() == (
        tmp_path / "whole/scores.parquet"
    ).read_bytes()
    assert record.scored == 40


def test_an_error_of_the_rows_is_that_of_one_process(cluster, artefact, rows):
    with (
        over_ray.score_over_ray(
            artefact, over_ray.ChunkColumns(3, ["id"], 0, "all"), cluster.address
        ) as score,
        pytest.raises(DataError, match="reads column 'age', which is not in the table"),
    ):
        list(score([rows.drop(columns="age")]))


@pytest.mark.parametrize("dies", ["once", "always"])
def test_a_worker_that_dies(cluster, artefact, rows, tmp_path, monkeypatch, dies):
    work, flag = over_ray._work, tmp_path / "died"

    def dying(model, columns, code):
        whole = work(model, columns, code)

        def die(block):
            if dies == "always" or not flag.exists():
                flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return whole(block)

        return die

    monkeypatch.setattr(over_ray, "_work", dying)
    options = {"chunk_rows": 40, "engine": "ray", "address": cluster.address}
    if dies == "once":
        scores, _, _ = run(files(rows), artefact, tmp_path / "there", **options)
        assert scores["probability"].tolist() == artefact.predict(rows)["probability"].tolist()
        return
    with pytest.raises(
        LeptonError, match=r"lost what it was scoring \(WorkerCrashedError.* run the same command"
    ):
        run(files(rows), artefact, tmp_path / "there", **options)
    assert not list((tmp_path / "there/chunks").glob("chunk-*.parquet"))
    assert not (tmp_path / "there/scores.parquet").exists()
    assert not ray.is_initialized()
