"""What MLflow runs to serve a registered model; a copy of this file lies in every model version.

MLflow runs the copy before any other file of the version when it saves or loads a model; the package, as it
was at training, lies beside it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import torch  # noqa: F401  # not below, where nothing is read from Python's caches
import yaml
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

# MLflow runs a copy of this file, under another name.
logger = logging.getLogger("lepton_pipeline.serving")
_CHECKER = "code/lepton_pipeline/system/file_hashes.py"
_PARAMS: dict[str, Any] = {"reasons": 0, "unseen": False}
_LOGGED_COLUMNS = 5
# Most categories compared in search of a cause, to keep requests fast.
_COMPARED = 100


@contextmanager
def _only_source() -> Iterator[None]:
    """Import only what the version's hash covers: no Python cache is read or written."""
    before = sys.pycache_prefix, sys.dont_write_bytecode
    sys.pycache_prefix, sys.dont_write_bytecode = os.devnull, True
    try:
        yield
    finally:
        sys.pycache_prefix, sys.dont_write_bytecode = before


def _require_whole(folder: Path) -> None:
    """Refuse a version whose files differ from its record, before any other file of it is run."""
    if not (folder / "MLmodel").exists():
        return
    gone = [name for name in ("files.json", _CHECKER) if not (folder / name).is_file()]
    recorded = {} if gone else json.loads((folder / "files.json").read_text("utf-8"))
    if gone:
        altered = f"{gone[0]} is missing"
    elif hashlib.sha256((folder / _CHECKER).read_bytes()).hexdigest() != recorded.get(_CHECKER):
        altered = f"{_CHECKER} was altered"
    else:
        spec = importlib.util.spec_from_file_location("lepton_file_hashes", folder / _CHECKER)
        checker = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]  # the file is there
        spec.loader.exec_module(checker)  # type: ignore[union-attr]  # as above
        altered = checker.find_altered(folder)
    if altered:
        raise RuntimeError(f"the registered model was altered: {altered}; restore its files, or train again")


with _only_source():
    _require_whole(Path(__file__).parent)
    from lepton_pipeline.errors import DataError, LeptonError
    from lepton_pipeline.features.unseen import UnseenCounts
    from lepton_pipeline.model.artefact import BASKET, Artefact
    from lepton_pipeline.parameters import Ingestion, Scoring
    from lepton_pipeline.serving.request_log import FOLDER, RequestLog
    from lepton_pipeline.serving.requests import one_line, read_request, rows_of, take_requests


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow is untyped
    """Raw rows in, predictions out."""

    reads_requests = True
    log: RequestLog | None = None

    def load_context(self, context: Any) -> None:
        """Read the artefact and score one row, so that the first request finds everything loaded."""
        with _only_source():
            self.artefact = Artefact.load(Path(context.artifacts["artefact"]))
        if self.artefact.encoder.sentences is not None:
            import sentence_transformers  # noqa: F401  # likewise not below
        with _only_source():
            self._score(pd.DataFrame([self.artefact.reference]), {"reasons": 1, "unseen": True})
        self.log = self._open_log(Path(__file__).parent)
        take_requests()

    def _open_log(self, version: Path) -> RequestLog | None:
        """The log of served rows, where the environment names a folder and the version declares what to keep."""
        folder, weights = os.environ.get(FOLDER, ""), self.artefact.predictor.weights_sha256
        if not folder:
            return None
        if self.artefact.logged is None:
            logger.warning(
                "%s is set, but the model was trained without dataset.served_log, which says what may be kept; "
                "nothing is logged",
                FOLDER,
            )
            return None
        return RequestLog(Path(folder), self.artefact.logged, _version_number(version), weights)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Score rows and return the columns of `Task.predictions`, indexed as the input.

        `model_input` is a frame, a list of dictionaries or a dictionary of columns. `params` may ask for
        `reasons` (how many per row; default 0) and `unseen` ("code = 1.0; city = Atlantis", values that no
        training row had), each of which adds its column. Raises MlflowException, with one line, if rows or
        parameters cannot be used.
        """
        try:
            return self._score(rows_of(model_input), params)
        except LeptonError as error:
            raise mlflow.MlflowException(one_line(error), error_code=INVALID_PARAMETER_VALUE) from error

    def answer(self, body: bytes, content_type: str) -> pd.DataFrame:
        """Score the rows of a request, see `read_request`; raises LeptonError if they cannot be used."""
        kept = self.artefact.raw_values
        return self._score(*read_request(body, content_type, Ingestion() if kept is None else kept.ingestion))

    def _score(self, sent: pd.DataFrame, params: Any) -> pd.DataFrame:
        count, unseen = _asked(params)
        if self.artefact.recommender is not None and BASKET in sent:
            return self.artefact.offer(sent)
        rows = self.artefact.read(sent)
        scored = self.artefact.predict(rows)
        if self.log is not None:
            self.log.add(sent, rows, scored)
        counts = self.artefact.unseen_counts()
        _log_unseen(counts, rows)
        asked = {"reasons": self.artefact.reasons(rows, count)} if count else {}
        if unseen:
            asked["unseen"] = counts.of_rows(rows)
        return scored.assign(**asked)


def _asked(params: Any) -> tuple[int, bool]:
    asked = {} if params is None else params
    if not isinstance(asked, dict) or not set(asked) <= set(_PARAMS):
        raise DataError("params must be an object with no other keys than reasons and unseen.")
    count, unseen = (default if asked.get(key) is None else asked[key] for key, default in _PARAMS.items())
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise DataError(f"the parameter reasons is {count!r}; give the number of reasons wanted, 0 for none.")
    if not isinstance(unseen, bool):
        raise DataError(f"the parameter unseen is {unseen!r}; give true or false.")
    return count, unseen


def _version_number(folder: Path) -> int | None:
    """The number of a version that was loaded from the registry, which MLflow writes beside it."""
    meta = folder / "registered_model_meta"
    found = yaml.safe_load(meta.read_text("utf-8")) if meta.is_file() else None
    number = found.get("model_version") if isinstance(found, dict) else None
    return int(str(number)) if str(number).isdecimal() else None


def _log_unseen(counts: UnseenCounts, rows: pd.DataFrame) -> None:
    """Warn of values that no training row had; a server still scores them."""
    counts.add_given(rows)
    counts.add_derived(rows)
    share = Scoring().unseen_share
    found = [each for each in counts.found(_COMPARED) if each.certain]
    found.sort(key=lambda each: not each.is_surprising(share))
    if found:
        more = f"; and {len(found) - _LOGGED_COLUMNS} more columns" if len(found) > _LOGGED_COLUMNS else ""
        stops = "; batch scoring would stop" if found[0].is_surprising(share) else ""
        logger.warning("%s%s%s", "; ".join(map(str, found[:_LOGGED_COLUMNS])), more, stops)


mlflow.models.set_model(ServedModel())
