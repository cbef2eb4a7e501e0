import pytest
from kedro.config import MissingConfigException

from lepton_pipeline.config_loader import ConfigLoader
from lepton_pipeline.errors import ConfigurationError


@pytest.fixture
def load(tmp_path):
    (tmp_path / "base/shop").mkdir(parents=True)
    (tmp_path / "local").mkdir()

    def load_parameters(content: bytes):
        (tmp_path / "base/shop/parameters.yml").write_bytes(content)
        return ConfigLoader(str(tmp_path), base_env="base", default_run_env="local")["parameters"]

    return load_parameters


def test_what_is_right_is_loaded(load):
    assert load(b"shop: {dataset: {target: bought}}") == {"shop": {"dataset": {"target": "bought"}}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- shop", r"base/shop/parameters.yml holds \"\['shop'\]\", but must hold keys with values; correct the file"),
        (b"\xff\xfe", r"base/shop/parameters.yml cannot be read as YAML: UnicodeDecodeError"),
        (b"shop: " + b"[" * 3000, r"base/shop/parameters.yml cannot be read as YAML: RecursionError"),
        (b"shop: ${nothing.here}", r"parameters.yml: Interpolation key 'nothing.here' not found; set it"),
    ],
)
def test_what_is_wrong_is_named(load, content, message):
    with pytest.raises(ConfigurationError, match=message):
        load(content)


def test_a_folder_that_is_missing_stays_an_error_of_kedro(tmp_path):
    with pytest.raises(MissingConfigException):
        ConfigLoader(str(tmp_path), base_env="base", default_run_env="local")["parameters"]
