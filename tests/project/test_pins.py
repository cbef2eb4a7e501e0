"""Versions that configuration names."""

from __future__ import annotations

import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.project.pins import pinned_versions


def write(conf, name, text):
    (conf / name).parent.mkdir(parents=True, exist_ok=True)
    (conf / name).write_text(text)


def test_versions_of_all_environments_count_and_their_variables_are_not_needed(tmp_path):
    write(tmp_path, "base/shop/parameters.yml", "shop: {scoring: {version: 3}, gate: {metric: auc}}")
    write(
        tmp_path,
        "prod/parameters.yml",
        "shop: {scoring: {version: 5}, alerts: {webhook: '${oc.env:NOT_SET}'}}",
    )
    write(tmp_path, "local/parameters/deep/any.yml", "shop: {scoring: {version: '${pin}'}}\npin: 7")
    write(tmp_path, "base/mill/parameters.yml", "mill: {scoring: {version: 9}}")
    write(tmp_path, "base/catalog.yml", "shop: {scoring: {version: 11}}")
    assert pinned_versions(tmp_path, "shop") == {3, 5, 7}
    assert pinned_versions(tmp_path, "bank") == set()


def test_a_file_that_cannot_be_read_stops_the_command(tmp_path):
    write(tmp_path, "prod/parameters.yml", "shop: [")
    with pytest.raises(
        ConfigurationError, match=r"prod/parameters\.yml: whether it names a version of shop cannot"
    ):
        pinned_versions(tmp_path, "shop")
