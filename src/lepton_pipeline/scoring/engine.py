"""Where chunks are scored: in this process, or on the nodes of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pandas as pd

from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.parameters import Scoring
from lepton_pipeline.scoring.chunk import ChunkColumns, score_chunk
from lepton_pipeline.scoring.over_ray import ADDRESS, score_over_ray
from lepton_pipeline.system.ray_cluster import check_cluster

# Typed rows of a chunk, or None if it is finished; to Parquet files in their order, or None for such a chunk.
Engine = Callable[[Iterable[pd.DataFrame | None]], Iterator[bytes | None]]


def check_engine(scoring: Scoring) -> None:
    """Raise as `check_cluster` if the declared engine cannot be there, before any work is done for it."""
    if scoring.engine == "ray":
        check_cluster(scoring.address, ADDRESS)


@contextmanager
def open_engine(
    model: Artefact, columns: ChunkColumns, scoring: Scoring, shadow: Artefact | None = None
) -> Iterator[Engine]:
    """Open the declared engine; both give the same bytes, see `score_chunk`.

    Raises, when opened or at work, ConfigurationError if Ray, an address or a node cannot be used, LeptonError if the
    cluster cannot be reached or loses what it works on, DataError if the model cannot read a row.
    """
    if scoring.engine == "ray":
        with score_over_ray(model, columns, scoring.address, shadow) as engine:
            yield engine
        return
    yield lambda chunks: (
        None if each is None else score_chunk(each, model, columns, shadow) for each in chunks
    )
