"""Score chunks on the nodes of a Ray cluster, by Ray Data.

Rows are read, and scores written, by the process that has the cluster score them: nodes need neither the files nor the
store of models, only the same code. Rows, columns and errors travel as pickles between the processes of one scoring, as
all that Ray sends; nothing is unpickled from a file.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import lru_cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypedDict
from warnings import catch_warnings, simplefilter

import pandas as pd

from lepton_pipeline.errors import ConfigurationError, LeptonError
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.scoring.chunk import ChunkColumns, score_chunk
from lepton_pipeline.system.logs import silenced
from lepton_pipeline.system.ray_cluster import attached
from lepton_pipeline.tracking.lineage import package_sha256

ADDRESS = "scoring.address"
# Chunks that are handed over together, for each processor of the cluster: few, as they are in memory, but enough for
# the second that it takes to begin with them.
_CHUNKS_A_CPU = 4
# How often a chunk is scored again whose process or node has died.
_RETRIES = 3
# What the last bits of a score depend on, beside this package.
_LIBRARIES = ("numpy", "pandas", "torch")


class Answer(TypedDict):
    """Of a node to a chunk: its Parquet file, else a pickled error of ours, or why the node is unfit."""

    scores: bytes | None
    error: bytes | None
    node: str


@contextmanager
def score_over_ray(
    model: Artefact, columns: ChunkColumns, address: str | None, shadow: Artefact | None = None
) -> Iterator[Callable[[Iterable[pd.DataFrame | None]], Iterator[bytes | None]]]:
    """Yield what scores chunks over the cluster at `address`, see `score_chunk`, and keeps their order.

    A chunk that is None, as it is finished, stays None. Raises as `open_engine`; what a dead node was at work on, Ray
    gives to another one.
    """
    with ExitStack() as stack:
        stack.enter_context(attached(address, ADDRESS))
        import ray
        from ray.data import DataContext

        # It sets its level when it is imported, and logs with a traceback what it raises, too.
        stack.enter_context(silenced("ray.data"))
        cores = int(ray.cluster_resources().get("CPU", 0))
        if not cores:
            raise LeptonError(
                "the Ray cluster has no CPU to score with; start a node with some (--num-cpus)."
            )
        context = DataContext.get_current().copy()
        context.enable_progress_bars = context.print_on_execution_start = False
        context.execution_options.preserve_order = True
        beside = None if shadow is None else ray.put(_packed(shadow))
        work = _work(ray.put(_packed(model)), pickle.dumps(columns), code_facts(), beside)

        def engine(chunks: Iterable[pd.DataFrame | None]) -> Iterator[bytes | None]:
            waiting = iter(chunks)
            while wave := list(islice(waiting, _CHUNKS_A_CPU * cores)):
                if not (unfinished := [each for each in wave if each is not None]):
                    yield from (None for _ in wave)
                    continue
                # A data set keeps the context that it was made in.
                with DataContext.current(context):
                    made = _score_wave(unfinished, work)
                # Left open, it would go on beside the caller's error, and connect to Ray anew.
                stack.enter_context(closing(made))
                yield from (None if each is None else _scores(next(made)) for each in wave)

        yield engine


def _score_wave(chunks: list[pd.DataFrame], work: Callable[[Any], Any]) -> Generator[Answer, None, None]:
    """What nodes answer to some chunks, in their order: Ray Data makes a block and a task of each."""
    import pyarrow as pa
    from ray.data import from_arrow
    from ray.util.annotations import RayDeprecationWarning

    # Frames are pickled here, so that nothing on the way gives their columns other types.
    blocks = [pa.table({"rows": pa.array([pickle.dumps(each)], pa.large_binary())}) for each in chunks]
    with catch_warnings():
        # The option ends with Ray 2.64, before which the extra does; by itself, Ray Data tries for ever.
        simplefilter("ignore", RayDeprecationWarning)
        scored = from_arrow(blocks).map_batches(
            work, batch_size=None, batch_format="pyarrow", max_retries=_RETRIES
        )
    return _answers(scored)


def _answers(scored: Any) -> Generator[Answer, None, None]:
    """Rows of a data set of Ray as soon as they are there."""
    from ray.data.exceptions import SystemException
    from ray.exceptions import RayError, UserCodeException

    try:
        yield from scored.iter_rows()
    except UserCodeException:
        raise
    except (RayError, SystemException) as error:
        first = str(error).strip().partition("\n")[0].rstrip(".")
        raise LeptonError(
            f"the Ray cluster has lost what it was scoring ({type(error).__name__}: {first}). Finished chunks are "
            "kept: see to its nodes and their memory, perhaps with a smaller scoring.chunk_rows, and run the same "
            "command again."
        ) from error


def _scores(found: Answer) -> bytes:
    if found["error"] is not None:
        raise pickle.loads(found["error"])  # noqa: S301  # of our own function
    if found["node"]:
        raise ConfigurationError(
            f"a node of the Ray cluster {found['node']}; install there what this machine has, and run the same "
            "command again."
        )
    return found["scores"] or b""


def _work(model: Any, columns: bytes, code: dict[str, str], shadow: Any = None) -> Callable[[Any], Any]:
    """The function that nodes run on a block; it goes there as a whole, so that a node without this package says so."""

    def work(block: Any) -> Any:
        import pyarrow

        found: Answer = {"scores": None, "error": None, "node": ""}
        try:
            from lepton_pipeline.scoring.over_ray import answer
        except ImportError as error:
            found["node"] = f"cannot import this package ({error})"
        else:
            found = answer(block["rows"][0].as_py(), model, columns, code, shadow)
        binary = pyarrow.large_binary()
        kinds = pyarrow.schema([("scores", binary), ("error", binary), ("node", pyarrow.string())])
        return pyarrow.Table.from_pylist([found], kinds)

    return work


def answer(rows: bytes, model: Any, columns: bytes, code: dict[str, str], shadow: Any = None) -> Answer:
    """What a node makes of the pickled rows of a chunk, with the pickled `ChunkColumns`."""
    own = code_facts()
    differing = [
        f"{name} {own[name][:12]} for {each[:12]}" for name, each in code.items() if own[name] != each
    ]
    if differing:
        return {"scores": None, "error": None, "node": f"has {', '.join(differing)}"}
    try:
        beside = None if shadow is None else _unpacked(shadow)
        scores = score_chunk(pickle.loads(rows), _unpacked(model), pickle.loads(columns), beside)  # noqa: S301  # our own
    except LeptonError as error:
        return {"scores": None, "error": pickle.dumps(error), "node": ""}
    return {"scores": scores, "error": None, "node": ""}


@lru_cache(maxsize=1)
def code_facts() -> dict[str, str]:
    """What has to be equal on all nodes for equal bits: a hash of this package, and versions."""
    return {"lepton_pipeline": package_sha256()} | {name: version(name) for name in _LIBRARIES}


def _packed(model: Artefact) -> dict[str, bytes]:
    """The files of an artefact, by name: parts of it refer to what only this process has opened."""
    with TemporaryDirectory() as folder:
        model.save(Path(folder))
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in Path(folder).rglob("*")
            if path.is_file()
        }


# The model in use, and its shadow.
@lru_cache(maxsize=2)
def _unpacked(model: Any) -> Artefact:
    """The artefact of these packed files in Ray's store; a process reads it once."""
    import ray

    with TemporaryDirectory() as folder:
        for name, content in ray.get(model).items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return Artefact.load(Path(folder))
