"""The pictures of `docs/model.md`, drawn from what a run of a vertical has left; nothing is trained here.

The loss curves are those of its networks; the embedding is what the first of them has learnt of a column of numbers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from overhead import HERE
from safetensors.torch import load_file

from lepton_pipeline.features.column_encoders import NumericColumn
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.model.networks.members import PiecewiseLinear

# The looks of `evaluation.figures`.
_INK, _GREY, _RULE, _PALE, _BLUE = "#222222", "#6b6b6b", "#b8b8b8", "#d9d9d9", "#0067a5"
_FONT, _DPI, _WIDTH = "DejaVu Sans", 160, 9.6
_LINES: tuple[dict[str, Any], ...] = (
    {"color": _BLUE, "linestyle": "-", "linewidth": 2.2},
    {"color": "#222222", "linestyle": (0, (5, 2)), "linewidth": 1.6},
    {"color": "#555555", "linestyle": "-", "linewidth": 1.4},
    {"color": "#8a8a8a", "linestyle": (0, (1, 1.2)), "linewidth": 1.9},
)
_POINTS, _BARS = 1001, 60

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Embedding:
    """What one network makes of one column of numbers.

    Attributes:
        column: its name.
        raw: values from the least to the largest of the training rows, ascending, [points].
        components: the numbers that stand for each, [points, components].
        knots: raw values at which the components may bend.
        rows: the column in the rows that networks learn from, without missing values.
    """

    column: str
    raw: Floats
    components: Floats
    knots: Floats
    rows: Floats


def read_embedding(data: Path, vertical: str, column: str, network: int = 0) -> Embedding:
    """Read the embedding of a column from a model of piecewise-linear embeddings; the knots are those of its file."""
    folder = data / "06_models" / vertical / "model" / "network"
    description = json.loads((folder / "networks.json").read_text(encoding="utf-8"))
    shape, place = description["shape"], description["numeric"].index(column)
    module = PiecewiseLinear(
        shape["numeric"], shape["bins"], shape["embedding"], networks=description["trained"]["networks"]
    )
    weights = load_file(folder / "weights.safetensors")
    prefix = "numbers."
    module.load_state_dict(
        {name.removeprefix(prefix): each for name, each in weights.items() if prefix in name}
    )
    encoder = Encoder.load(data / "04_feature" / vertical / "encoder")
    encoding = next(each for each in encoder.columns if each.name == column)
    if not isinstance(encoding, NumericColumn):
        raise TypeError(
            f"{column!r} is no column of numbers; choose one of {', '.join(description['numeric'])}."
        )
    values = np.linspace(encoding.quantiles[0], encoding.quantiles[-1], _POINTS)
    numeric = torch.zeros(module.weight.shape[0], _POINTS, shape["numeric"])
    numeric[:, :, place] = torch.from_numpy(encoding.transform(pd.Series(values))[column])
    with torch.no_grad():
        embedded = module(numeric)[network].view(_POINTS, shape["numeric"], shape["embedding"])[:, place]
    # The lower ends of all pieces but the first; a piece that is not used has no slope.
    scores = module.lower[place, 0][module.slopes[place, 0] > 0][1:].double().numpy()
    split = pd.read_parquet(data / "03_primary" / vertical / "split.parquet")
    table = pd.read_parquet(data / "04_feature" / vertical / "feature_table.parquet")
    rows = table.loc[split["part"].isin(["train", "validation"]), column].dropna().to_numpy(np.float64)
    knots = np.interp(scores, encoding.scores, encoding.quantiles)
    return Embedding(column, values, embedded.double().numpy(), knots, rows)


def draw_losses(history: pd.DataFrame, vertical: str) -> Figure:
    """Draw the losses by epoch, one panel a network, with the epoch marked whose weights are kept.

    Args:
        history: as `train_model` returns it.
        vertical: named in the title.
    """
    networks = [part for _, part in history.groupby("network")]
    # Named after the loss of the task.
    held_out = str(history.columns[3])
    best = [part.nsmallest(1, held_out) for part in networks]
    epochs = [int(row["epoch"].iloc[0]) for row in best]
    kept = f"epoch {epochs[0]}" if len(set(epochs)) == 1 else f"epochs {min(epochs)} to {max(epochs)}"
    page = _new_page(4.3, f"{vertical}: {len(networks)} networks, kept as they were at {kept}")
    losses = history[["train_loss", held_out]].to_numpy()
    room = 0.05 * (losses.max() - losses.min())
    width = (0.91 + 0.02) / len(networks) - 0.02
    for index, (part, row) in enumerate(zip(networks, best, strict=True)):
        axes = _add_axes(page, (0.07 + index * (width + 0.02), 0.14, width, 0.62))
        axes.plot(part["epoch"], part["train_loss"], color="#8a8a8a", linewidth=1.6, label="Training rows")
        axes.plot(part["epoch"], part[held_out], color=_BLUE, linewidth=2.2, label="Held-out rows")
        dot: dict[str, Any] = {"marker": "o", "markersize": 8, "markeredgecolor": "white", "zorder": 5}
        axes.plot(row["epoch"], row[held_out], color=_BLUE, linestyle="none", label="Kept", **dot)
        axes.set(xlim=(0, history["epoch"].max() + 1), ylim=(losses.min() - room, losses.max() + room))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.set_xlabel("Epoch", **_text(9.5, _INK))
        if index:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("Log loss", **_text(9.5, _INK))
        axes.annotate(f"Network {index + 1}", (0, 1), (0, 6), **_beside(), **_text(9.5, _INK))
    handles, labels = page.axes[0].get_legend_handles_labels()
    page.legend(handles, labels, loc=(0.068, 0.855), ncols=3, **_legend())
    return page


def draw_embedding(embedding: Embedding, vertical: str) -> Figure:
    """Draw the components over the raw values, with the knots, and below how many rows have which value."""
    pieces = len(embedding.knots) + 1
    page = _new_page(5.4, f"What a network of {vertical} sees of {embedding.column}, in {pieces} pieces")
    axes = _add_axes(page, (0.07, 0.37, 0.91, 0.46))
    for index, (component, looks) in enumerate(zip(embedding.components.T, _LINES, strict=False)):
        axes.plot(embedding.raw, component, label=f"Component {index + 1}", **looks)
    axes.plot(
        embedding.knots,
        np.zeros_like(embedding.knots),
        label="Knots: quantiles of training rows",
        transform=axes.get_xaxis_transform(),
        linestyle="none",
        marker="|",
        markersize=11,
        markeredgewidth=1.3,
        color=_INK,
        clip_on=False,
    )
    axes.tick_params(labelbottom=False)
    axes.set_ylabel("Value of the component", **_text(9.5, _INK))
    below = _add_axes(page, (0.07, 0.11, 0.91, 0.19))
    edges = _edges(embedding)
    counts, _ = np.histogram(embedding.rows, bins=edges)
    below.stairs(counts, edges, fill=True, color=_PALE)
    below.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    below.set_ylabel("Rows", **_text(9.5, _INK))
    below.set_xlabel(embedding.column, **_text(9.5, _INK))
    for each in (axes, below):
        each.set_xlim(edges[0], edges[-1])
    page.align_ylabels([axes, below])
    handles, labels = axes.get_legend_handles_labels()
    page.legend(handles, labels, loc=(0.068, 0.86), ncols=len(handles), **_legend())
    return page


def _edges(embedding: Embedding) -> Floats:
    """Ends of the bars; a bar a value where those are whole numbers and few."""
    low, high = embedding.raw[[0, -1]]
    if (embedding.rows % 1 == 0).all() and high - low <= 2 * _BARS:
        return np.arange(low, high + 2) - 0.5
    return np.linspace(low, high, _BARS + 1)


def _new_page(height: float, title: str) -> Figure:
    page = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(page)
    page.text(0.07, 1 - 0.3 / height, title, fontweight="bold", **_text(13, _INK))
    return page


def _add_axes(page: Figure, box: tuple[float, float, float, float]) -> Axes:
    axes = page.add_axes(box)
    axes.tick_params(length=0, pad=5, labelsize=8.5, labelcolor=_GREY, labelfontfamily=_FONT)
    axes.grid(color="#ececec", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_RULE)
    return axes


def _text(size: float, color: str) -> dict[str, Any]:
    return {"fontsize": size, "color": color, "family": _FONT}


def _beside() -> dict[str, Any]:
    return {"xycoords": "axes fraction", "textcoords": "offset points"}


def _legend() -> dict[str, Any]:
    looks = {"frameon": False, "borderpad": 0, "borderaxespad": 0, "handlelength": 2.2, "columnspacing": 1.8}
    return looks | {"labelcolor": _INK, "prop": {"family": _FONT, "size": 9.5}}


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw both pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="outputs of `kedro run --pipelines VERTICAL`"
    )
    parser.add_argument("--vertical", default="marketing")
    parser.add_argument("--column", default="age", help="a column of numbers")
    parser.add_argument("--output", type=Path, default=HERE.parent / "docs", help="folder of the pictures")
    options = parser.parse_args(arguments)
    history = pd.read_parquet(options.data / "06_models" / options.vertical / "history.parquet")
    embedding = read_embedding(options.data, options.vertical, options.column)
    pictures = {
        "model_loss.png": draw_losses(history, options.vertical),
        "model_embedding.png": draw_embedding(embedding, options.vertical),
    }
    for name, page in pictures.items():
        # Without the name and version of matplotlib in the file.
        page.savefig(options.output / name, dpi=_DPI, metadata={"Software": None})
        print(options.output / name)


if __name__ == "__main__":
    main()
