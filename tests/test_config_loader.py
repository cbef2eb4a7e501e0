import pytest
from kedro.config import MissingConfigException
from kedro.framework.project import pipelines

from lepton_pipeline import config_loader
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


def bomb(levels: int) -> bytes:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("content", [bomb(9), b"shop: &a [*a]", b"a: &a {x: 1}\nb: &b {<<: *a, self: *b}"])
def test_aliases_that_stand_for_too_much_are_refused_at_once(load, content):
    with pytest.raises(ConfigurationError, match=r"base/shop/parameters.yml: its aliases .* more than 100,000 values"):
        load(content)


def quoted(n: int) -> str:
    return f"'${{a{n}}}'"


def test_references_that_stand_for_too_much_are_given_up(load, monkeypatch):
    monkeypatch.setattr(config_loader, "_SECONDS", 1)
    lines = ["a0: [x]"] + [f"a{n}: [{', '.join([quoted(n - 1)] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigurationError, match=r"takes longer than 1 s: .*base/shop/parameters.yml; look for values"):
        load("\n".join(lines).encode())


def test_aliases_are_followed(load):
    assert load(b"shop: {a: &a [1], b: *a}") == {"shop": {"a": [1], "b": [1]}}
    assert len(load(bomb(3))["a2"]) == 10


def test_a_file_of_another_vertical_is_not_read(load, tmp_path, monkeypatch):
    (tmp_path / "base/mill").mkdir()
    (tmp_path / "base/mill/parameters.yml").write_bytes(bomb(9))
    monkeypatch.setattr(pipelines, "_requested_pipelines", ["shop_scoring"])
    assert load(b"shop: {dataset: {target: bought}}") == {"shop": {"dataset": {"target": "bought"}}}
    monkeypatch.setattr(pipelines, "_requested_pipelines", ["shop", "mill"])
    with pytest.raises(ConfigurationError, match=r"base/mill/parameters.yml: its aliases"):
        load(b"shop: {}")


def test_a_folder_that_is_missing_stays_an_error_of_kedro(tmp_path):
    with pytest.raises(MissingConfigException):
        ConfigLoader(str(tmp_path), base_env="base", default_run_env="local")["parameters"]
