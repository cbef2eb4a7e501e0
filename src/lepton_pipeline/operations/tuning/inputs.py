"""What a search needs of a vertical: its declaration, and its encoded rows, made once and in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.framework.project import pipelines

from lepton_pipeline.data.fingerprint import fingerprint
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.backfill.steps import OF_THE_POLICY
from lepton_pipeline.operations.retraining.steps import open_context, run_node
from lepton_pipeline.operations.tuning.rows import Rows, divide_rows
from lepton_pipeline.operations.tuning.space import Space
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.tracking import lineage

_KEY_CHARACTERS = 12


class Inputs:
    """A vertical as a search reads it; `params` are those of the command line.

    Raises ConfigurationError with a line for each wrong key.
    """

    def __init__(self, project: Path, env: str | None, vertical: str, params: Mapping[str, Any]) -> None:
        self._vertical = vertical
        context = open_context(project, env, vertical, params)
        self._catalog = context.catalog
        self.mlflow = context.config_loader["mlflow"]
        self.declared: Vertical = read_vertical(vertical, context.params[vertical])
        self._data = ""

    def rows(self) -> Rows:
        """Run the vertical's training up to its encoded rows, and divide them; nothing is written.

        Raises DataError where the raw data cannot be used or break a contract, SplitError where too few rows are left.
        """
        made: Mapping[str, Any] = {}
        for node in pipelines[self._vertical].to_outputs(self._name("encoded")).nodes:
            made = {**made, **run_node(node, made, self._catalog)}
        table, encoded, split, target = (
            made[self._name(name)] for name in ("feature_table", "encoded", "split", "target")
        )
        self._data = fingerprint(table).sha256
        return divide_rows(table, encoded, split, target, self.declared.dataset, self.declared.split)

    def key(self, space: Space) -> str:
        """Name of the study: the same for the same rows, declaration, space and code, so that trials compare."""
        declared = self.declared.model_dump(mode="json")
        rest = {key: each for key, each in declared.items() if key not in OF_THE_POLICY}
        parts = {
            "declaration": rest,
            "data": self._data,
            "code": lineage.package_sha256(),
            "space": repr(space),
        }
        return f"{self._vertical}-{lineage.sha256(parts)[:_KEY_CHARACTERS]}"

    def _name(self, name: str) -> str:
        return f"{self._vertical}.{name}"


def refuse_untunable(vertical: str, declared: Vertical) -> None:
    """Raise ConfigurationError where the loss of rows is not what the model is for."""
    if declared.recommendation is not None:
        raise ConfigurationError(
            f"{vertical} recommends items: its model is judged by how it ranks the items of a customer, which the loss "
            "of single pairs does not measure; tune it by hand, with kedro run and kedro compare."
        )


def refuse_overridden(vertical: str, declared: Vertical, in_file: Vertical) -> None:
    """Raise ConfigurationError where `--apply` would edit a training that is not the one tried."""
    if declared.training != in_file.training:
        raise ConfigurationError(
            f"--apply: {vertical}.training is overridden by --params or --env, so conf/base/{vertical}/parameters.yml "
            "declares another one than would be tuned; leave out the override, or --apply."
        )
