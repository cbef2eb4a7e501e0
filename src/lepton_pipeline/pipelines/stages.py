"""Pipelines of stages that are named after their functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline


def stages(
    tag: str, *wired: tuple[Callable[..., Any], list[str] | dict[str, str], str | list[str]]
) -> Pipeline:
    """Wire functions with their inputs and outputs as tagged nodes."""
    return Pipeline([Node(*each, name=each[0].__name__) for each in wired], tags=tag)
