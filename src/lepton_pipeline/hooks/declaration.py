"""Validate the verticals' declarations before anything is loaded."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from lepton_pipeline.datasets import RawTableDataset
from lepton_pipeline.errors import ConfigurationError, did_you_mean
from lepton_pipeline.parameters import MODELS, Vertical, utc_text
from lepton_pipeline.parameters.jobs import MONITORING, QUERY, SCORING, TRAINING, Job
from lepton_pipeline.project.declaration import find_verticals, read_vertical, require_known
from lepton_pipeline.project.slice import sliced
from lepton_pipeline.system.ray_cluster import check_cluster

# Embeddings of texts, by encoder.
EMBEDDINGS = Path("data/04_feature/.embeddings")
# Records with the present at which a job's table was read.
_RECORDS = {TRAINING: "ingestion_record", MONITORING: f"{MONITORING}.ingestion_record"}


class DeclarationHook:
    """Replaces every vertical's parameters by its validated declaration, with defaults and present."""

    def after_context_created(self, context: KedroContext) -> None:
        """Validate the verticals of this run only, so that a broken one affects no other.

        Raises ConfigurationError with all errors, one line a key.
        """
        self._context, self._by_clock = context, set[str]()
        clock = utc_text(datetime.now(UTC))
        verticals = find_verticals(Path(context.config_loader.conf_source) / "base")
        # Kedro notes which pipelines a session was asked for, but offers no public reader of it.
        asked = pipelines._requested_pipelines
        wanted = {Job.named(name).vertical for name in asked or ()}
        for name in sorted(wanted - {"__default__"}):
            require_known(name, verticals)
        parameters = context.config_loader["parameters"]
        if unknown := [key for key in parameters if key not in verticals]:
            raise ConfigurationError(
                f"{unknown[0]}: no such vertical; {did_you_mean(unknown[0], verticals)}"
                f"the top key of a parameters file is the name of its folder, one of {', '.join(verticals)}."
            )
        problems = []
        for vertical in verticals:
            if asked and vertical not in wanted and "__default__" not in asked:
                continue
            try:
                declared = sliced(read_vertical(vertical, parameters.get(vertical)), os.environ)
                _require_tables(vertical, list(declared.tables))
                _require_query(vertical, declared.sql, declared.query)
                _require_network(vertical, declared.training.model)
                if declared.training.launcher == "ray" and asked and _trains(vertical, asked):
                    check_cluster(declared.training.ranks.address, f"{vertical}.training.ranks.address")
                declared = _with_encoder(vertical, declared, asked)
                if declared.dataset.known_at is None:
                    self._by_clock.add(vertical)
                plain, known_at = declared.model_dump(), declared.dataset.known_at
                # The moment at which labels are known: as declared, else now.
                plain["dataset"]["present"] = clock if known_at is None else known_at
                if declared.sql is not None:
                    # The node of the query takes this parameter even if it is empty.
                    plain["query"] = declared.query
                parameters = {**parameters, vertical: plain}
            except ConfigurationError as error:
                problems.append(str(error))
        if problems:
            raise ConfigurationError("\n".join(problems))
        context.config_loader["parameters"] = parameters

    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Keep the present of the run that made the table, where this run resumes from it."""
        parameters = dict(self._context.config_loader["parameters"])
        remade = set() if run_params.get("only_missing_outputs") else pipeline.all_outputs()
        for job in sorted({Job.of(node) for node in pipeline.nodes}):
            name = f"{job.vertical}.{_RECORDS.get(job.purpose, '')}"
            record = catalog.get(name) if job.purpose in _RECORDS and name not in remade else None
            if job.vertical not in self._by_clock or record is None or not record.exists():
                continue
            # Older records have none.
            if (present := record.load().present) is None:
                continue
            dataset, own = f"params:{job.vertical}.dataset", parameters[job.vertical]
            catalog.save(dataset, catalog.load(dataset).model_copy(update={"present": present}))
            parameters |= {job.vertical: {**own, "dataset": {**own["dataset"], "present": present}}}
        self._context.config_loader["parameters"] = parameters


def replace_scoring_input(context: KedroContext, pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Replace the entry `scoring_input` of every scored vertical that declares `scoring.input`."""
    jobs = {Job.of(node) for node in pipeline.nodes}
    for vertical in sorted(job.vertical for job in jobs if job.purpose == SCORING):
        declared = context.config_loader["parameters"][vertical]["scoring"]["input"]
        if declared is not None:
            path = declared if "://" in declared else str(context.project_path / Path(declared).expanduser())
            catalog[f"{vertical}.scoring_input"] = RawTableDataset(filepath=path)


def keep_embeddings(context: KedroContext, pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Say where the trainings of this run find and keep embeddings of texts; that is no part of a declaration."""
    for job in sorted({Job.of(node) for node in pipeline.nodes}):
        name = f"params:{job.vertical}.features"
        if job.purpose == TRAINING and name in pipeline.inputs():
            features = catalog.load(name)
            if features.text is not None and features.text.encoder is not None:
                cache = {"cache": str(context.project_path / EMBEDDINGS)}
                text = features.text.model_copy(update=cache)
                catalog.save(name, features.model_copy(update={"text": text}))


def _with_encoder(vertical: str, declared: Vertical, asked: Collection[str] | None) -> Vertical:
    """Note the hash of a declared encoder of sentences; refuse one that a training of this run lacks."""
    text, features = declared.features.text, declared.features
    if text is None or text.encoder is None or not _trains(vertical, asked):
        return declared
    from lepton_pipeline.features.sentences import check_encoder

    try:
        _, found = check_encoder(text.encoder, text.sha256)
    except ConfigurationError as error:
        raise ConfigurationError(f"{vertical}.{error}") from error
    features = features.model_copy(update={"text": text.model_copy(update={"sha256": found})})
    return declared.model_copy(update={"features": features})


def _trains(vertical: str, asked: Collection[str] | None) -> bool:
    """Whether a training may be among the pipelines that are asked for, None for any."""
    return not asked or bool({vertical, "__default__"} & {*asked})


def _require_network(vertical: str, name: str) -> None:
    """Refuse a network of one's own that cannot be trained, before any row is read."""
    if name not in MODELS:
        from lepton_pipeline.model.networks.network import check_architecture

        try:
            check_architecture(name)
        except ConfigurationError as error:
            raise ConfigurationError(f"{vertical}.{error}") from error


def _require_tables(vertical: str, declared: list[str]) -> None:
    """Refuse declared raw tables that ingestion does not read, and undeclared ones that it reads."""
    prefix = f"params:{vertical}.tables."
    used = {name.removeprefix(prefix) for name in pipelines[vertical].inputs() if name.startswith(prefix)}
    absent, strange = sorted(used - set(declared)), sorted(set(declared) - used)
    if not absent and not strange:
        return
    problem = f"{absent[0]!r} is not declared" if absent else f"{strange[0]!r} is not read"
    reads = ", ".join(sorted(used)) or "no raw table by name"
    raise ConfigurationError(f"{vertical}.tables: {problem}; the ingestion of this vertical reads {reads}.")


def _require_query(vertical: str, text: str | None, given: Collection[str]) -> None:
    """Refuse a query that is invalid, absent, or not run by anything."""
    if (f"params:{vertical}.sql" in pipelines[vertical].inputs()) != (text is not None):
        absent = "is absent, but makes the table of this vertical" if text is None else "is not read"
        raise ConfigurationError(
            f"conf/base/{vertical}/{QUERY} {absent}: put it beside parameters.yml there, or remove it; a vertical "
            f"whose module has no query_table cannot have one."
        )
    if text is None and given:
        raise ConfigurationError(
            f"{vertical}.query.{next(iter(given))}: nothing reads it without a {QUERY} beside parameters.yml."
        )
    if text is not None:
        from lepton_pipeline.data import sql

        sql.check_query(text, f"{vertical}/{QUERY}", given)
