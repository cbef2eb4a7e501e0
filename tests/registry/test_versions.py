import pytest
from small_shop import make_shop

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.registry.versions import (
    all_versions,
    find_version,
    load_artefact,
    load_training_rows,
)


def test_a_version_says_what_it_has_learnt_from(shop):
    rows = load_training_rows(shop.client, "base", 1)
    learnt = shop.split[shop.split["part"].isin(["train", "validation"])]
    assert len(rows.hashes) == len(learnt) == 400
    tags = find_version(shop.client, "base", 1).tags
    assert tags["trained.rows"] == "400"
    assert tags["data.until"] == shop.table["day"].max().isoformat()
    assert tags["trained.until"] == rows.until == shop.table.loc[learnt.index, "day"].max().isoformat()


def test_a_version_is_loaded_as_it_was_registered(shop):
    test = shop.scores[shop.scores["part"] == "test"]
    scored = load_artefact(shop.client, "base", 1).predict(shop.table.loc[test.index])
    assert scored["probability"].tolist() == test["model"].tolist()


OWN = """
from lepton_pipeline.model.networks.perceptron import Linear


class Plain(Linear):
    pass
"""


@pytest.mark.parametrize("package", [False, True])
def test_a_version_brings_the_code_of_a_network_of_one_s_own(store, tmp_path, monkeypatch, package):
    name = f"own_networks_{package}"
    module = tmp_path / "src" / name / "__init__.py" if package else tmp_path / f"src/{name}.py"
    module.parent.mkdir(parents=True)
    module.write_text(OWN)
    (module.parent / "more.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path / "src")
    shop = make_shop(store, tmp_path, f"{name}:Plain")
    (code,) = (tmp_path / "mlruns").rglob("artifacts/code")
    brought = {path.relative_to(code).as_posix() for path in code.rglob("*.py")}
    brought = {path for path in brought if not path.startswith("lepton_pipeline/")}
    assert brought == ({f"{name}/__init__.py", f"{name}/more.py"} if package else {f"{name}.py"})
    assert load_artefact(shop.client, "base", 1).predictor.trained["code_sha256"]


def test_weights_that_are_not_those_of_the_registry_are_refused(shop):
    made = shop.version("swapped", like_base=False)
    shop.client.set_model_version_tag("swapped", str(made.version), "weights.sha256", "0" * 64)
    with pytest.raises(DataError, match="not those that were registered: the weights are others"):
        load_artefact(shop.client, "swapped", 1)


def test_an_old_version_without_a_checksum_is_loaded_or_refused_in_words(shop):
    shop.version("old", like_base=False)
    assert load_artefact(shop.client, "old", 1).threshold > 0
    model = shop.client.get_model_version("old", "1").source.rpartition("/")[2]
    file = next((shop.folder / "mlruns").rglob(f"{model}/artifacts/artifacts/artefact/artefact.json"))
    whole = file.read_bytes()
    try:
        for broken, message in (
            (b"{}", "artefact.json was altered, or written by an earlier version"),
            (b"{", "artefact.json was altered and cannot be read"),
        ):
            file.write_bytes(broken)
            with pytest.raises(DataError, match=message):
                load_artefact(shop.client, "old", 1)
    finally:
        file.write_bytes(whole)


def test_versions_are_found_by_number_and_alias_also_beyond_one_page(shop, monkeypatch):
    for _ in range(3):
        shop.version("many")
    shop.client.set_registered_model_alias("many", "challenger", "2")
    assert find_version(shop.client, "many", "challenger").version == 2
    with pytest.raises(ConfigurationError, match="many has no version champion; there are 1, 2, 3"):
        find_version(shop.client, "many", "champion")
    with pytest.raises(ConfigurationError, match="none has no version 1; none is registered yet"):
        find_version(shop.client, "none", 1)
    whole = type(shop.client).search_model_versions
    monkeypatch.setattr(
        type(shop.client),
        "search_model_versions",
        lambda self, text, **options: whole(self, text, 2, **options),
    )
    assert sorted(int(each.version) for each in all_versions(shop.client, "many")) == [1, 2, 3]
