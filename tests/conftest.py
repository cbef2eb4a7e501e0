"""What several test modules need: small tables, and a whole project in a temporary folder."""

from __future__ import annotations

import fcntl
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from warm_kedro import Done, WarmKedro

from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.parameters import Dataset

# Whoever runs the tests may be running slices.
for _name in ("LEPTON_ROWS", "LEPTON_EPOCHS"):
    os.environ.pop(_name, None)
# Tests run beside each other, and libraries that take every core wait for one another most of the time.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

REPOSITORY = Path(__file__).parents[1]
# Only `--exhaustive` runs these: they test no product, or hold what pages say to what was measured once.
LATER = ("benchmarks", "test_decisions_docs.py", "test_explanation_docs.py", "test_model_docs.py")
QUICK = {"epochs": 4, "patience": 4, "batch_size": 128}
# Bundled verticals that read the raw files of another.
FILES_OF = {
    "energy_load": "energy",
    "retail_demand": "retail",
    "retail_recommendation": "retail",
    "retail_discovery": "retail",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--exhaustive", action="store_true", help="also what is marked so, every moment of a kill, ..."
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out `LATER`, unless all is asked for, or these are named."""
    named = config.getoption("--exhaustive") or any(name in given for name in LATER for given in config.args)
    return True if collection_path.name in LATER and not named else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `exhaustive`, unless all is asked for."""
    if not config.getoption("--exhaustive"):
        left_out = [item for item in items if item.get_closest_marker("exhaustive")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]


def pytest_sessionfinish() -> None:
    if warm_kedro.cache_info().currsize:
        warm_kedro().close()


@cache
def warm_kedro() -> WarmKedro:
    """Starts kedro commands in a second each."""
    return WarmKedro(_environment, REPOSITORY)


@pytest.fixture
def exhaustive(request: pytest.FixtureRequest) -> bool:
    """Whether all cases are to be tried, not a few."""
    return bool(request.config.getoption("--exhaustive"))


@pytest.fixture(scope="module")
def few_trees() -> Iterator[None]:
    """Boosting learns faster: by itself it takes most of the time of a fit in this process."""
    from lepton_pipeline.model.boosting import fit

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "SLOW", 0.2)
        yield


@pytest.fixture
def raw_file() -> Callable[..., RawFile]:
    """Make a raw file of bytes or text."""

    def make(content: bytes | str, name: str = "table.csv") -> RawFile:
        content = content.encode() if isinstance(content, str) else content
        return RawFile(name, lambda: io.BytesIO(content))

    return make


@pytest.fixture
def dataset() -> Dataset:
    return Dataset(target="bought", positive="yes", id="id")


@pytest.fixture
def table() -> pd.DataFrame:
    """Forty rows, half of them positive."""
    return pd.DataFrame(
        {
            "id": range(40),
            "age": [20 + row for row in range(40)],
            "city": ["Oslo", "Rome"] * 20,
            "bought": ["yes", "no", "no", "yes"] * 10,
        }
    )


@dataclass(frozen=True)
class Project:
    """A copy of the project with little data, in a folder of its own."""

    path: Path

    def run(self, *arguments: str, environment: dict[str, str] | None = None, before: str = "") -> Done:
        """Run a kedro command in a process of its own, which has imported the libraries; see `WarmKedro.run`."""
        return warm_kedro().run(self.path, *arguments, environment=environment, before=before)

    def run_cold(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a kedro command as a user does: ten seconds for the libraries alone."""
        command = [sys.executable, "-m", "kedro", *arguments]
        variables = {**_environment(), **(environment or {})}
        return subprocess.run(
            command, cwd=self.path, env=variables, capture_output=True, text=True, check=False
        )

    def declare(self, vertical: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a vertical's declaration, or add a vertical that has the data of finance."""
        folder = self.path / "conf" / "base" / vertical
        if not folder.exists():
            folder.mkdir()
            shutil.copytree(self.path / "data/01_raw/finance", self.path / "data/01_raw" / vertical)
            declared = self.declared("finance")
        else:
            declared = self.declared(vertical)
        change(declared)
        (folder / "parameters.yml").write_text(yaml.safe_dump({vertical: declared}))

    def declared(self, vertical: str) -> dict[str, Any]:
        text = (self.path / "conf" / "base" / vertical / "parameters.yml").read_text()
        return dict(yaml.safe_load(text)[vertical])

    def copy(self, path: Path, *ignored: str) -> Project:
        """A project of its own with the same runs and models, as `kedro adopt` makes one of a copy."""
        from lepton_pipeline.tracking.local_store import local_store

        shutil.copytree(self.path, path, symlinks=True, ignore=shutil.ignore_patterns(*ignored))
        home = local_store("sqlite:///mlflow.db", "mlruns", path)
        assert home is not None
        home.rewrite(home.former())
        return Project(path)

    def client(self) -> Any:
        import mlflow

        # Without the second address, models would be looked for where another test of this process kept them.
        address = f"sqlite:///{self.path}/mlflow.db"
        return mlflow.MlflowClient(address, address)

    def runs(self, vertical: str = "finance") -> list[Any]:
        """MLflow runs of a vertical, the latest first."""
        client = self.client()
        experiment = client.get_experiment_by_name(vertical)
        return list(client.search_runs([experiment.experiment_id])) if experiment else []

    def output(self, layer: str, name: str, vertical: str = "finance") -> Path:
        return self.path / "data" / layer / vertical / name


def _environment() -> dict[str, str]:
    """The variables of this process without the addresses that MLflow leaves there for processes that it starts."""
    return {
        key: value
        for key, value in os.environ.items()
        if key not in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
    }


def copy_face(path: Path, verticals: Collection[str]) -> None:
    """Copy what git tracks of the project's face, and of the verticals only these."""
    # Empty: the package is the one that is installed.
    (path / "src").mkdir(parents=True)
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(REPOSITORY / name, path / name)
    others = {folder.parent.name for folder in (REPOSITORY / "conf/base").glob("*/parameters.yml")} - set(
        verticals
    )
    shutil.copytree(REPOSITORY / "conf", path / "conf", ignore=shutil.ignore_patterns(*others))


def make_project(path: Path, rows: int = 1500) -> Project:
    """A project with the vertical finance and the first `rows` of its table."""
    copy_face(path, ["finance"])
    raw = path / "data/01_raw/finance"
    raw.mkdir(parents=True)
    finance = pd.read_csv(
        REPOSITORY / "data/01_raw/finance/default_of_credit_card_clients.csv.gz", nrows=rows
    )
    finance.to_csv(raw / "sample.csv.gz", index=False)
    project = Project(path)

    def quick(declared: dict[str, Any]) -> None:
        declared["dataset"] |= {"sensitive": ["AGE"], "categorical": ["SEX", "EDUCATION", "MARRIAGE"]}
        declared["training"] = QUICK
        declared["evaluation"] = {"resamples": 100, "explained_rows": 100}
        # With few rows and a quick training, chance decides which of the two is ahead.
        declared["gate"] |= {"at_least": 0.6, "margin": 0.0, "baseline_margin": 0.5}
        # What is due is declared by the tests of that.
        del declared["retraining"]

    project.declare("finance", quick)
    return project


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Make a folder that all workers share: the first that asks makes it, the others wait; not to be changed."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def once(name: str, make: Callable[[Path], None]) -> Path:
        folder, whole = root / "shared" / name, root / "shared" / f"{name}.whole"
        folder.parent.mkdir(exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not whole.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                whole.touch()
        return folder

    return once


@pytest.fixture(scope="session")
def store(made_once: Any) -> Path:
    """An empty MLflow store: to make its tables costs seconds, to copy it nothing."""

    def make(folder: Path) -> None:
        import mlflow

        mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()

    return Path(made_once("store", make) / "mlflow.db")


@pytest.fixture(scope="session")
def _shop(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    # Beside the tests of the registry.
    from small_shop import make_shop

    return make_shop(store, tmp_path_factory.mktemp("shop"))


@pytest.fixture
def shop(_shop: Any) -> Any:
    """A small real model in a registry; each test registers versions of it under a name of its own."""
    import mlflow

    # Other tests of this process may have pointed MLflow elsewhere since.
    mlflow.set_tracking_uri(_shop.log.uri)
    mlflow.set_registry_uri(_shop.log.uri)
    return _shop


@pytest.fixture
def past(store: Path, tmp_path: Path) -> Any:
    """A model `shop` without a version, in a store of its own."""
    import mlflow
    from small_history import History

    shutil.copy(store, tmp_path / "mlflow.db")
    address = f"sqlite:///{tmp_path}/mlflow.db"
    # Copies of versions are resolved there.
    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(address)
    client = mlflow.MlflowClient(address, address)
    client.create_registered_model("shop")
    return History(client, tmp_path, "shop", tmp_path / "mlruns")


@pytest.fixture
def project(tmp_path: Path, store: Path) -> Project:
    """A fresh project that has an empty MLflow store."""
    made = make_project(tmp_path / "project")
    shutil.copy(store, made.path / "mlflow.db")
    return made


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, store: Path, made_once: Any) -> tuple[Project, str]:
    """A project in which finance ran once, as a user runs it, and what it printed; not to be changed."""

    def make(folder: Path) -> None:
        made = make_project(folder / "project")
        shutil.copy(store, made.path / "mlflow.db")
        done = made.run_cold("run", "--pipelines", "finance")
        assert done.returncode == 0, done.stderr
        (folder / "printed").write_text(done.stdout + done.stderr)

    made = made_once("trained", make)
    # Each worker has its own: some tests ask whether any file was changed.
    return Project(made / "project").copy(tmp_path_factory.mktemp("trained") / "project"), (
        made / "printed"
    ).read_text()


@pytest.fixture(scope="session")
def warm() -> WarmKedro:
    return warm_kedro()


@pytest.fixture(scope="session")
def make_small(store: Path) -> Callable[[Path], Project]:
    """Make a project with the smallest finance that trains, and an empty store: how good it is does not matter."""

    def small(declared: dict[str, Any]) -> None:
        declared["training"] = {"model": "linear", "epochs": 1}
        declared["evaluation"] = {"resamples": 100}
        declared["gate"] = {"at_least": 0.0, "margin": 0.99, "baseline_margin": 0.99}

    def make(path: Path) -> Project:
        made = make_project(path, rows=400)
        made.declare("finance", small)
        shutil.copy(store, made.path / "mlflow.db")
        return made

    return make
