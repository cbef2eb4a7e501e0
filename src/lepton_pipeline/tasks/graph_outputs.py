"""From outputs of networks and trees to scores and decisions in a graph, as each task defines them."""

from __future__ import annotations

import numpy as np

from lepton_pipeline.statistics.conformal import Conformal
from lepton_pipeline.statistics.losses import EDGE, SMALLEST
from lepton_pipeline.system.onnx_graph import TREES, Graph, Value
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.classes import HAND_OVER
from lepton_pipeline.tasks.forecast import Forecast
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.tasks.task import Task

EveryTask = Binary | Multiclass | Regression
# Names of the tensors that come out: of two classes, of several, of a number.
PROBABILITY, PROBABILITIES, DECISION = "probability", "probabilities", "decision"


def in_graph(task: Task) -> EveryTask | None:
    """The task, if a graph of single rows can score for it; None for forecasts, which are a kind of regression."""
    if isinstance(task, Forecast):
        return None
    return task if isinstance(task, Binary | Multiclass | Regression) else None


def output_names(task: EveryTask) -> list[str]:
    """Names of the outputs, in order."""
    if isinstance(task, Binary):
        return [PROBABILITY, DECISION]
    if isinstance(task, Multiclass):
        return [PROBABILITIES, DECISION]
    return list(task.prediction_types())


def output_units(task: EveryTask, target: str) -> dict[str, str]:
    """What each output is counted in; `target` names the column that is predicted."""
    if isinstance(task, Binary):
        units = ["probability of the positive class", "whether the probability is at or above the threshold"]
    elif isinstance(task, Multiclass):
        units = ["probability of each of the classes", "name of the class decided on"]
    else:
        units = [
            f"unit of {target}" + " that costs least" * (name == DECISION) for name in output_names(task)
        ]
    return dict(zip(output_names(task), units, strict=True))


def named_classes(task: EveryTask) -> list[str]:
    """Classes in the order of `PROBABILITIES`; none in other tasks."""
    return list(task.classes) if isinstance(task, Multiclass) else []


def combine_networks(graph: Graph, outputs: Value, task: EveryTask) -> Value:
    """Mean over networks and members [networks, members, n, outputs]: float64 logits or numbers, [n, outputs]."""
    precise = graph.cast(outputs, np.float64)
    if isinstance(task, Binary):
        precise = graph.node("Sigmoid", precise)
    elif isinstance(task, Multiclass):
        precise = graph.node("Softmax", precise, axis=3)
    mean = graph.node("ReduceMean", precise, graph.constant([0, 1]), keepdims=0)
    if isinstance(task, Regression):
        return mean
    low = EDGE if isinstance(task, Binary) else SMALLEST
    high = 1 - EDGE if isinstance(task, Binary) else 1.0
    inside = graph.node("Clip", mean, graph.constant(low), graph.constant(high))
    logs = graph.node("Log", inside)
    if isinstance(task, Multiclass):
        return logs
    return graph.node("Sub", logs, graph.node("Log", graph.node("Sub", graph.constant(1.0), inside)))


def add_outputs(
    graph: Graph, outputs: Value, task: EveryTask, threshold: float | None, scale: Value | None
) -> None:
    """Give scores and decisions to the caller, under `output_names`."""
    if isinstance(task, Binary):
        probability = graph.node("Sigmoid", outputs)
        cut = graph.constant(0.5 if threshold is None else threshold)
        graph.output(PROBABILITY, probability, np.float64)
        graph.output(DECISION, graph.node("GreaterOrEqual", probability, cut), np.bool_)
    elif isinstance(task, Multiclass):
        probabilities = graph.node("Softmax", outputs, axis=1)
        graph.output(PROBABILITIES, probabilities, np.float64, task.outputs)
        graph.output(DECISION, _decided(graph, probabilities, task), object)
    else:
        _add_numbers(graph, outputs, task, scale)


def _decided(graph: Graph, probabilities: Value, task: Multiclass) -> Value:
    """Name of the class that is decided on, see `Multiclass.decide`."""
    if task.costs is None:
        places = graph.node("ArgMax", probabilities, axis=1)
    else:
        expected = graph.node("MatMul", probabilities, graph.constant(task.cost_matrix))
        places = graph.node("ArgMin", expected, axis=1)
        handed: Value | None = None
        if task.answered_from is not None:
            most = graph.node("ReduceMax", probabilities, graph.constant([1]))
            handed = graph.node("Less", most, graph.constant(task.answered_from))
        elif task.costs.hand_over is not None:
            least = graph.node("ReduceMin", expected, graph.constant([1]))
            handed = graph.node("Greater", least, graph.constant(float(task.costs.hand_over)))
        if handed is not None:
            places = graph.node("Where", handed, graph.constant(np.int64(task.outputs)), places)
    names = [*task.classes, HAND_OVER]
    return graph.node(
        "LabelEncoder", places, domain=TREES, keys_int64s=list(range(len(names))), values_strings=names
    )


def _add_numbers(graph: Graph, outputs: Value, task: Regression, scale: Value | None) -> None:
    """The prediction, its interval, and what is decided on where errors have costs."""
    mean = graph.columns(outputs, [0], task.outputs)
    values = [mean]
    if task.conformal is not None:
        ends = (mean, mean)
        if task.quantiles:
            both, axis = graph.columns(outputs, [1, 2], task.outputs), graph.constant([1])
            ends = (graph.node("ReduceMin", both, axis), graph.node("ReduceMax", both, axis))
        values += _interval(graph, *ends, task.conformal)
    restored = [_restored(graph, value, task) for value in values]
    if scale is not None:
        # The project refuses such a row; a graph can only give no number.
        positive = graph.node("Greater", scale, graph.constant(0.0))
        valid = graph.node("Where", positive, scale, graph.constant(np.nan))
        restored = [graph.node("Mul", value, valid) for value in restored]
    for name, value in zip(task.score_names, restored, strict=False):
        graph.output(name, value, np.float64)
    if task.costs is not None:
        scaled = graph.node("Log", restored[0]) if task.transform else restored[0]
        standard = graph.node("Div", _plus(graph, scaled, -task.centre), graph.constant(task.spread))
        graph.output(DECISION, _restored(graph, _plus(graph, standard, task.decided), task), np.float64)


def _interval(graph: Graph, low: Value, high: Value, conformal: Conformal) -> list[Value]:
    """See `Conformal.interval`."""
    low, high = _plus(graph, low, -conformal.below), _plus(graph, high, conformal.above)
    middle = graph.node("Mul", graph.node("Add", low, high), graph.constant(0.5))
    return [graph.node("Min", low, middle), graph.node("Max", high, middle)]


def _restored(graph: Graph, value: Value, task: Regression) -> Value:
    """A standardised output in the target's unit."""
    scaled = _plus(graph, graph.node("Mul", value, graph.constant(task.spread)), task.centre)
    return graph.node("Exp", scaled) if task.transform else scaled


def _plus(graph: Graph, value: Value, number: float) -> Value:
    return graph.node("Add", value, graph.constant(number))
