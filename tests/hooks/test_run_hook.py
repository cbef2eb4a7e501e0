import logging

import pytest
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.errors import DiskFullError
from lepton_pipeline.hooks import results
from lepton_pipeline.hooks.results import Results, kind_of, log_failure, part_markdown, print_part
from lepton_pipeline.parameters.jobs import Job


def shown(error, **options):
    with log_failure(Job("shop"), "0b1f", "its summary", **options):
        raise error


def test_a_summary_that_fails_is_one_line_that_says_what_and_where_to_look(caplog):
    caplog.set_level(logging.WARNING)
    shown(ValueError("no\nfigures of https://user:secret@example.org"))
    (line,) = caplog.messages
    assert line.startswith(
        "shop: its summary failed (ValueError: no figures of https://***@example.org); run 0b1f is"
    )
    assert line.endswith("kedro compare shop lists it, make ui shows it")


def test_what_a_user_can_mend_is_told_by_the_command_unless_it_was_only_printed(caplog):
    with pytest.raises(DiskFullError):
        shown(DiskFullError("the disk is full"))
    assert not caplog.messages
    shown(DiskFullError("the disk is full"), always=True)
    assert "the disk is full" in caplog.text


def echo(value):
    return value


# The gate's decision goes into the report.
STAGES = [("fit", "params:seed", "model"), ("gate", "model", "decision"), ("write", "decision", "report")]
SHOP = Pipeline(
    [Node(echo, given, made, name=name) for name, given, made in [*STAGES, ("draw", "model", "figures")]],
    namespace="shop",
)


@pytest.mark.parametrize(
    ("asked", "missing", "kind"),
    [
        ({}, "", "training"),
        # It goes on after a failure, to the end.
        ({"from_nodes": ["shop.fit"]}, "", "training"),
        ({"from_nodes": ["shop.gate"]}, "", "training"),
        ({"from_nodes": ["shop.write"]}, "report", "training"),
        ({"from_nodes": ["shop.write"]}, "report figures", "partial"),
        ({"from_nodes": ["shop.write"]}, "", "partial"),
        ({"node_names": ["shop.draw"]}, "", "partial"),
        ({"node_names": ["shop.gate"]}, "decision report", "partial"),
        ({"to_nodes": ["shop.gate"]}, "decision report", "partial"),
        ({"to_outputs": ["shop.model"]}, "model decision report figures", "partial"),
    ],
)
def test_a_run_that_does_not_come_to_the_end_is_partial(monkeypatch, asked, missing, kind):
    monkeypatch.setattr(results, "pipelines", {"shop": SHOP})
    gone = {f"shop.{name}" for name in missing.split()}
    assert kind_of(Job("shop"), SHOP.filter(**asked), lambda nodes: not gone & nodes.all_outputs()) == kind


def test_a_partial_run_prints_what_it_made_and_no_more(tmp_path, capsys):
    found = Results({}, {}, tmp_path).of_part(Job("shop"), "0b1f", ["shop.figures"])
    print_part("shop", found, {"draw": 0.5}, "make ui")
    printed = capsys.readouterr().out
    assert "shop: part of the pipeline" in printed
    assert "figures" in printed
    assert "AUC" not in printed
    assert part_markdown(found) == "Part of the pipeline: made `figures`."
