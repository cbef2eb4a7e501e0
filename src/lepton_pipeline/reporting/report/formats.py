"""Format numbers, names and times for readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import floor, log10
from typing import TYPE_CHECKING, Any

from lepton_pipeline.evaluation.interval_text import APPROXIMATE, UNJUDGED
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.metric_table import METRICS
from lepton_pipeline.system.readable import four_digits

if TYPE_CHECKING:
    from lepton_pipeline.tasks.task import Task

MODELS = {
    "model": "Model",
    "network": "Its network alone",
    "logistic_regression": "Logistic regression",
    "ridge_regression": "Ridge regression",
    "hist_gradient_boosting": "Gradient boosting",
}
POLICIES = {
    "model": "Act as the model says",
    "all": "Act on every case",
    "none": "Act on no case",
    "likeliest": "Decide on the likeliest class",
    "hand_over": "Hand every case over",
    "prediction": "Decide on the prediction",
}
_PLANS = {
    "folds": "Model and baselines learn from training and validation rows, in folds: no fit scores rows it has seen",
    "refit": "Model and baselines learn from training rows, are tuned on validation rows, then learn from both",
    "holdout": "Model and baselines learn from training rows, and are tuned on validation rows",
}
_SIGNIFICANT = 4
_MINUS = "\N{MINUS SIGN}"
# No line break before the sign.
_PERCENT = "\N{NO-BREAK SPACE}%"


def model_name(name: str) -> str:
    """The name of a model or baseline."""
    return MODELS.get(name, name.replace("_", " ").capitalize())


def model_parts(registration: Registration, task: Task) -> str:
    """The parts of a registered model, by the weight of boosting in it, and why it has none."""
    weight = registration.boosting_weight or 0.0
    because = f" ({task.without_boosting})" if task.without_boosting else ""
    alone = {0.0: f"Networks alone{because}", 1.0: "Boosting alone"}
    return alone.get(weight, f"Networks ({1 - weight:.0%}) and gradient boosting ({weight:.0%})")


def training_plan(registration: Registration) -> str:
    """The training rows of a registered model and its baselines; empty if not recorded."""
    return _PLANS.get(registration.plan, "")


def policy_name(name: str) -> str:
    """The name of a decision policy."""
    return POLICIES.get(name, f"Act as {model_name(name).lower()} says")


def metric_name(name: str) -> str:
    """The name of a metric."""
    return METRICS[name].title if name in METRICS else name.replace("_", " ")


def metric_inside(name: str) -> str:
    """The name of a metric inside a sentence.

    >>> metric_inside("log_loss"), metric_inside("auc"), metric_inside("brier")
    ('log loss', 'AUC', 'Brier score')
    """
    return metric_name(name) if name == "brier" else lower_first(metric_name(name))


def decimals(value: float | None, digits: int = 3, signed: bool = False) -> str:
    """A number with fixed decimals and thousands separators."""
    if value is None:
        return "–"
    text = f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
    # 0 has no sign.
    if not text.strip("+-0.,"):
        text = text.lstrip("+-")
    return text.replace("-", _MINUS)


def count(value: float) -> str:
    """A whole number with thousands separators."""
    return decimals(value, 0)


def counted(number: int, one: str, more: str = "") -> str:
    """A number of things.

    >>> counted(1, "tree"), counted(1200, "row"), counted(2, "category", "categories")
    ('1 tree', '1,200 rows', '2 categories')
    """
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def percent(share: float | None, digits: int = 1, signed: bool = False) -> str:
    """A share in per cent."""
    return "–" if share is None else f"{decimals(100 * share, digits, signed)}{_PERCENT}"


def amount(value: float | None, unit: str = "", signed: bool = False) -> str:
    """A cost in whole units if it is large, else with three significant digits."""
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{decimals(value, digits, signed)} {unit}".strip()


def quantity(value: float | None, signed: bool = False) -> str:
    """A number of any size: four significant digits, and whole where it is large.

    >>> quantity(123456.7), quantity(54.0312), quantity(0.0012345), quantity(0.0)
    ('123,457', '54.03', '0.001234', '0')
    """
    return decimals(value, digits_of(value or 0.0), signed)


def level(means: Sequence[float | None]) -> Callable[[float | None], str]:
    """How mean scores are written: probabilities with three decimals, numbers of any size with four digits.

    >>> level([0.25, None])(0.25), level([0.25, 604521.686])(604521.686)
    ('0.250', '604,522')
    """
    return decimals if all(0 <= each <= 1 for each in means if each is not None) else quantity


def rounded(value: float) -> str:
    """A value of the data, with four significant digits at most.

    >>> rounded(123456.7), rounded(310.0), rounded(-0.25)
    ('123,457', '310', '−0.25')
    """
    return four_digits(value).replace("-", _MINUS)


def metric(name: str, value: float | None, signed: bool = False, of: Estimate | None = None) -> str:
    """A metric's value in its usual digits; in a unit, in those that the interval of its figure has.

    >>> bias = Estimate(-0.0007775, -24.9, 21.95)
    >>> metric("bias", bias.value), metric("bias", bias.value, of=bias), metric("bias", bias.high, of=bias)
    ('−0.0007775', '0.00', '21.95')
    """
    if _is_in_unit(name):
        return _in_unit(value, signed, of)
    return percent(value, 1, signed) if _is_share(name) else decimals(value, 3, signed)


def exact(name: str, value: float, of: Estimate | None = None) -> str:
    """A metric's value in the digits by which runs are told apart; in a unit, as `metric`."""
    if _is_in_unit(name):
        return _in_unit(value, False, of)
    return percent(value, 2) if _is_share(name) else f"{value:.4f}"


def difference(name: str, value: float) -> str:
    """A difference of a metric for the terminal, with its sign; of shares, in percentage points."""
    if _is_share(name):
        return f"{100 * value:+.1f} points"
    return quantity(value, signed=True) if _is_in_unit(name) else f"{value:+.3f}"


def interval(name: str, figure: Estimate, signed: bool = False) -> str:
    """The ends of a metric's interval."""
    return _ends(figure, lambda end: metric(name, end, signed, figure).removesuffix(_PERCENT))


def amounts(figure: Estimate, unit: str = "", signed: bool = False) -> str:
    """The ends of a cost's interval."""
    ends = _ends(figure, lambda end: amount(end, "", signed))
    return ends if figure.low is None else f"{ends} {unit}".strip()


def _is_share(name: str) -> bool:
    return name in METRICS and METRICS[name].share


def _is_in_unit(name: str) -> bool:
    return name in METRICS and METRICS[name].in_unit


def _in_unit(value: float | None, signed: bool, of: Estimate | None) -> str:
    if of is None or of.low is None:
        return quantity(value, signed)
    return decimals(value, digits_of(*of.ends), signed)


def digits_of(*values: float, significant: int = _SIGNIFICANT) -> int:
    """Decimals that show the largest of the values with so many significant digits."""
    largest = max(map(abs, values))
    return max(0, significant - 1 - floor(log10(largest))) if largest else 0


def _ends(figure: Estimate, write: Callable[[float], str]) -> str:
    """The interval, marked if it is approximate."""
    if figure.low is None or figure.high is None:
        return UNJUDGED
    mark = f"{APPROXIMATE} " if figure.approximate else ""
    return f"{mark}{write(figure.low)} to {write(figure.high)}"


def gap(name: str, value: float, signed: bool = False, of: Estimate | None = None) -> str:
    """A difference of a metric; of shares, in percentage points."""
    return (
        f"{decimals(100 * value, 1, signed)} points" if _is_share(name) else metric(name, value, signed, of)
    )


def plain(value: Any) -> str:
    """A value of a table: numbers to six significant digits."""
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.6g}".replace("-", _MINUS) if abs(value) < 1e15 else f"{value:.6g}"


def p_value(value: float) -> str:
    """A p-value, bounded below at 0.001."""
    return "< 0.001" if value < 0.001 else decimals(value)


def moment(iso: str) -> str:
    """A UTC time for readers, to the minute."""
    at = datetime.fromisoformat(iso)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def minute(text: str) -> str:
    """A result's time to the minute, or the day at midnight."""
    return text.removesuffix("T00:00:00").removesuffix(":00").replace("T", " ")


def metric_says(name: str) -> str:
    """What a metric means, in a few words."""
    return METRICS[name].says if name in METRICS else ""


def sentence(text: str) -> str:
    """A text with a final stop, and a capital unless it starts with a name; empty stays empty."""
    text = text.strip()
    if not text:
        return ""
    first = text.split(maxsplit=1)[0].rstrip(".,:;!?")
    if first in METRICS:
        text = metric_name(first) + text[len(first) :]
    elif first.isalpha() and first.islower():
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def lower_first(text: str) -> str:
    """A text inside a sentence; abbreviations keep their capitals."""
    return text if text[1:2].isupper() or text[1:2].isdigit() else text[:1].lower() + text[1:]


def declared(value: Any) -> str:
    """A declared value in short YAML style."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(declared, value)) or "none"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {declared(each)}" for key, each in value.items()) or "none"
    return str(value)
