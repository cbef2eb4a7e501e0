"""How much boosting should count by time: rules for the weight of the blend on tables that are made to drift."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from overhead import table as markdown

from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.model.blend import EQUAL, mix, weigh, weigh_by_time
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import Dataset, Split, Training
from lepton_pipeline.statistics.losses import log_loss, sigmoid, to_logits
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.split import split_rows

HERE = Path(__file__).parent
Floats = npt.NDArray[np.float64]
RULES: dict[str, Callable[[Floats, Floats, Floats], float]] = {
    "equal": lambda *_: EQUAL,
    "lowest log loss": partial(weigh, Binary()),
    "by time": partial(weigh_by_time, Binary()),
}
KINDS = {
    "coef": "coefficients turn",
    "stable": "no drift, mostly linear",
    "stabletree": "no drift, mostly thresholds",
    "interact": "thresholds lose their effect",
    "level": "the base rate jumps",
    "trend": "the base rate rises",
    "shift": "features wander out of their range",
    "cats": "categories come and go",
    "index": "a feature tells the date, beside a season",
}


def make(kind: str, rows: int, seed: int) -> pd.DataFrame:
    """A table in order of `t`, with eight numbers or more, a category `g` and the label `y`."""
    rng = np.random.default_rng([seed, rows])
    t = np.arange(rows) / rows
    x = rng.normal(size=(rows, 8))
    g, effects = rng.integers(0, 12, rows), rng.normal(0, 0.7, 12)
    early, late = rng.normal(0, 0.7, 8), rng.normal(0, 0.7, 8)
    line, steps = x @ early, np.sign(x[:, 0] * x[:, 1]) + 1.6 * (x[:, 2] > 0.5) * (x[:, 3] > 0)
    logit = line + effects[g] + 0.4 * steps
    if kind == "coef":
        logit += t * (x @ (late - early))
    elif kind == "stabletree":
        logit += 0.8 * steps - 0.7 * line
    elif kind == "interact":
        logit += steps * np.where(t < 0.55, 1.1, -0.7)
    elif kind == "level":
        logit += 2.5 * (t > 0.6)
    elif kind == "trend":
        logit += 3 * t
    elif kind == "shift":
        x = x + 3 * t[:, None] * rng.choice([-1, 1], 8)
        logit = x @ early + effects[g] + 0.4 * steps
        logit -= pd.Series(logit).rolling(200, min_periods=1).mean().to_numpy()
    elif kind == "cats":
        begins = np.sort(rng.random(60)) * 0.9
        begins[:12] = 0
        effects = rng.normal(0, 1.2, 60)
        open_now = [np.flatnonzero((begins <= now) & (begins > now - 0.45)) for now in t]
        g = np.array([rng.choice(each) if len(each) else 0 for each in open_now])
        logit = 0.6 * line + effects[g] + 0.4 * steps
    elif kind == "index":
        logit += 1.5 * np.sin(6 * np.pi * t)
        x = np.column_stack([x, t * 10 + rng.normal(0, 0.02, rows)])
    label = rng.random(rows) < sigmoid(logit - np.median(logit) - 0.8)
    numbers = pd.DataFrame(x, columns=[f"x{place}" for place in range(x.shape[1])])
    return numbers.assign(g=[f"g{each}" for each in g], t=np.arange(rows), y=label.astype(int))


def measure(kind: str, rows: int, seed: int) -> dict[str, Any]:
    """Fit the model by time; the weight, AUC and log loss of later rows by every rule."""
    made, dataset = make(kind, rows, seed), Dataset(target="y", positive=1, time="t", categorical=["g"])
    split = split_rows(made, Target(Binary()), dataset, Split(strategy="time"))
    encoded = Encoder.fit(made[split["part"] == "train"], dataset).transform(made)
    training = Training(seed=seed, threads=1, jobs=1, device="cpu", networks=2)
    model, _, held_out = train_model(encoded, split, Target(Binary()), training)
    test = split["part"] == "test"
    return judge(
        {name: to_logits(held_out[name].to_numpy()) for name in ("network", "boosting")},
        split.loc[held_out.index, "label"].to_numpy(),
        {str(name): to_logits(part.to_numpy()) for name, part in model.scores(encoded[test]).items()},
        split.loc[test, "label"].to_numpy(),
    )


def judge(
    held_out: dict[str, Floats], labels: Floats, later: dict[str, Floats], later_labels: Floats
) -> dict[str, Any]:
    """Choose a weight by every rule, and measure what later rows say of it."""
    from sklearn.metrics import roc_auc_score

    found = {}
    for name, rule in RULES.items():
        weight = rule(held_out["network"], held_out["boosting"], labels)
        probabilities = sigmoid(mix(later, weight))
        found[name] = (roc_auc_score(later_labels, probabilities), log_loss(probabilities, later_labels))
    return found


def report(found: dict[str, list[dict[str, Any]]]) -> str:
    """A line for each kind: AUC with equal weights, and what other rules change, with the worst single table."""
    others = [name for name in RULES if name != "equal"]
    lines = []
    for kind, each in found.items():
        figures = {name: np.array([one[name] for one in each]) for name in RULES}
        gains = {name: figures[name] - figures["equal"] for name in others}
        changed = [f"{gains[name][:, at].mean():+.4f}" for name in others for at in (0, 1)]
        worst = [f"{gains[name][:, 0].min():+.4f}" for name in others]
        lines.append([KINDS[kind], str(len(each)), f"{figures['equal'][:, 0].mean():.4f}", *changed, *worst])
    header = [f"{name}: {what}" for name in others for what in ("AUC", "log loss")]
    header += [f"{name}: worst AUC" for name in others]
    return markdown(["table", "fits", "equal: AUC", *header], lines)


def _tables(options: argparse.Namespace) -> Iterator[tuple[str, int, int]]:
    yield from (
        (kind, rows, seed) for kind in KINDS for rows in options.rows for seed in range(options.seeds)
    )


def main() -> None:
    """Measure all tables, print the result and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 2000, 5000], help="sizes of tables")
    parser.add_argument("--seeds", type=int, default=2, help="tables of each kind and size")
    parser.add_argument(
        "--output", type=Path, default=HERE / "results" / "drift.md", help="file of the report"
    )
    options = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, rows, seed in _tables(options):
        found.setdefault(kind, []).append(measure(kind, rows, seed))
        print(kind, rows, seed, found[kind][-1], flush=True)
    text = report(found)
    options.output.write_text(f"# The blend under drift\n\n{ABOUT}\n\n{text}\n", encoding="utf-8")
    print(text)


ABOUT = """\
AUC and log loss of the latest fifth of the rows with equal weights of networks and boosting, and how they change by
other rules for the weight: the lowest log loss of the validation rows, and the product's rule by time. Mean over
tables of several sizes."""

if __name__ == "__main__":
    main()
