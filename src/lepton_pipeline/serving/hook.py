"""Requests reach the model before MLflow compares them with the signature.

MLflow 3.17 converts requests by the types of the signature before any code of a model runs: 1.5 in a `long`
becomes 1, null and "false" in a `boolean` become False and True, `double` refuses whole numbers, `string`
codes, and a refusal repeats the client's rows or a stack trace. So models with `reads_requests` get the
original request. Other models in the same process are served as before.
"""

from __future__ import annotations

import json
from functools import wraps
from typing import Any

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.serving.requests import unsupported

_CHARACTERS = 600
_MARK = "_lepton_reads_requests"


def take_requests() -> None:
    """Let MLflow hand frames and bodies to models that read them; idempotent."""
    from mlflow.pyfunc import PyFuncModel, scoring_server

    if not hasattr(PyFuncModel.predict, _MARK):
        PyFuncModel.predict = _marked(_with_own_frames(PyFuncModel.predict))
    if not hasattr(scoring_server.invocations, _MARK):
        scoring_server.invocations = _marked(_with_own_bodies(scoring_server.invocations))


def one_line(error: Exception) -> str:
    """The message of a refusal on one line, cut to a readable length."""
    message = " ".join(str(error).split())
    return message if len(message) <= _CHARACTERS else f"{message[: _CHARACTERS - 1]}…"


def _marked(function: Any) -> Any:
    setattr(function, _MARK, True)
    return function


def _reader(model: Any) -> Any:
    """The model itself, where it reads requests; None otherwise."""
    found = getattr(getattr(model, "_model_impl", None), "python_model", None)
    return found if getattr(found, "reads_requests", False) else None


def _with_own_frames(predict: Any) -> Any:
    @wraps(predict)
    def predict_frame(self: Any, data: Any, params: dict[str, Any] | None = None) -> Any:
        reader = _reader(self)
        return predict(self, data, params) if reader is None else reader.predict(None, data, params)

    return predict_frame


def _with_own_bodies(invocations: Any) -> Any:
    from mlflow.pyfunc.scoring_server import InvocationsResponse

    @wraps(invocations)
    def answer_body(data: Any, content_type: Any, model: Any, input_schema: Any) -> Any:
        reader = _reader(model)
        if reader is None:
            return invocations(data, content_type, model, input_schema)
        if (reason := unsupported(content_type)) is not None:
            return InvocationsResponse(reason, 415, "text/plain")
        try:
            scored = reader.answer(data, content_type)
        except LeptonError as error:
            refusal = {"error_code": "BAD_REQUEST", "message": one_line(error)}
            return InvocationsResponse(json.dumps(refusal), 400, "application/json")
        answer = json.dumps({"predictions": scored.to_dict(orient="records")})
        return InvocationsResponse(answer, 200, "application/json")

    return answer_body
