"""Tables beside the bundled verticals, from scikit-learn or drawn here: multiclass and regression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from quality_metrics import MULTICLASS, REGRESSION
from quality_product import declare

from lepton_pipeline.parameters import Vertical

TARGET = "target"


@dataclass(frozen=True)
class ExtraTable:
    """A table that needs no pipeline: how it is made, and what is to be predicted in it."""

    make: Callable[[], pd.DataFrame]
    task: str
    transform: str | None = None

    @property
    def declared(self) -> Vertical:
        """Its declaration, every default filled in."""
        return declare(TARGET, self.task, self.transform)


def _bundled(name: str) -> Callable[[], pd.DataFrame]:
    def make() -> pd.DataFrame:
        from sklearn import datasets

        table: pd.DataFrame = getattr(datasets, f"load_{name}")(as_frame=True).frame
        return table

    return make


def _friedman() -> pd.DataFrame:
    from sklearn.datasets import make_friedman1

    columns, target = make_friedman1(n_samples=5000, noise=1.0, random_state=0)
    return _named(columns, target)


def _heteroscedastic() -> pd.DataFrame:
    """Noise that grows with the third column, so that intervals of one width are too wide or too narrow."""
    generator = np.random.default_rng(0)
    columns = generator.uniform(-1, 1, (4000, 5))
    noise = generator.normal(0, 0.1 + 0.9 * (columns[:, 2] + 1) / 2)
    return _named(columns, np.sin(3 * columns[:, 0]) + columns[:, 1] + noise)


def _heavy_tails() -> pd.DataFrame:
    """A linear law with Student's noise of three degrees of freedom."""
    generator = np.random.default_rng(0)
    columns = generator.normal(size=(1500, 8))
    return _named(columns, columns @ np.linspace(1.0, 0.0, 8) + generator.standard_t(3, 1500))


def _skewed() -> pd.DataFrame:
    """A log-normal target, learnt as its log, with a category and missing values."""
    generator = np.random.default_rng(0)
    columns = generator.normal(size=(3000, 6))
    region = generator.integers(12, size=3000)
    location = 0.8 * columns[:, 0] + 0.4 * columns[:, 1] * columns[:, 2] + 0.1 * region
    target = np.exp(3 + location + generator.normal(0, 0.5, 3000))
    columns[generator.random(columns.shape) < 0.05] = np.nan
    return _named(columns, target).assign(region=[f"r{number}" for number in region])


def _named(columns: np.ndarray, target: np.ndarray) -> pd.DataFrame:
    names = [f"x{position}" for position in range(columns.shape[1])]
    return pd.DataFrame(columns, columns=names).assign(**{TARGET: target})


# By the name that `--verticals` takes.
EXTRA_TABLES = {
    "digits": ExtraTable(_bundled("digits"), MULTICLASS),
    "iris": ExtraTable(_bundled("iris"), MULTICLASS),
    "wine": ExtraTable(_bundled("wine"), MULTICLASS),
    "diabetes": ExtraTable(_bundled("diabetes"), REGRESSION),
    "friedman1": ExtraTable(_friedman, REGRESSION),
    "heavy_tails": ExtraTable(_heavy_tails, REGRESSION),
    "heteroscedastic": ExtraTable(_heteroscedastic, REGRESSION),
    "skewed": ExtraTable(_skewed, REGRESSION, "log"),
}
