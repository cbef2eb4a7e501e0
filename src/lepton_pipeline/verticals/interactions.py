"""From interactions of customers with items to a vertical's table of pairs."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from lepton_pipeline.recommendation.interactions import read_interactions
from lepton_pipeline.recommendation.pairs import make_pairs
from lepton_pipeline.verticals.raw_tables import finish_table, raw_table


def single_table(name: str) -> Pipeline:
    """From the raw table `name`, one row an interaction, to the vertical's table of pairs."""
    return Pipeline([raw_table(name), pair_table(f"checked_{name}")])


def pair_table(source: str) -> Pipeline:
    """Turn the data set `source`, one row an interaction, into the vertical's table of pairs."""
    declared = ["params:recommendation", "params:dataset", "params:split"]
    return Pipeline(
        [
            Node(read_interactions, [source, declared[0]], "interactions", name="read_interactions"),
            Node(make_pairs, ["interactions", *declared], "pairs", name="make_pairs"),
            finish_table("pairs"),
        ]
    )
