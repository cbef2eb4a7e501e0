"""An ONNX graph under construction: nodes and constants are named as they are added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from onnx import ModelProto

# Of onnxruntime 1.24. Earlier ones sum other leaves where trees ask for numbers and for sets, without an error; they
# refuse this number.
OPSET, TREES_OPSET, IR_VERSION = 24, 5, 10
TREES = "ai.onnx.ml"
# No column has such a name by accident, so that no inner value is taken for an input.
_INNER = "lepton//"

Value = str  # name of a tensor in the graph


class Graph:
    """Collects what a model is made of; every value is a tensor that is named once."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, dtype: npt.DTypeLike) -> Value:
        """Add an input of one column, [n, 1]."""
        self._inputs.append(_described(name, dtype, 1))
        return name

    def output(self, name: str, value: Value, dtype: npt.DTypeLike, columns: int = 1) -> None:
        """Give a value to the caller, [n, columns]."""
        self._nodes.append(_node("Identity", [value], [name]))
        self._outputs.append(_described(name, dtype, columns))

    def constant(self, array: npt.ArrayLike) -> Value:
        """Add an array that is part of the file."""
        from onnx import numpy_helper

        name = f"{_INNER}constant {len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def node(self, operator: str, *inputs: Value, domain: str = "", **attributes: Any) -> Value:
        """Add an operator with a single result, which is returned."""
        name = f"{_INNER}{operator} {len(self._nodes)}"
        self._nodes.append(_node(operator, list(inputs), [name], domain=domain, **attributes))
        return name

    def cast(self, value: Value, dtype: npt.DTypeLike) -> Value:
        """Convert a value to another type."""
        return self.node("Cast", value, to=_code(dtype))

    def joined(self, values: list[Value]) -> Value:
        """Put values side by side, the columns of the first first."""
        return values[0] if len(values) == 1 else self.node("Concat", *values, axis=1)

    def columns(self, value: Value, positions: list[int], count: int) -> Value:
        """Select some of `count` columns by position, in this order."""
        if positions == list(range(count)):
            return value
        return self.node("Gather", value, self.constant(np.array(positions, dtype=np.int64)), axis=1)

    def model(self, metadata: Mapping[str, str]) -> ModelProto:
        """Close the graph: checked, with texts that any reader of ONNX shows."""
        from onnx import checker, helper

        graph = helper.make_graph(
            self._nodes, "lepton_pipeline", self._inputs, self._outputs, self._constants
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(TREES, TREES_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        model.producer_name = "lepton_pipeline"
        helper.set_model_props(model, dict(metadata))
        checker.check_model(model)
        return model


def _node(operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(operator, inputs, outputs, **attributes)


def _described(name: str, dtype: npt.DTypeLike, columns: int) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, _code(dtype), ["rows", columns])


def _code(dtype: npt.DTypeLike) -> int:
    from onnx import TensorProto, helper

    if np.dtype(dtype) == np.dtype(object):
        return int(TensorProto.STRING)
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
