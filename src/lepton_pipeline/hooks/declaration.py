"""Check what the verticals declare before anything is loaded."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines

from lepton_pipeline.declaration import find_verticals, read_vertical
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.jobs import Job


class DeclarationHook:
    """Replaces every vertical's parameters by its checked declaration, defaults filled in."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check the verticals of this run; those of others stay as they are, so one broken vertical breaks no other.

        Raises:
            ConfigurationError: what is wrong in the verticals that are to run, one line a key.
        """
        parameters = context.config_loader["parameters"]
        verticals = find_verticals(Path(context.config_loader.conf_source) / "base")
        _refuse_strangers(parameters, verticals)
        # Kedro notes which pipelines a session was asked for, but offers no public reader of it.
        asked = pipelines._requested_pipelines
        wanted = {Job.named(name).vertical for name in asked or ()}
        problems = []
        for vertical in verticals:
            if asked and vertical not in wanted and "__default__" not in asked:
                continue
            try:
                declared = read_vertical(vertical, parameters.get(vertical))
                _require_tables(vertical, list(declared.tables))
                parameters = {**parameters, vertical: declared.model_dump()}
            except ConfigurationError as error:
                problems.append(str(error))
        if problems:
            raise ConfigurationError("\n".join(problems))
        context.config_loader["parameters"] = parameters


def _require_tables(vertical: str, declared: list[str]) -> None:
    """Refuse raw tables that the vertical's ingestion does not read, and the lack of one that it reads."""
    prefix = f"params:{vertical}.tables."
    used = sorted(name.removeprefix(prefix) for name in pipelines[vertical].inputs() if name.startswith(prefix))
    if used == sorted(declared):
        return
    absent, strange = sorted(set(used) - set(declared)), sorted(set(declared) - set(used))
    problem = f"{absent[0]!r} is not declared" if absent else f"{strange[0]!r} is read by nothing"
    reads = ", ".join(used) or "no raw table by name"
    raise ConfigurationError(f"{vertical}.tables: {problem}; the ingestion of this vertical reads {reads}.")


def _refuse_strangers(parameters: dict[str, Any], verticals: list[str]) -> None:
    """Refuse a top key that is no vertical: whoever wrote it expects it to have an effect."""
    for key in parameters:
        if key not in verticals:
            close = get_close_matches(key, verticals, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigurationError(
                f"{key}: no such vertical; {hint}the top key of a parameters file is the name of its folder, "
                f"one of {', '.join(verticals)}."
            )
