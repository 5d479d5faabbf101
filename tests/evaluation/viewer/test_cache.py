"""What was made of a file is made once, anew when the file changes, and not kept for ever."""

import os
import threading
from pathlib import Path

from agent_rl.evaluation.viewer.cache import FileCache


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    read: list[str] = []

    def make(path: Path) -> str:
        read.append(path.name)
        return path.read_text()

    cache, file = FileCache(make, len, 100), tmp_path / "a"
    file.write_text("")
    assert cache.peek(file) is None
    assert cache.get(file) == cache.get(file) == cache.peek(file) == "" and read == ["a"]
    file.write_text("more")
    assert cache.peek(file) is None and cache.get(file) == "more"
    file.write_text("less")  # as long as before
    os.utime(file, ns=(1, 1))
    assert cache.get(file) == "less" and read == ["a"] * 3


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = FileCache(Path.read_text, len, 10)
    files = [tmp_path / name for name in "abc"]
    for file in files:
        file.write_text("12345")
    for number in (0, 1, 0, 2):
        cache.get(files[number])
    assert [cache.peek(file) is not None for file in files] == [True, False, True]
    files[1].write_text("x" * 50)  # more than there is room for is kept alone
    assert cache.get(files[1]) and [cache.peek(file) is not None for file in files] == [False, True, False]


def test_several_that_ask_at_once_wait_for_one_that_reads(tmp_path: Path) -> None:
    read, go = [], threading.Event()

    def make(path: Path) -> str:
        read.append(path)
        go.wait(10)
        return "made"

    cache, file = FileCache(make, len, 10), tmp_path / "a"
    file.write_text("1")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(cache.get(file))) for _ in range(4)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert found == ["made"] * 4 and len(read) == 1
