"""Hooks around a Kedro run; imported late, since Kedro builds them for `kedro --help` as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

    from lepton_pipeline.evaluation.decision import GateDecision


class ProjectHooks:
    """All hooks of the project, in their order."""

    def __init__(self) -> None:
        self._run: Any = None

    @property
    def decisions(self) -> dict[str, GateDecision]:
        """The gate's decisions of this process, by vertical."""
        return self._run.decisions if self._run else {}

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check the declarations; see `DeclarationHook`."""
        from lepton_pipeline.hooks.declaration import DeclarationHook
        from lepton_pipeline.hooks.run import RunHook

        self._context, self._declaration = context, DeclarationHook()
        self._run = self._run or RunHook()
        self._run.after_context_created(context)
        self._declaration.after_context_created(context)

    @hook_impl
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Fix present and input before runs are opened and their parameters recorded; see `RunHook`."""
        from lepton_pipeline.hooks.declaration import keep_embeddings, replace_scoring_input

        # What nodes that the runner leaves out have made must stay.
        self._keep = bool(run_params.get("only_missing_outputs"))
        self._declaration.before_pipeline_run(run_params, pipeline, catalog)
        replace_scoring_input(self._context, pipeline, catalog)
        keep_embeddings(self._context, pipeline, catalog)
        self._run.before_pipeline_run(run_params, pipeline, catalog)

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Start the clock of a stage."""
        self._run.before_node_run(node)

    # For a stage that loads nothing.
    before_node_run = before_dataset_loaded

    @hook_impl
    def after_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Remove what the new results of this node make stale, before they are written."""
        from lepton_pipeline.hooks.run import remove_stale

        if not self._keep:
            remove_stale(node, catalog)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Record what the catalog marks for MLflow."""
        self._run.after_dataset_saved(dataset_name, data, node)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """End the runs as FINISHED and print the summary of each."""
        self._run.after_pipeline_run()

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """End the runs as FAILED."""
        self._run.on_pipeline_error(error)
