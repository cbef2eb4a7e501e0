"""Encoders of sentences: what is refused and why, the same bits however texts are asked, and what is paid once."""

from __future__ import annotations

import shutil
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
from tiny_encoder import BAD, GOOD, save_encoder

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.features import sentences as module
from lepton_pipeline.features.embedding_cache import EmbeddingCache
from lepton_pipeline.features.sentences import hash_encoder, open_encoder

TEXTS = [f"a {GOOD[0]} room", f"a {BAD[0]} room on day 7", "", "unknown", "room " * 3000, "ROOM 😀"]


@pytest.fixture
def installed(monkeypatch) -> None:
    """Whether or not it is there: none of these tests gets as far as using the library."""
    find = module.find_spec
    known = {module.LIBRARY: ModuleSpec(module.LIBRARY, None)}
    monkeypatch.setattr(module, "find_spec", lambda name: known.get(name) or find(name))
    monkeypatch.setattr(module, "_engines", {})


@pytest.fixture
def folder(tmp_path, installed):
    """Files of an encoder, as far as they are looked at before a text is encoded."""
    made = tmp_path / "encoder"
    made.mkdir()
    (made / "modules.json").write_text("[]")
    (made / "model.safetensors").write_bytes(b"weights")
    return made


def test_the_library_is_needed(folder, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    said = r"features\.text\.encoder: .*encoder' needs the library sentence-transformers, .*lepton_pipeline\[text\]"
    with pytest.raises(ConfigurationError, match=said) as caught:
        open_encoder(str(folder))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["models/absent", "no_such_package", "no-such-package", "../x"])
def test_an_absent_encoder_is_refused(installed, name):
    with pytest.raises(
        ConfigurationError, match="is neither a folder nor an installed package; correct the path"
    ):
        open_encoder(name)


def test_a_folder_or_package_without_a_model_is_refused(tmp_path, installed):
    for name in (str(tmp_path), "rich"):
        with pytest.raises(ConfigurationError, match=f"'{name}' holds no modules.json, so it is no model"):
            open_encoder(name)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "2_Dense/pytorch_model.bin", "more/data.pkl"])
def test_pickled_weights_are_refused(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"pickled")
    if (folder / name).parent == folder:
        (folder / "model.safetensors").unlink()
    with pytest.raises(
        ConfigurationError, match=f"{name} is pickled and could run code .* save the weights as safe"
    ):
        open_encoder(str(folder))


def test_pickled_weights_beside_others_are_left_unread(folder):
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    assert open_encoder(str(folder)).folder == folder.resolve()


def test_other_files_than_expected_are_refused(folder):
    found = open_encoder(str(folder)).sha256
    assert open_encoder(str(folder), found).sha256 == found == hash_encoder(folder)
    with pytest.raises(
        ConfigurationError, match=f"have the hash {found}, not 123 as declared or trained with"
    ):
        open_encoder(str(folder), "123")


def test_every_file_counts_but_those_of_version_control(folder):
    before = hash_encoder(folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "index").write_text("x")
    assert hash_encoder(folder) == before
    (folder / "tokenizer.json").write_text("{}")
    assert hash_encoder(folder) != before


def test_a_relative_folder_is_found_from_below_the_project(folder, monkeypatch):
    (folder.parent / "below/more").mkdir(parents=True)
    monkeypatch.chdir(folder.parent / "below/more")
    assert open_encoder("encoder").folder == folder.resolve()


def test_an_installed_package_is_found_without_importing_it(folder, monkeypatch):
    package = folder.parent / "packages" / "own_sentences"
    shutil.copytree(folder, package / "model")
    (package / "__init__.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(package.parent)
    assert open_encoder("own-sentences").folder == (package / "model").resolve()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("tiny") / "encoder")


@pytest.fixture
def fresh(monkeypatch):
    """As in a new process, which has read no encoder."""
    monkeypatch.setattr(module, "_engines", {})


def test_vectors_have_length_one_and_the_same_bits_alone_and_among_others(tiny, fresh):
    encoder = open_encoder(str(tiny))
    vectors = encoder.embed(TEXTS)
    assert vectors.dtype == np.float16
    lengths = np.linalg.norm(vectors.astype(float), axis=1)
    np.testing.assert_allclose(lengths[[0, 1, 3, 4]], 1, atol=1e-3)
    module._engines.clear()
    encoder = open_encoder(str(tiny))
    alone = np.concatenate([encoder.embed([text]) for text in TEXTS[::-1]])[::-1]
    assert alone.tobytes() == vectors.tobytes()


def test_a_transformer_gives_a_text_the_same_bits_alone_and_among_others(tmp_path, fresh):
    pytest.importorskip("sentence_transformers", reason="it is not installed: pip install '.[text]'")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"abcdefghij",
        *(f"##{each}" for each in "abcdefghij"),
    ]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    BertModel(config).save_pretrained(tmp_path / "bert")
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "bert")
    transformer = Transformer(str(tmp_path / "bert"))
    SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu").save_pretrained(
        str(tmp_path / "whole"), create_model_card=False
    )
    texts = ["a b c", "j", "", "ab cd efgh " * 40, "zzz"]
    encoder = open_encoder(str(tmp_path / "whole"))
    together = encoder.embed(texts)
    module._engines.clear()
    encoder = open_encoder(str(tmp_path / "whole"))
    assert np.concatenate([encoder.embed([text]) for text in texts]).tobytes() == together.tobytes()


def test_a_second_run_encodes_nothing(tiny, fresh, tmp_path, monkeypatch):
    first = open_encoder(str(tiny), cache=str(tmp_path)).embed(TEXTS)
    module._engines.clear()
    monkeypatch.setattr(module._Engine, "model", property(lambda self: pytest.fail("the model is read")))
    encoder = open_encoder(str(tiny), cache=str(tmp_path))
    assert encoder.embed(TEXTS).tobytes() == first.tobytes()
    (file,) = tmp_path.iterdir()
    assert file.name.startswith(encoder.sha256[:16])
    content = file.read_bytes()
    assert not [text for text in TEXTS if len(text) > 3 and text.encode() in content]


def test_a_text_is_encoded_once_in_a_process_and_memory_is_bounded(tiny, fresh, monkeypatch):
    encoder, asked = open_encoder(str(tiny)), []
    encode = module._Engine._encode
    monkeypatch.setattr(
        module._Engine, "_encode", lambda self, text: asked.append(text) or encode(self, text)
    )
    encoder.embed(["a", "b", "a"])
    encoder.embed(["b", "c"])
    assert asked == ["a", "b", "c"]
    monkeypatch.setattr(module, "_REMEMBERED", 3)
    encoder.embed(["d"])
    encoder.embed(["d", "a"])
    assert asked == ["a", "b", "c", "d", "a"]


def test_an_interrupted_run_keeps_what_it_has_encoded(tiny, fresh, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_WRITTEN_AT_ONCE", 2)
    encode = module._Engine._encode

    def stop(self, text):
        if text == "fourth":
            raise KeyboardInterrupt
        return encode(self, text)

    monkeypatch.setattr(module._Engine, "_encode", stop)
    with pytest.raises(KeyboardInterrupt):
        open_encoder(str(tiny), cache=str(tmp_path)).embed(["first", "second", "third", "fourth"])
    (file,) = tmp_path.iterdir()
    keys = [module.sha256(text.encode()).digest()[:16] for text in ("first", "second", "third")]
    assert EmbeddingCache(file).read(keys).keys() == {*keys[:2]}


def test_carried_files_outlast_the_folder_that_they_were_read_from(tiny, fresh, tmp_path):
    expected = open_encoder(str(tiny)).embed(TEXTS)
    encoder = open_encoder(str(tiny), carry=True)
    module.carry_files(encoder, tmp_path / "version")
    module._engines.clear()
    carried = open_encoder("/gone", encoder.sha256, carry=True, carried=tmp_path / "version")
    shutil.rmtree(tmp_path / "version")
    assert carried.embed(TEXTS).tobytes() == expected.tobytes()
    module.carry_files(carried, tmp_path / "again")
    assert hash_encoder(tmp_path / "again") == encoder.sha256
