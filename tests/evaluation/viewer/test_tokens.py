"""What tokens say, for vocabularies of every make."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from agent_rl.evaluation.viewer.runs import find_runs
from agent_rl.evaluation.viewer.tokens import Numbers, TokenTexts, token_texts, tokenizer_file
from agent_rl.tracking.run_folder import RunFolder
from tests.evaluation.viewer.folders import alone, training

TINY = Path(__file__).parents[3] / "agent_rl" / "models" / "tiny" / "tokenizer.json"


ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


@cache
def byte_level() -> Tokenizer:
    return Tokenizer.from_file(str(TINY))


@given(st.text(max_size=40))
def test_tokens_of_a_byte_level_vocabulary_say_all_bytes_of_a_text(said: str) -> None:
    tokenizer = byte_level()
    ids = tokenizer.encode(said, add_special_tokens=False).ids
    told = TokenTexts(tokenizer, frozenset({"ByteLevel"})).texts(ids)
    if "\\" not in said:  # which an escape also begins with
        assert (
            b"".join(ESCAPE.sub(lambda byte: bytes([int(byte[1], 16)]), one.encode()) for one in told) == said.encode()
        )


def test_a_part_of_a_character_is_its_bytes_escaped() -> None:
    tokenizer = byte_level()
    ids = tokenizer.encode("☃", add_special_tokens=False).ids
    told = TokenTexts(tokenizer, frozenset({"ByteLevel"})).texts(ids)
    assert "".join(told) == r"\xe2\x98\x83" and len(told) == len(ids)


def test_control_tokens_are_written_as_they_are() -> None:
    tokenizer = byte_level()
    special = tokenizer.token_to_id("<|im_start|>")
    assert TokenTexts(tokenizer, frozenset({"ByteLevel"})).texts([special, 10**6, -1]) == [
        "<|im_start|>",
        "1000000",
        "-1",
    ]


def test_a_vocabulary_with_metaspaces_and_byte_fallback() -> None:
    vocabulary = {"<unk>": 0, "▁the": 1, "re": 2, "<0xE2>": 3, "<0x0A>": 4}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken("<0xFF>")])
    told = TokenTexts(tokenizer, frozenset({"Sequence", "Replace", "ByteFallback", "Fuse"}))
    assert told.texts([1, 2, 3, 4, 5]) == [" the", "re", r"\xe2", "\n", "<0xFF>"]


def test_the_tokenizer_is_the_newest_checkpoints_else_the_models(tmp_path: Path) -> None:
    folder = training(tmp_path / "run", steps=1)
    (run,) = find_runs(folder.path)
    assert tokenizer_file(run) == TINY
    for step in (1, 2):
        place = folder.checkpoints / f"step_00000{step}"
        place.mkdir()
        (place / "tokenizer.json").write_bytes(TINY.read_bytes())
    assert tokenizer_file(run) == folder.checkpoints / "step_000002" / "tokenizer.json"
    (inner,) = find_runs(folder.evaluations / "after")
    assert tokenizer_file(inner) == folder.checkpoints / "step_000002" / "tokenizer.json"


def config(path: Path, model: Any) -> None:
    (path / "config.yaml").write_text(json.dumps({"model": model}))


def test_the_model_may_be_a_run_a_folder_or_in_the_hubs_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = alone(tmp_path / "eval")
    (run,) = find_runs(path)
    measured = RunFolder.create(tmp_path / "run").checkpoints / "step_000003"
    hub = tmp_path / "hub" / "models--some--model" / "snapshots" / "abc"
    for place in (measured, tmp_path / "plain", hub):
        place.mkdir(parents=True)
        (place / "tokenizer.json").write_bytes(TINY.read_bytes())
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for named, place in ((tmp_path / "run", measured), (tmp_path / "plain", tmp_path / "plain"), ("some/model", hub)):
        config(path, {"path": str(named)})
        assert tokenizer_file(run) == place / "tokenizer.json"


def test_without_a_tokenizer_a_token_says_its_number(tmp_path: Path) -> None:
    path = alone(tmp_path / "eval")
    (run,) = find_runs(path)
    for model in (None, {"path": "some/other"}, {"path": "tiny_of_somebody"}, {}):
        config(path, model)
        assert isinstance(token_texts(run), Numbers)
    assert token_texts(run).texts([3, 4]) == ["3", "4"]
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "tokenizer.json").write_text('{"version": "half')
    config(path, {"path": str(tmp_path / "plain")})
    assert isinstance(token_texts(run), Numbers)
