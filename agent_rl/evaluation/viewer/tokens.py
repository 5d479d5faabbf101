"""What each token of a vocabulary says, read from a `tokenizer.json` alone: without transformers, without torch."""

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from tokenizers import Tokenizer

from agent_rl.evaluation.viewer.cache import Stamp, stamp
from agent_rl.evaluation.viewer.jsonfiles import read_object
from agent_rl.evaluation.viewer.runs import ViewedRun

_NAME = "tokenizer.json"
_MODELS = Path(__file__).parents[2] / "models"
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class TokenTexts:
    """The texts of the tokens of a vocabulary."""

    def __init__(self, tokenizer: Any, decoders: frozenset[str]) -> None:
        """Read the tokens of a `tokenizers.Tokenizer` as its decoders of these types do."""
        self._tokenizer = tokenizer
        self._special = {number for number, token in tokenizer.get_added_tokens_decoder().items()}
        self._bytes = "ByteLevel" in decoders
        self._spaces = bool(decoders & {"Metaspace", "Replace"})
        self._known: dict[int, str] = {}

    def texts(self, ids: Sequence[int]) -> list[str]:
        """Return what each token says; one that is a part of a character says its bytes, escaped."""
        known = self._known
        for number in set(ids) - known.keys():
            known[number] = self._text(number)
        return [known[number] for number in ids]

    def _text(self, number: int) -> str:
        token = self._tokenizer.id_to_token(number) if number >= 0 else None
        if token is None:
            return str(number)
        if number in self._special:
            return str(token)
        if self._bytes and all(letter in _BYTES for letter in token):
            return _readable(bytes(_BYTES[letter] for letter in token))
        if byte := _BYTE.fullmatch(token):
            return _readable(bytes([int(byte[1], 16)]))
        return str(token.replace("▁", " ")) if self._spaces else str(token)


class Numbers:
    """Stands for a vocabulary that is not known: a token says its number."""

    def texts(self, ids: Sequence[int]) -> list[str]:
        """Return the numbers as texts."""
        return [str(number) for number in ids]


def token_texts(run: ViewedRun) -> TokenTexts | Numbers:
    """Return what the tokens of a run's model say; their numbers where no tokenizer is found or it cannot be read."""
    path = tokenizer_file(run)
    return _read(path, stamp(path)) if path else Numbers()


def tokenizer_file(run: ViewedRun) -> Path | None:
    """Return the tokenizer of a run's newest checkpoint, else that of the model that it measures or began with.

    An evaluation inside a training is of that training's model.
    """
    loaded = read_object(run.path / "run.json").get("checkpoint")  # what an evaluation measured, in truth
    folders = [*_checkpoints(run.path), *([Path(loaded)] if loaded else []), *_model_folders(run.config)]
    if run.path.parent.name == "evaluations":
        folders += _checkpoints(run.path.parents[1])
    return next((folder / _NAME for folder in folders if (folder / _NAME).is_file()), None)


def _checkpoints(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("step_*"), reverse=True)


def _model_folders(config: dict[str, Any]) -> list[Path]:
    """Return where the model of a configuration may lie: shipped, a run, a folder, or in the cache of the hub."""
    model = config.get("model")
    named = model.get("path") if isinstance(model, dict) else None
    if not isinstance(named, str) or not named:
        return []
    if named.partition("_")[0] == "tiny" and "/" not in named and "\\" not in named:
        return [_MODELS / named]
    folder = Path(named)
    hub = os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME") or "~/.cache/huggingface") / "hub"
    cached = Path(hub).expanduser() / f"models--{named.replace('/', '--')}" / "snapshots"
    return [folder, *_checkpoints(folder), *sorted(cached.glob("*"))]


class _Decoder(msgspec.Struct):
    type: str
    decoders: list["_Decoder"] = []

    @property
    def types(self) -> frozenset[str]:
        """The types of the decoder and of those that it is made of."""
        return frozenset({self.type}).union(*(inner.types for inner in self.decoders))


class _File(msgspec.Struct):
    decoder: _Decoder | None = None


@lru_cache(maxsize=4)
def _read(path: Path, _: Stamp) -> TokenTexts | Numbers:
    try:
        content = path.read_bytes()
        decoder = msgspec.json.decode(content, type=_File).decoder
        return TokenTexts(Tokenizer.from_buffer(content), decoder.types if decoder else frozenset())
    except Exception:  # tokenizers raises plain exceptions for what it cannot read
        return Numbers()


def _readable(content: bytes) -> str:
    r"""Return bytes as text, those that are no whole character as `\xe2`."""
    return content.decode("utf-8", "backslashreplace")


def _byte_letters() -> dict[str, int]:
    """Return the byte that each letter stands for in a byte-level vocabulary.

    Bytes that can be printed are themselves in Latin-1; the others are the letters from U+0100 on, in their order.
    """
    printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in set(printed)]
    return {chr(byte): byte for byte in printed} | {chr(256 + place): byte for place, byte in enumerate(hidden)}


_BYTES = _byte_letters()
