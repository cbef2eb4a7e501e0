"""From raw tables to features, for both training and monitoring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline

from lepton_pipeline.data.contracts.contract import check_contract, enforce_contract
from lepton_pipeline.features.derive import derive_all, derive_features
from lepton_pipeline.pipelines import ingestion


def create_pipeline(vertical: str, *, labelled: bool) -> Pipeline:
    """Ingestion, contract and derived features of one vertical, without a namespace.

    `labelled`: whether to keep only rows with a known label.
    """
    contract = stages(
        "contract",
        (
            check_contract,
            "table params:dataset params:contract params:features",
            "contract_result quarantine data_docs",
        ),
        (enforce_contract, "table quarantine contract_result params:contract", "clean_table"),
    )
    derived = Node(
        derive_features if labelled else derive_all,
        ["clean_table", "params:dataset", "params:features"],
        "feature_table",
        name="derive_features",
        tags="features",
    )
    return Pipeline(ingestion.create_pipeline(vertical), tags="ingestion") + contract + Pipeline([derived])


def stages(tag: str, *wired: tuple[Callable[..., Any], str, str]) -> Pipeline:
    """Wire functions with the names of their inputs and outputs as tagged nodes, named after the functions."""
    return Pipeline(
        [
            Node(
                function,
                inputs.split(),
                outputs.split() if " " in outputs else outputs,
                name=function.__name__,
            )
            for function, inputs, outputs in wired
        ],
        tags=tag,
    )
