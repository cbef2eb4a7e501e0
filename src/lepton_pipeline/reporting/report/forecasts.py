"""What report and page show of forecasts and of the orders made by them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lepton_pipeline.evaluation.forecasts import COMPARED, ForecastGroup, Forecasts
from lepton_pipeline.evaluation.interval_text import APPROXIMATE
from lepton_pipeline.evaluation.metrics import OWN
from lepton_pipeline.evaluation.orders import AVERAGE, MODEL, Orders
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.reporting.report.evidence import Context, Evidence
from lepton_pipeline.statistics.estimates import Estimate

_PERIODS = {
    "15min": "quarter-hour",
    "30min": "half-hour",
    "h": "hour",
    "D": "day",
    "W": "week",
    "MS": "month",
    "QS": "quarter",
    "YS": "year",
}
_SAYS = {
    "mase": ("MASE", "mean absolute error over that of a naive forecast in sample, mean of the series"),
    "wape": ("WAPE", "sum of absolute errors as a share of all units"),
    "wql": ("WQL", "error of all quantiles together (twice their pinball loss), as a share of all units"),
    "coverage": ("Coverage", "share of actual values between the outermost quantiles"),
    "bias": ("Bias", "forecasts less actual values, as a share of all units"),
}
_ORDERED = {
    "service": ("Service level", "share of orders that cover the demand of their lead time"),
    "fill": ("Fill rate", "share of the demand that is covered"),
    "stock": ("Order-up-to level", "units, mean of the orders"),
    "left": ("Left over", "units not asked for, mean of the orders"),
    "short": ("Short", "units asked for and not there, mean of the orders"),
    "cost": ("Cost", "of units left over and short, mean of the orders"),
    "needed": (
        "Level needed",
        "units, mean of the orders, by the factor that in hindsight reaches just the declared service level",
    ),
}
_SHARES = ("service", "fill")
_PERCENT = "\N{NO-BREAK SPACE}%"
# Text, its gloss, and cells of a value with its interval.
Row = tuple[str, str, list[tuple[str, str]]]


@dataclass(frozen=True)
class Tables:
    """Tables of forecasts; each row has a name, what it says, and its cells with their intervals."""

    models: Sequence[str]  # names of columns, the model first
    measures: Sequence[Row]
    groups: Sequence[tuple[str, str, Sequence[str], Sequence[Row]]]  # title, note, heads, rows


def describe_forecasts(evidence: Evidence) -> Context:
    """Measures of forecasts and orders."""
    return describe_measures(evidence.forecasts, evidence.orders)


def describe_measures(forecasts: Forecasts, orders: Orders) -> Context:
    """What a page reads of the measures of forecasts and orders; both may be empty."""
    if not forecasts.series:
        return {"absent": "Nothing is forecast in this run."}
    return {
        "absent": "",
        "lead": lead(forecasts),
        "tables": _tables(forecasts),
        "notes": _notes(forecasts),
        "orders": describe_orders(orders, forecasts.frequency),
    }


def lead(forecasts: Forecasts) -> str:
    """Sample, and how the model compares with the best baseline, in words."""
    horizon = count_of(forecasts.horizon, forecasts.frequency)
    sample = (
        f"{formats.count(forecasts.series)} series were forecast {horizon} ahead from "
        f"{_counted(forecasts.origins, 'origin')} of the test part."
    )
    best = forecasts.best.get("wape")
    own = forecasts.figures.get(MODEL, {}).get("wape")
    if best is None or own is None or best not in forecasts.figures:
        return sample
    difference, other = forecasts.differences[best]["wape"], forecasts.figures[best]["wape"]
    name = formats.lower_first(formats.model_name(best))
    told = (
        f"The errors of the model add up to {formats.percent(own.value)} of all units, those of the best "
        f"baseline ({name}) to {formats.percent(other.value)}"
    )
    return f"{sample} {told}: {_judged(difference)}."


def tiles(forecasts: Forecasts) -> list[tuple[str, str, str]]:
    """Label, value and note of the headline figures."""
    figures = forecasts.figures.get(MODEL, {})
    found = []
    for metric, figure in figures.items():
        note = interval_text(metric, figure)
        if best := forecasts.best.get(metric):
            other = formats.lower_first(formats.model_name(best))
            note += f"; best baseline ({other}) {value_text(metric, forecasts.figures[best][metric].value)}"
        if metric == "coverage" and forecasts.coverage:
            note += f"; declared {formats.percent(forecasts.coverage, 0)}"
        found.append((_SAYS[metric][0], value_text(metric, figure.value), note))
    return found


def describe_orders(orders: Orders, frequency: str) -> Context:
    """Sentences and the table on orders; `absent` if none are declared."""
    if not orders.orders:
        return {"absent": "No order is declared (forecast.order).", "headline": ""}
    rows: list[Row] = []
    for name, (title, says) in _ORDERED.items():
        policies = [orders.figures[policy].get(name) for policy in (MODEL, AVERAGE)]
        if None not in policies:
            figures = [*policies, orders.differences.get(name), orders.shares.get(name)]
            cells = [
                *(_order_cell(name, figure, place > 1) for place, figure in enumerate(figures[:3])),
                ("–", "")
                if figures[3] is None
                else _cell_of(figures[3], lambda v: formats.percent(v, 1, True)),
            ]
            unit = f", in {orders.unit}" if name == "cost" and orders.unit else ""
            rows.append((title, says + unit, cells))
    return {
        "absent": "",
        "headline": _headline(orders),
        "how": _how(orders, frequency),
        "rows": rows,
    }


def count_of(number: int, frequency: str) -> str:
    """A number of periods in words.

    >>> count_of(1, "W"), count_of(24, "h")
    ('1 week', '24 hours')
    """
    return _counted(number, period_word(frequency))


def period_word(frequency: str) -> str:
    """What a period is called."""
    return _PERIODS.get(frequency, "period")


def value_text(metric: str, value: float, signed: bool = False) -> str:
    """A metric's value in its usual digits."""
    if metric == "mase":
        return formats.decimals(value, 3, signed)
    return formats.percent(value, 1, signed or metric == "bias")


def interval_text(metric: str, figure: Estimate, signed: bool = False) -> str:
    """The ends of a metric's interval; empty without one."""
    return _cell_of(figure, lambda value: value_text(metric, value, signed))[1]


def _tables(forecasts: Forecasts) -> Tables:
    names = [name for name in forecasts.figures if name == MODEL or name not in OWN]
    metrics = [metric for metric in _SAYS if metric in forecasts.figures[MODEL]]
    measures: list[Row] = [
        (*_SAYS[metric], [_cell(metric, forecasts.figures[name].get(metric)) for name in names])
        for metric in metrics
    ]
    if best := next(
        (forecasts.best[metric] for metric in ("wape", *COMPARED) if metric in forecasts.best), None
    ):
        heads = [_SAYS[metric][0] for metric in metrics] + [
            f"WAPE of {formats.lower_first(formats.model_name(best))}"
        ]
    else:
        heads = [_SAYS[metric][0] for metric in metrics]
    word = period_word(forecasts.frequency)
    volume = f"Thirds of the series by their mean units per {word} before the origin."
    history = "A cold start is a series with less history than forecast.history at the origin."
    kinds = (
        (f"{word[:1].upper()}{word[1:]}s ahead", "", forecasts.horizons),
        ("Volume", volume, forecasts.volumes),
        ("History", history, forecasts.ages),
    )
    return Tables(
        [formats.model_name(name) for name in names],
        measures,
        [
            (title, note, heads, [_group_row(each, metrics, best) for each in groups])
            for title, note, groups in kinds
            if groups
        ],
    )


def _group_row(group: ForecastGroup, metrics: Sequence[str], best: str | None) -> Row:
    cells = [_cell(metric, group.figures[MODEL].get(metric)) for metric in metrics]
    if best:
        cells.append(_cell("wape", group.figures.get(best, {}).get("wape")))
    size = f"{_counted(group.series, 'series', 'series')}, {_counted(group.rows, 'row')}"
    return group.name[:1].upper() + group.name[1:], size, cells


def _notes(forecasts: Forecasts) -> list[str]:
    said = [
        "Intervals beside the figures have a level of 95 %; they are from "
        f"{formats.count(forecasts.resamples)} bootstrap resamples, in which series and origins are drawn. Quantiles "
        "of the naive, seasonal naive and moving-average forecasts are those of their errors on held-out rows."
    ]
    if forecasts.without_mase:
        said.append(
            f"MASE leaves out {_counted(forecasts.without_mase, 'series', 'series')} that did not change before the "
            "origin, so that a naive forecast has no error to compare with."
        )
    if forecasts.origins == 1:
        said.append(
            "There is one origin, so intervals tell nothing of other times; make the test part longer."
        )
    return said


def _headline(orders: Orders) -> str:
    """What the model's orders save, in a sentence."""
    name = "cost" if orders.by_costs else "needed"
    share, difference = orders.shares.get(name), orders.differences.get(name)
    if share is None or difference is None:
        return ""
    by = f"{formats.percent(abs(share.value))} {'less' if share.value < 0 else 'more'}"
    ends = ""
    if share.low is not None and share.high is not None:
        low, high = share.low, share.high
        if _unsure(share):
            ends = f" (95 % interval of the difference {_span(low, high, signed=True)}, so no difference is shown)"
        else:
            ends = f" (95 % interval {_span(min(abs(low), abs(high)), max(abs(low), abs(high)))})"
    if orders.by_costs:
        amount = "" if _unsure(share) else f": {formats.amount(abs(difference.value), orders.unit)}"
        return f"An order by the model costs {by} than one by the moving average{ends}{amount}."
    return (
        f"To cover the demand in {whole_percent(orders.level)} of the orders, the model needs {by} stock than the "
        f"moving average{ends}."
    )


def _span(low: float, high: float, signed: bool = False) -> str:
    return f"{formats.percent(low, 1, signed).removesuffix(_PERCENT)} to {formats.percent(high, 1, signed)}"


def _how(orders: Orders, frequency: str) -> str:
    level = whole_percent(orders.level)
    why = f"The declared service level is {level}: that share of orders shall cover the demand."
    if orders.by_costs:
        why = f"By the declared costs it is cheapest if {level} of the orders cover the demand."
    return (
        f"An order is for the demand of {count_of(orders.lead_time, frequency)}. {why} The order-up-to level is the "
        f"sum of the medians plus {formats.decimals(orders.factors[MODEL], 2)} times the distance from there to the "
        "upper quantiles. For the moving average, it is the sum of the averages plus "
        f"{formats.decimals(orders.factors[AVERAGE], 2)} times the scale of the series. Both factors were chosen on "
        f"{formats.count(orders.held_out)} orders before the test. On the {formats.count(orders.orders)} orders of the "
        "test they reach other service levels, so the last line compares both at the declared one."
    )


def whole_percent(share: float) -> str:
    r"""A share in per cent, with a decimal only where it has one.

    >>> whole_percent(0.95), whole_percent(0.975)
    ('95\xa0%', '97.5\xa0%')
    """
    return formats.percent(share, 0 if round(100 * share, 6) % 1 == 0 else 1)


def _judged(difference: Estimate) -> str:
    points = f"{formats.decimals(100 * abs(difference.value), 1)} points {'less' if difference.value < 0 else 'more'}"
    if difference.low is None or difference.high is None:
        return points
    ends = f"95 % interval of the difference {formats.decimals(100 * difference.low, 1, True)} to "
    ends += formats.decimals(100 * difference.high, 1, True)
    unsure = "; it holds 0, so no difference is shown" if _unsure(difference) else ""
    return f"{points} ({ends}{unsure})"


def _unsure(figure: Estimate) -> bool:
    return figure.low is not None and figure.high is not None and figure.low <= 0 <= figure.high


def _cell(metric: str, figure: Estimate | None) -> tuple[str, str]:
    return ("–", "") if figure is None else _cell_of(figure, lambda value: value_text(metric, value))


def _order_cell(name: str, figure: Estimate | None, signed: bool) -> tuple[str, str]:
    if figure is None:
        return "–", ""
    if name in _SHARES:
        if signed:
            return _cell_of(figure, lambda value: f"{formats.decimals(100 * value, 1, signed)} points")
        return _cell_of(figure, formats.percent)
    return _cell_of(figure, lambda value: formats.amount(value, "", signed))


def _cell_of(figure: Estimate, write: Callable[[float], str]) -> tuple[str, str]:
    """A value and its interval, marked if it is approximate; empty without one."""
    if figure.low is None or figure.high is None:
        return write(figure.value), ""
    mark = f"{APPROXIMATE} " if figure.approximate else ""
    return write(
        figure.value
    ), f"{mark}{write(figure.low).removesuffix(_PERCENT).removesuffix(' points')} to {write(figure.high)}"


def _counted(number: int, word: str, words: str = "") -> str:
    return f"{formats.count(number)} {word if number == 1 else words or word + 's'}"
