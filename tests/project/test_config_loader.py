import re

import pytest
from kedro.config import MissingConfigException
from kedro.framework.project import pipelines

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.project import config_loader
from lepton_pipeline.project.config_loader import ConfigLoader
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.system import credentials
from lepton_pipeline.system.credentials import masked


@pytest.fixture
def load(tmp_path):
    (tmp_path / "base/shop").mkdir(parents=True)
    (tmp_path / "local").mkdir()

    def load_parameters(content: bytes):
        (tmp_path / "base/shop/parameters.yml").write_bytes(content)
        return ConfigLoader(str(tmp_path), base_env="base", default_run_env="local")["parameters"]

    return load_parameters


def test_a_query_stands_beside_what_its_vertical_declares_and_an_environment_replaces_it(load, tmp_path):
    (tmp_path / "base/shop/table.sql").write_bytes("\ufeffSELECT 'ä'\r\nORDER BY 1".encode())
    assert load(b"shop: {split: {seed: 1}}") == {
        "shop": {"split": {"seed": 1}, "sql": "SELECT 'ä'\nORDER BY 1"}
    }
    (tmp_path / "local/shop").mkdir()
    (tmp_path / "local/shop/table.sql").write_text("SELECT 2 ORDER BY 1")
    assert load(b"shop: {}")["shop"]["sql"] == "SELECT 2 ORDER BY 1"
    with pytest.raises(ConfigurationError, match=r"shop\.sql: write the query to conf/base/shop/table\.sql"):
        load(b"shop: {sql: SELECT 1}")
    (tmp_path / "base/shop/table.sql").write_bytes(b"SELECT '\xff'")
    with pytest.raises(
        ConfigurationError, match=r"base/shop/table\.sql is no UTF-8 \(invalid start byte\); save it so"
    ):
        load(b"shop: {}")
    (tmp_path / "base/shop/tables.sql").write_text("SELECT 1")
    (tmp_path / "base/shop/table.sql").unlink()
    with pytest.raises(
        ConfigurationError, match=r"base/shop/tables\.sql is not read; a vertical's query is table"
    ):
        load(b"shop: {}")


def test_what_is_right_is_loaded(load):
    assert load(b"shop: {dataset: {target: bought}}") == {"shop": {"dataset": {"target": "bought"}}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"- shop",
            r"base/shop/parameters.yml holds \"\['shop'\]\", but must hold keys with values; correct the file",
        ),
        (b"\xff\xfe", r"base/shop/parameters.yml cannot be read as YAML: UnicodeDecodeError"),
        (b"shop: " + b"[" * 3000, r"base/shop/parameters.yml cannot be read as YAML: RecursionError"),
        (b"shop: ${nothing.here}", r"parameters.yml: Interpolation key 'nothing.here' not found; set it"),
    ],
)
def test_what_is_wrong_is_named(load, content, message):
    with pytest.raises(ConfigurationError, match=message):
        load(content)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"shop: {dataset: {target: '${oc.env:SHOP_SECRET}'}}", "shop.dataset.target"),
        (b"shop: ${oc.env:SHOP_SECRET}", "shop"),
        (b"shop: {about: {question: 'Who buys ${oc.env:SHOP_SECRET}?'}}", "shop.about.question"),
        (b"shop: {features: {derive: {alerts: '${oc.env:SHOP_SECRET}'}}}", "shop.features.derive.alerts"),
        (b"shop: {evaluation: {slices: [a, '${oc.env:SHOP_SECRET}']}}", "shop.evaluation.slices[1]"),
        (b"_hidden: ${oc.env:SHOP_SECRET}\nshop: {about: {limits: '${_hidden}'}}", "shop.about.limits"),
        (b"_hidden: ${oc.env:SHOP_SECRET}\nshop: {alerts: {webhook: '${_hidden}'}}", "shop.alerts.webhook"),
    ],
)
def test_a_variable_is_not_read_into_what_is_recorded(load, monkeypatch, content, key):
    monkeypatch.setenv("SHOP_SECRET", "c4n4ry")
    declared = load(content)
    assert "c4n4ry" not in str(declared)
    with pytest.raises(
        ConfigurationError, match=rf"{re.escape(key)}: \$\{{oc.env:SHOP_SECRET}} is not read here, for"
    ):
        read_vertical("shop", declared["shop"])


def test_a_variable_of_alerts_is_read_and_is_a_secret_from_then_on(load, monkeypatch):
    monkeypatch.setattr(credentials, "_known", set())
    monkeypatch.setenv("WHERE", "https://chat.example/c4n4ry")
    monkeypatch.setenv("WHO", "ada@example.org")
    content = (
        b"shop: {alerts: {webhook: '${oc.env:WHERE}', file: '${oc.env:NONE,null}', "
        b"mail: {to: ['${oc.env:WHO}']}}}"
    )
    found = {"webhook": "https://chat.example/c4n4ry", "file": None, "mail": {"to": ["ada@example.org"]}}
    assert load(content)["shop"]["alerts"] == found
    assert (
        masked("sent to chat.example/c4n4ry and ada@example.org")
        == "sent to chat.example/*** and ada@example.org"
    )


def test_variables_of_catalog_and_store_are_read_and_their_secrets_are_masked(tmp_path, monkeypatch):
    monkeypatch.setattr(credentials, "_known", set())
    (tmp_path / "local").mkdir()
    (tmp_path / "base").mkdir()
    (tmp_path / "base/mlflow.yml").write_text("tracking_uri: ${oc.env:STORE}\n")
    catalog = "shop.raw: {filepath: '${oc.env:ROOT}/x.csv', load_args: {pin: '${oc.env:PIN_OF_SHOP}'}}"
    (tmp_path / "base/catalog.yml").write_text(catalog)
    for name, value in {
        "ROOT": "/data/shop",
        "STORE": "postgresql://me:c4n4ry@db",
        "PIN_OF_SHOP": "0473829",
    }.items():
        monkeypatch.setenv(name, value)

    def loader():
        patterns = {"config_patterns": {"mlflow": ["mlflow*"]}}
        return ConfigLoader(str(tmp_path), base_env="base", default_run_env="local", **patterns)

    assert loader()["catalog"]["shop.raw"] == {
        "filepath": "/data/shop/x.csv",
        "load_args": {"pin": "0473829"},
    }
    assert loader()["mlflow"] == {"tracking_uri": "postgresql://me:c4n4ry@db"}
    assert masked("/data/shop me c4n4ry 0473829") == "/data/shop me *** ***"
    (tmp_path / "base/globals.yml").write_text("root: ${oc.env:ROOT}\n")
    with pytest.raises(ConfigurationError, match=r"globals.yml: root: \$\{oc.env:ROOT} is not read here"):
        loader()


def bomb(levels: int) -> bytes:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("content", [bomb(9), b"shop: &a [*a]", b"a: &a {x: 1}\nb: &b {<<: *a, self: *b}"])
def test_aliases_that_stand_for_too_much_are_refused_at_once(load, content):
    with pytest.raises(
        ConfigurationError, match=r"base/shop/parameters.yml: its aliases .* more than 100,000 values"
    ):
        load(content)


def quoted(n: int) -> str:
    return f"'${{a{n}}}'"


def test_references_that_stand_for_too_much_are_given_up(load, monkeypatch):
    monkeypatch.setattr(config_loader, "_SECONDS", 1)
    lines = ["a0: [x]"] + [f"a{n}: [{', '.join([quoted(n - 1)] * 10)}]" for n in range(1, 9)]
    with pytest.raises(
        ConfigurationError, match=r"takes longer than 1 s: .*base/shop/parameters.yml; look for values"
    ):
        load("\n".join(lines).encode())


def test_aliases_are_followed(load):
    assert load(b"shop: {a: &a [1], b: *a}") == {"shop": {"a": [1], "b": [1]}}
    assert len(load(bomb(3))["a2"]) == 10


def test_a_file_of_another_vertical_is_not_read(load, tmp_path, monkeypatch):
    (tmp_path / "base/mill").mkdir()
    (tmp_path / "base/mill/parameters.yml").write_bytes(bomb(9))
    monkeypatch.setattr(pipelines, "_requested_pipelines", None)  # what it was is put back in the end
    pipelines.set_requested(["shop_scoring"])
    assert load(b"shop: {dataset: {target: bought}}") == {"shop": {"dataset": {"target": "bought"}}}
    pipelines.set_requested(["shop", "mill"])
    with pytest.raises(ConfigurationError, match=r"base/mill/parameters.yml: its aliases"):
        load(b"shop: {}")


def test_a_folder_that_is_missing_stays_an_error_of_kedro(tmp_path):
    with pytest.raises(MissingConfigException):
        ConfigLoader(str(tmp_path), base_env="base", default_run_env="local")["parameters"]


def test_replies_beside_the_parameters_become_a_part_of_the_dataset(tmp_path, load):
    replies = tmp_path / "base/shop/replies.csv"
    replies.write_bytes('\ufeffclass,reply\r\nyes,"All right, ä."\r\n1,Two\r\n'.encode())
    assert load(b"shop: {dataset: {target: y}}") == {
        "shop": {"dataset": {"target": "y", "replies": {"yes": "All right, ä.", "1": "Two"}}}
    }
    (tmp_path / "local/shop").mkdir(parents=True)
    (tmp_path / "local/shop/replies.csv").write_text("class,reply\nyes,No\n")
    assert load(b"shop: {dataset: {target: y}}")["shop"]["dataset"]["replies"] == {"yes": "No"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no reply"),
        (b"class,reply\n", "holds no reply"),
        (b"a;b\n", r"record 1: the head is \['a;b'\]; it must be class,reply"),
        (
            b"class,reply\nno,All right, then\n",
            "record 2: .* is no class and its reply; put a reply that holds",
        ),
        (b"class,reply\nno, \n", "record 2: .* is no class and its reply"),
        (b"class,reply\nno,a\nno,b\n", "record 3: class 'no' has a reply already"),
        (b'class,reply\nno,"a', "unexpected end of data; save it as CSV"),
        (b"class,reply\nno,\xff\n", "is no UTF-8"),
    ],
)
def test_replies_that_are_no_table_are_refused(tmp_path, load, content, message):
    (tmp_path / "base/shop/replies.csv").write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        load(b"shop: {dataset: {target: y}}")


def test_replies_are_declared_in_one_place(tmp_path, load):
    (tmp_path / "base/shop/replies.csv").write_text("class,reply\nyes,All right\n")
    with pytest.raises(ConfigurationError, match=r"shop.dataset.replies: .*replies.csv holds replies, too"):
        load(b"shop: {dataset: {target: y, replies: {'no': Never}}}")
