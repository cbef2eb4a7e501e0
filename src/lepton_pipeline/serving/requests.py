"""The body of a request -> rows, without any conversion, so that no digit is lost.

MLflow 3.17 converts requests by the types of the signature before any code of a model runs: 1.5 in a `long`
becomes 1, null and "false" in a `boolean` become False and True, `double` refuses whole numbers, `string`
codes, and a refusal repeats the client's rows or a stack trace. So models with `reads_requests` get the
original request (`take_requests`). Other models in the same process are served as before.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import wraps
from typing import Any

import pandas as pd
import pyarrow as pa

from lepton_pipeline.data.delimited import SetApart
from lepton_pipeline.data.raw import read_blocks, read_header
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.errors import DataError, LeptonError
from lepton_pipeline.parameters import Ingestion

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
_FILES = {CSV: "request.csv", PARQUET: "request.parquet"}
_CHARACTERS = 600
_MARK = "_lepton_reads_requests"


def unsupported(content_type: str | None) -> str | None:
    """Why a content type is refused; None where it is accepted."""
    kind, *parameters = [part.strip().lower() for part in (content_type or "").split(";")]
    if kind not in (JSON, *_FILES):
        return f"the content type must be one of {JSON}, {CSV}, {PARQUET}."
    if any(parameter not in ("", "charset=utf-8") for parameter in parameters):
        return "the only parameter that a content type may have is charset=utf-8."
    return None


def read_request(body: bytes, content_type: str, ingestion: Ingestion) -> tuple[pd.DataFrame, Any]:
    """Read rows (at least one) and parameters (None without any) of a request.

    The body is JSON as MLflow defines it (`dataframe_records`, `dataframe_split`, `instances` or `inputs`,
    beside `params`), CSV in UTF-8, or Parquet; `unsupported` accepts its type. Values are those of JSON or
    Parquet, or texts of CSV.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _FILES:
        return _file_rows(body, _FILES[kind], ingestion.model_copy(update={"encoding": "utf-8"})), None
    sent = _json(body)
    form = [key for key in _FORMS if key in sent]
    if len(form) != 1:
        raise DataError(f"the body must have one of {', '.join(_FORMS)}, but has {len(form)} of them.")
    rows = _FORMS[form[0]](sent[form[0]], form[0])
    if not len(rows) or not len(rows.columns):
        raise DataError(f"{form[0]} holds no rows; send one or more.")
    return rows, sent.get("params")


def rows_of(data: Any) -> pd.DataFrame:
    """Rows from Python code: a frame, a list of dictionaries, or a dictionary of columns."""
    if isinstance(data, pd.DataFrame):
        if data.columns.nlevels > 1:
            raise DataError("the columns have names of several levels; send one name for each column.")
        return data
    if not isinstance(data, (dict, list)):
        raise DataError(
            f"what is handed in is a {type(data).__name__}; send a DataFrame, a list of dictionaries or a dictionary "
            "of columns."
        )
    return _either(data, "what is handed in")


def _json(body: bytes) -> dict[str, object]:
    try:
        sent = json.loads(body)
    except RecursionError as error:
        raise DataError("the body is JSON that is nested too deeply; send rows of plain values.") from error
    except ValueError as error:
        raise DataError(f"the body is no JSON that can be read: {error}.") from error
    if not isinstance(sent, dict):
        raise DataError(f"the body must be a JSON object with one of the keys {', '.join(_FORMS)}.")
    return sent


def _records(sent: Any, name: str) -> pd.DataFrame:
    if not isinstance(sent, list) or not all(isinstance(row, dict) for row in sent):
        raise DataError(f"{name} must be a list of objects, one for each row.")
    return pd.DataFrame(sent, dtype=object)


def _split(sent: Any, name: str) -> pd.DataFrame:
    columns, data = (sent.get("columns"), sent.get("data")) if isinstance(sent, dict) else (None, None)
    named = isinstance(columns, list) and all(isinstance(each, str) for each in columns)
    if not named or not isinstance(data, list):
        raise DataError(f"{name} must be an object of columns, a list of names, and data, a list of rows.")
    if not all(isinstance(row, list) and len(row) == len(columns or []) for row in data):
        raise DataError(f"{name} must give each row as a list with one value for each of the columns.")
    return pd.DataFrame(data, columns=columns, dtype=object)


def _either(sent: Any, name: str) -> pd.DataFrame:
    """Rows, or columns by name."""
    if not isinstance(sent, dict):
        return _records(sent, name)
    columns = {key: values if isinstance(values, list) else [values] for key, values in sent.items()}
    if len({len(values) for values in columns.values()}) > 1:
        raise DataError(f"{name} must give every column as many values.")
    return pd.DataFrame(columns, dtype=object)


_FORMS: dict[str, Callable[[Any, str], pd.DataFrame]] = {
    "dataframe_records": _records,
    "dataframe_split": _split,
    "instances": _either,
    "inputs": _either,
}


def _file_rows(body: bytes, name: str, ingestion: Ingestion) -> pd.DataFrame:
    file = RawFile(name, lambda: io.BytesIO(body))
    names, seen = read_header(file, ingestion), SetApart(name)
    blocks = list(read_blocks(file, names, ingestion, seen))
    if seen.reasons:
        # Even an empty record: the answers are counted like the rows.
        counted = ", ".join(f"{count:,} {reason}" for reason, count in seen.reasons.items())
        raise DataError(f"not every record of the body is a row ({counted}); correct or remove them.")
    if not blocks:
        raise DataError("the body is only a header; send one or more rows below it.")
    table = pa.concat_tables(blocks)
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    rows: pd.DataFrame = pa.table(columns, names=names).to_pandas(integer_object_nulls=True)
    return rows


def take_requests() -> None:
    """Let MLflow hand frames and bodies to models that read them; idempotent."""
    from mlflow.pyfunc import PyFuncModel, scoring_server

    if not hasattr(PyFuncModel.predict, _MARK):
        PyFuncModel.predict = _with_own_frames(PyFuncModel.predict)
    if not hasattr(scoring_server.invocations, _MARK):
        scoring_server.invocations = _with_own_bodies(scoring_server.invocations)


def one_line(error: Exception) -> str:
    """The message of a refusal on one line, cut to a readable length."""
    message = " ".join(str(error).split())
    return message if len(message) <= _CHARACTERS else f"{message[: _CHARACTERS - 1]}…"


def _reader(model: Any) -> Any:
    """The model itself, where it reads requests; None otherwise."""
    found = getattr(getattr(model, "_model_impl", None), "python_model", None)
    return found if getattr(found, "reads_requests", False) else None


def _with_own_frames(predict: Any) -> Any:
    @wraps(predict)
    def predict_frame(self: Any, data: Any, params: Any = None) -> Any:
        reader = _reader(self)
        return predict(self, data, params) if reader is None else reader.predict(None, data, params)

    setattr(predict_frame, _MARK, True)
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

    setattr(answer_body, _MARK, True)
    return answer_body
