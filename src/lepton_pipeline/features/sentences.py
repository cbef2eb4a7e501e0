"""A frozen encoder of sentences: files on this machine by which a whole text becomes numbers."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.features.embedding_cache import EmbeddingCache, Halves
from lepton_pipeline.system.device import Device, choose_device, cpu_threads
from lepton_pipeline.system.file_hashes import hash_files

logger = logging.getLogger(__name__)
LIBRARY, DESCRIPTION = "sentence_transformers", "modules.json"
_KEY = "features.text.encoder"
_PICKLED = {".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"}
# Neither read, hashed nor carried.
LEFT_OUT = ("__pycache__", ".cache", ".git", ".gitattributes")
# Embeddings that a process keeps in memory, and those that are written to the cache at once.
_REMEMBERED, _WRITTEN_AT_ONCE = 50_000, 500
# By hash of the files: a process reads each encoder once.
_engines: dict[str, _Engine] = {}


@dataclass(frozen=True)
class SentenceEncoder:
    """An encoder whose files were checked: as declared, the folder that it is read from, and the files' hash."""

    name: str
    folder: Path
    sha256: str
    carry: bool = False  # whether a version holds its files

    def embed(self, texts: Sequence[str]) -> Halves:
        """Vectors of length 1, float16 [texts, dimensions].

        Each text is encoded by itself on one thread: in a batch, its last bits would depend on its neighbours.
        """
        return _engines[self.sha256].embed(texts)


def open_encoder(
    name: str,
    sha256: str | None = None,
    *,
    carry: bool = False,
    carried: Path | None = None,
    device: Device = "cpu",
    cache: str | None = None,
) -> SentenceEncoder:
    """Find an encoder and check its files, see `check_encoder`; its library is imported when a text is encoded.

    `carried` is where a version has the files; that folder may be a temporary one, so it is copied. `cache` is the
    folder of embeddings that are known. Raises ConfigurationError as `check_encoder`.
    """
    folder, found = check_encoder(name, sha256, carried)
    if found not in _engines or not _engines[found].folder.is_dir():
        _engines[found] = _Engine(_held(folder) if carried else folder, device)
    engine = _engines[found]
    if cache is not None:
        engine.cache = EmbeddingCache(Path(cache) / engine.cache_name(found))
    return SentenceEncoder(name, engine.folder, found, carry)


def check_encoder(name: str, sha256: str | None = None, carried: Path | None = None) -> tuple[Path, str]:
    """The folder of an encoder, and the hash of its files.

    Raises ConfigurationError if encoder or library is absent, weights are pickled, or the files do not have the
    hash `sha256`.
    """
    if find_spec(LIBRARY) is None:
        raise ConfigurationError(
            f"{_KEY}: {name!r} needs the library sentence-transformers, which is not installed; "
            "pip install 'lepton_pipeline[text]', or leave features.text.encoder out and train again."
        )
    folder = carried or _find(name)
    _refuse_pickled(folder)
    # What this process has opened is not read again.
    opened = sha256 and sha256 in _engines and _engines[sha256].folder == folder
    found = sha256 if sha256 and opened else hash_encoder(folder)
    if sha256 not in (None, found):
        raise ConfigurationError(
            f"{_KEY}: the files of {name!r} in {folder} have the hash {found}, not {sha256} as declared or trained "
            "with; restore these files, or train with the others."
        )
    return folder, found


def hash_encoder(folder: Path) -> str:
    """One hash of all files of a folder."""
    files = hash_files(folder, *LEFT_OUT)
    return sha256("".join(f"{name}\0{each}\n" for name, each in files.items()).encode()).hexdigest()


def carry_files(encoder: SentenceEncoder, folder: Path) -> None:
    """Copy the files of an encoder, as they are, into a folder that is not there yet."""
    shutil.copytree(encoder.folder, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))


def _held(folder: Path) -> Path:
    """A copy that stays until the process ends."""
    holder = Path(mkdtemp(prefix="lepton-encoder-"))
    atexit.register(shutil.rmtree, holder, ignore_errors=True)
    return Path(shutil.copytree(folder, holder / folder.name))


def _find(name: str) -> Path:
    """The folder of this name, or that of the model in a package of this name, which is not imported.

    A relative folder is looked for upwards, as a command may be run below the project's root.
    """
    path, module, here = Path(name).expanduser(), name.replace("-", "_"), Path.cwd()
    if folder := next((each / path for each in (here, *here.parents) if (each / path).is_dir()), None):
        places = [folder]
    elif module.isidentifier() and (spec := find_spec(module)):
        places = [Path(place) for place in spec.submodule_search_locations or ()]
    else:
        raise ConfigurationError(
            f"{_KEY}: {name!r} is neither a folder nor an installed package; correct the path, copy the folder "
            "there, or install the package."
        )
    found = sorted(
        (file.parent for place in places for file in place.rglob(DESCRIPTION)), key=lambda at: len(at.parts)
    )
    if not found:
        raise ConfigurationError(
            f"{_KEY}: {name!r} holds no {DESCRIPTION}, so it is no model of sentence-transformers; name a folder "
            "that SentenceTransformer.save_pretrained wrote."
        )
    return found[0].resolve()


def _refuse_pickled(folder: Path) -> None:
    """Refuse weights that could run code when they are read, where there are no others beside them."""
    for file in sorted(folder.rglob("*")):
        if file.suffix in _PICKLED and not any(file.parent.glob("*.safetensors")):
            raise ConfigurationError(
                f"{_KEY}: {file} is pickled and could run code when it is read; save the weights as safetensors "
                "(SentenceTransformer.save_pretrained does) and remove it."
            )


class _Engine:
    """A model of sentence-transformers that is read when it is first used, and what it gave lately."""

    def __init__(self, folder: Path, device: Device):
        self.folder, self._device = folder, device
        self.cache: EmbeddingCache | None = None
        self._known: dict[bytes, Halves] = {}

    @cached_property
    def model(self) -> Any:
        """The model; nothing is downloaded, unpickled, or run that is not part of the library."""
        os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(
            str(self.folder),
            device=choose_device(self._device),
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": "float32"},
        )

    def cache_name(self, hashed: str) -> str:
        """File of the embeddings; other releases of torch, and cards, give other last bits."""
        from torch import __version__

        return f"{hashed[:16]}-{choose_device(self._device)}-{__version__}.sqlite"

    def embed(self, texts: Sequence[str]) -> Halves:
        """See `SentenceEncoder.embed`."""
        keys = [sha256(text.encode()).digest()[:16] for text in texts]
        known = {key: self._known[key] for key in keys if key in self._known}
        asked = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if asked and self.cache:
            known |= self.cache.read(list(asked))
        new = [key for key in asked if key not in known]
        if len(new) > _WRITTEN_AT_ONCE:
            logger.info("%d of %d texts are encoded, the others are known", len(new), len({*keys}))
        for start in range(0, len(new), _WRITTEN_AT_ONCE):
            some = {key: self._encode(asked[key]) for key in new[start : start + _WRITTEN_AT_ONCE]}
            known |= some
            if self.cache:
                self.cache.write(some)
        self._known = {**(self._known if len(self._known) + len(known) <= _REMEMBERED else {}), **known}
        return np.stack([known[key] for key in keys])

    def _encode(self, text: str) -> Halves:
        with cpu_threads(1):
            (vector,) = self.model.encode([text], show_progress_bar=False, normalize_embeddings=True)
        return np.asarray(vector, dtype=np.float16)
