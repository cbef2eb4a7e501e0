"""What docs/verticals.md shows of a draft of series is what is drafted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY
from customers import bare_project

from lepton_pipeline.onboarding.new.draft import new_vertical, print_new
from lepton_pipeline.onboarding.new.plan import Wanted
from lepton_pipeline.project.declaration import read_vertical

SECTION = (REPOSITORY / "docs/verticals.md").read_text(encoding="utf-8")
SECTION = SECTION.partition("### Let series be forecast\n")[2].partition("\n### ")[0]
(SHOWN,) = re.findall(r"```console\n(.*?)```", SECTION, re.DOTALL)
(DECLARED,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
WANTED = Wanted("Quantity", time="InvoiceDate", series=("StockCode",), horizon=4, frequency="W")


def test_the_declaration_is_valid_and_says_what_is_printed() -> None:
    vertical = read_vertical("shop_demand", yaml.safe_load(DECLARED)["shop_demand"])
    forecast = vertical.forecast
    assert forecast is not None
    assert (tuple(forecast.series), forecast.horizon) == (WANTED.series, WANTED.horizon)
    assert forecast.frequency == WANTED.frequency
    for key in ("aggregate", "fill", "negative"):
        assert re.search(rf"(?m)^ {key} +{getattr(forecast, key)} ", SHOWN)
    options = "--target Quantity --time InvoiceDate --series StockCode --horizon 4 --frequency W"
    assert SHOWN.splitlines()[0].endswith(options)


def words(text: str) -> list[str]:
    """Without the lines and blanks that depend on a terminal's width."""
    return text.replace("─", " ").split()


@pytest.mark.exhaustive
def test_the_lines_of_retail_are_drafted_as_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = bare_project(tmp_path)
    print_new(new_vertical(project, "shop_demand", [REPOSITORY / "data/01_raw/retail"], WANTED))
    printed = capsys.readouterr().out.split()
    assert " ".join(SHOWN.split("\n", 1)[1].replace("─", "").split()) == " ".join(printed).replace(
        "─", ""
    ).replace("  ", " ")
    assert (project / "conf/base/shop_demand/parameters.yml").read_text(encoding="utf-8") == DECLARED
