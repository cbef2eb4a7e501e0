"""A run that is killed with SIGKILL at every node: what is on disk is whole, and the next run goes on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, Project
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from killer import MOMENTS

from lepton_pipeline import settings
from lepton_pipeline.pipelines.training import create_pipeline

pytestmark = pytest.mark.exhaustive

PIPELINE = create_pipeline("finance")
NODES = [node.name for node in PIPELINE.nodes]
RUN = ("run", "--pipelines", "finance")
GO_ON = (*RUN, "--only-missing-outputs")


def moments(node: str, exhaustive: bool) -> list[str]:
    """Where a node is killed: at two moments in turn, where a version is registered and judged at all of them.

    Without `exhaustive`, only every fourth node is killed, while it writes or at another moment.
    """
    outputs = next(each.outputs for each in PIPELINE.nodes if each.name == node)
    possible = [
        moment for moment in MOMENTS if moment != "removing" and (moment != "between" or len(outputs) > 1)
    ]
    number = NODES.index(node)
    if exhaustive:
        if node in ("finance.register_model", "finance.gate_model"):
            return possible
        return sorted({possible[(number + step) % len(possible)] for step in (0, 2)}, key=MOMENTS.index)
    # The gate decides who is champion, and then writes it down.
    if node == "finance.gate_model" or number % 8 == 0:
        return ["writing"]
    return [possible[number % len(possible)]] if number % 4 == 0 else []


@pytest.fixture(scope="module")
def catalog_entries() -> dict[str, Any]:
    return dict(OmegaConfigLoader(str(REPOSITORY / "conf"), **settings.CONFIG_LOADER_ARGS)["catalog"])


def on_disk(project: Project, entries: dict[str, Any], monkeypatch) -> set[str]:
    """Names of the data sets that exist, each of which can be loaded."""
    monkeypatch.chdir(project.path)
    catalog = DataCatalog.from_config(entries)
    exist = {name for name in PIPELINE.all_outputs() if name in catalog and catalog.get(name).exists()}
    for name in exist:
        catalog.load(name)
    return exist


def require_whole_from_the_first(exist: set[str]) -> None:
    """Nothing is there without that of which it was made: a run that goes on would take what is stale for its own."""
    for node in PIPELINE.nodes:
        if set(node.outputs) & exist:
            inputs = {name for name in node.inputs if name in PIPELINE.all_outputs()}
            assert inputs <= exist, node.name


def left_to_do(exist: set[str]) -> list[str]:
    """Nodes in the order in which a run that goes on works through them: it depends on which of them are left."""
    lacking = [node.name for node in PIPELINE.nodes if not set(node.outputs) <= exist]
    if not lacking:
        return []
    left = [node.name for node in PIPELINE.from_nodes(*lacking).nodes]
    return [node.name for node in PIPELINE.filter(node_names=left).nodes]


def champion(project: Project) -> dict[str, Any]:
    """All that says which model is used, and the bytes of its files."""
    client = project.client()
    aliases = client.get_registered_model("finance").aliases
    version = client.get_model_version("finance", str(aliases["champion"]))
    folder = Path(
        client.get_logged_model(version.source.rpartition("/")[2]).artifact_location.removeprefix("file://")
    )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert files
    return {
        "version": aliases["champion"],
        "decision": version.tags["gate.decision"],
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }


def statuses(project: Project) -> list[str]:
    """Of all runs, the latest first."""
    return [run.info.status for run in project.runs()]


def test_killed_at_every_node_a_run_goes_on_and_the_champion_stays(
    warm, make_small, catalog_entries, tmp_path, monkeypatch, exhaustive
):
    project = make_small(tmp_path / "project")
    first = warm.run(project.path, *RUN)
    assert first.returncode == 0, first.stderr
    before = champion(project)
    project.declare("finance", lambda declared: declared.update(split={"seed": 8}))

    # Of the last run, the run that is killed has removed its last result only.
    removing = warm.run(project.path, *RUN, kill=(NODES[0], "removing"))
    assert removing.returncode == -9, removing.said
    require_whole_from_the_first(on_disk(project, catalog_entries, monkeypatch))
    kills = 1
    command = RUN
    pending = {node: moments(node, exhaustive) for node in NODES}
    left = NODES
    # The first of those that are left, so that none is done on the way to another.
    while to_kill := [name for name in left if pending[name]]:
        node = to_kill[0]
        moment = pending[node].pop(0)
        killed = warm.run(project.path, *command, kill=(node, moment))
        assert killed.returncode == -9, (node, moment, killed.said)
        kills += 1
        exist = on_disk(project, catalog_entries, monkeypatch)
        require_whole_from_the_first(exist)
        made = PIPELINE.to_nodes(node).all_outputs() if node != NODES[0] or moment != "starting" else set()
        own = {name for each in PIPELINE.nodes if each.name == node for name in each.outputs}
        # A first run that is killed before it has a result leaves the last one as it was.
        untouched = command == RUN and moment in ("starting", "computed")
        if moment == "saved":
            assert made <= exist, (node, moment)
        elif not untouched:
            assert made - own <= exist, (node, moment)
            assert not own <= exist, (node, moment)
        if "finance.decision" in own and moment != "starting":
            # The gate has spoken, though its word is not on disk: another model may be champion by now, rightly.
            before = champion(project)
            assert before["decision"] == "promoted", (node, moment)
        assert champion(project) == before, (node, moment)
        # The dead one is found by the next; those before are found.
        assert statuses(project)[0] == "RUNNING", (node, moment)
        assert set(statuses(project)[1:-1]) <= {"KILLED"}, (node, moment)
        if not untouched:
            command = GO_ON
        left = NODES if untouched else left_to_do(exist)

    assert not any(pending.values())
    done = warm.run(project.path, *GO_ON)
    assert done.returncode == 0, done.stderr
    assert on_disk(project, catalog_entries, monkeypatch) == set(PIPELINE.all_outputs())
    assert statuses(project)[-1] == "FINISHED"
    assert sorted(set(statuses(project)[:-1])) in (["KILLED"], ["FINISHED", "KILLED"])
    assert statuses(project).count("KILLED") == kills
    assert not [each for each in (project.path / "data").rglob(".*") if each.name != ".locks"]
    plain = warm.run(project.path, *RUN)
    assert plain.returncode == 0, plain.stderr
    assert statuses(project)[0] == "FINISHED"
