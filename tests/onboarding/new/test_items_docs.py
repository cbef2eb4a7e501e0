"""What docs/verticals.md shows of a draft of recommendation is what is drafted."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY
from customers import bare_project

from lepton_pipeline.onboarding.new.draft import new_vertical, print_new
from lepton_pipeline.onboarding.new.plan import Wanted
from lepton_pipeline.project.declaration import read_vertical

SECTION = (REPOSITORY / "docs/verticals.md").read_text(encoding="utf-8")
SECTION = SECTION.partition("### Let items be offered\n")[2].partition("\n### ")[0]
(SHOWN,) = re.findall(r"```console\n(.*?)```", SECTION, re.DOTALL)
(DECLARED,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
WANTED = Wanted(customer="Customer ID", item="StockCode", time="InvoiceDate")


def words(text: str) -> list[str]:
    """Without the lines and blanks that depend on a terminal's width."""
    return text.replace("─", " ").split()


def test_the_declaration_is_valid_and_says_what_is_printed() -> None:
    vertical = read_vertical("shop_offers", yaml.safe_load(DECLARED)["shop_offers"])
    declared = vertical.recommendation
    assert declared is not None
    assert (declared.customer, declared.item, declared.time) == (WANTED.customer, WANTED.item, WANTED.time)
    for key in ("customer", "item", "time", "quantity", "price", "purpose", "every", "cuts"):
        assert re.search(rf"(?m)^ {key} +{getattr(declared, key)} ", SHOWN)
    assert re.search(rf"(?m)^ label_delay +{vertical.dataset.label_delay} ", SHOWN)
    options = ["--customer", "Customer ID", "--item", "StockCode", "--time", "InvoiceDate"]
    assert shlex.split(SHOWN.splitlines()[0])[-6:] == options


@pytest.mark.exhaustive
def test_the_lines_of_retail_are_drafted_as_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = bare_project(tmp_path)
    print_new(new_vertical(project, "shop_offers", [REPOSITORY / "data/01_raw/retail"], WANTED))
    assert words(capsys.readouterr().out) == words(SHOWN.split("\n", 1)[1])
    assert (project / "conf/base/shop_offers/parameters.yml").read_text(encoding="utf-8") == DECLARED
