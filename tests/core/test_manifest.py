"""A sealed folder notices when a part of it is gone."""

import logging

import pytest

from agent_rl.core.manifest import damage, newest_whole, seal


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "step_000001"
    (made / "parts").mkdir(parents=True)
    (made / "weights").write_bytes(bytes(1000))
    (made / "parts" / "0").write_bytes(bytes(10))
    seal(made)
    return made


def cut(file):
    file.write_bytes(file.read_bytes()[:-1])


def test_what_was_sealed_is_whole(folder):
    assert damage(folder) is None


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: cut(folder / "weights"), "weights has 999 of 1000 bytes"),
        (lambda folder: (folder / "weights").write_bytes(b""), "weights has 0 of 1000 bytes"),
        (lambda folder: (folder / "parts" / "0").unlink(), "parts/0 is missing"),
        (lambda folder: (folder / "manifest.json").unlink(), "it has no manifest.json"),
        (lambda folder: cut(folder / "manifest.json") or cut(folder / "manifest.json"), "manifest.json cannot be read"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest.json cannot be read"),
    ],
)
def test_what_is_gone_is_named(folder, spoil, told):
    spoil(folder)
    assert damage(folder) == told


def test_the_newest_whole_one_counts_and_others_are_warned_of(folder, caplog):
    newer = folder.parent / "step_000002"
    newer.mkdir()
    with caplog.at_level(logging.WARNING):
        assert newest_whole(folder.parent) == folder
    assert "step_000002 is damaged and passed over: it has no manifest.json" in caplog.text
    (folder / "weights").unlink()
    assert newest_whole(folder.parent) is None
