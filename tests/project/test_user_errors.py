import logging

import pytest
from kedro.config import MissingConfigException
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, ThreadRunner

from lepton_pipeline.errors import ConfigurationError, ContractError, DiskFullError
from lepton_pipeline.project.user_errors import kedro_hint, resume_advice, user_error


def fail(error):
    def stage(*given):
        raise error

    return stage


@pytest.mark.parametrize("runner", [SequentialRunner, ThreadRunner])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ContractError("AGE is below 18"), "run it again whole: kedro run --pipelines shop"),
        (ConfigurationError("gate.margin"), "run it again whole: kedro run --pipelines shop"),
        (RuntimeError("a crash"), 'the same command and --from-nodes "shop.read"'),
        # It says itself what to do.
        (DiskFullError("make room"), ""),
    ],
)
def test_after_a_failure_what_helps_is_said_in_place_of_kedros_hint(caplog, runner, error, said):
    nodes = [
        Node(lambda rows: rows, "raw", "table", name="read"),
        Node(fail(error), "table", "model", name="fit"),
    ]
    catalog = DataCatalog({"shop.raw": MemoryDataset(1), "shop.table": MemoryDataset()})
    with kedro_hint() as hint, pytest.raises(type(error)):
        runner().run(Pipeline(nodes, namespace="shop"), catalog)
    said_now = resume_advice(error, "shop", hint)
    assert said in said_now
    assert bool(said) == bool(said_now)
    assert "--from-nodes" not in caplog.text


def test_before_any_stage_there_is_nothing_to_go_on_with():
    with kedro_hint() as hint:
        logging.getLogger("kedro.runner.sequential_runner").warning("something else")
        assert resume_advice(ConfigurationError("wrong"), "shop", hint) == ""
        logging.getLogger("kedro.runner.sequential_runner").warning(
            "No nodes ran. Repeat the previous command."
        )
    assert (
        resume_advice(RuntimeError("a crash"), "shop", hint)
        == "Nothing was finished: start the same command again."
    )


def test_an_absent_environment_is_named_with_those_that_are_there(tmp_path):
    for name in ("base", "local"):
        (tmp_path / "conf" / name).mkdir(parents=True)
    said = "Given configuration path either does not exist or is not a valid directory: "
    known = user_error(MissingConfigException(f"{said}{tmp_path}/conf/prodd"))
    assert isinstance(known, ConfigurationError)
    assert str(known) == f"--env: there is no folder {tmp_path}/conf/prodd; environments are base, local."
    # The folder of all environments is absent.
    other = f"{said}{tmp_path}/nowhere/prodd"
    assert str(user_error(MissingConfigException(other))) == other
