"""A bare project, and a table of customers that the vertical `shop` is made of in it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lepton_pipeline.onboarding.new.draft import NewVertical, new_vertical
from lepton_pipeline.onboarding.new.plan import Wanted

ROWS = 60


def bare_project(folder: Path) -> Path:
    for each in ("conf/base", "conf/staging", "data/01_raw"):
        (folder / "project" / each).mkdir(parents=True)
    return folder / "project"


def frame(**columns: Any) -> pd.DataFrame:
    """A table of customers who leave or stay, with further columns."""
    draw = random.Random(3)
    return pd.DataFrame(
        {
            "visits": [draw.randrange(9) for _ in range(ROWS)],
            "plan": [draw.choice(["a", "b", "c"]) for _ in range(ROWS)],
            "churn": ["yes", "no", "no"] * (ROWS // 3),
            **columns,
        }
    )


def new_shop(project: Path, table: pd.DataFrame, **options: Any) -> tuple[NewVertical, dict[str, Any], str]:
    """What `kedro vertical new` reports of a table, what it declares, and the text of that."""
    file = project.parent / "customers.csv"
    table.to_csv(file, index=False)
    result = new_vertical(project, "shop", [file], Wanted(**options))
    text = (project / "conf/base/shop/parameters.yml").read_text(encoding="utf-8")
    return result, yaml.safe_load(text)["shop"], text


def left_over(project: Path) -> list[str]:
    """The files of the project."""
    return sorted(path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file())
