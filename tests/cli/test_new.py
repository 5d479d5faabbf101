"""`agent-rl new` writes what works at once, and refuses what could not work."""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from agent_rl.cli.main import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the one line in which `agent-rl new` refuses."""
    assert main(["new", *words]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (("env", "kiosk"), ["README.md", "kiosk.py", "test_kiosk.py"]),
        (("env", "river_trip", "--package"), ["README.md", "pyproject.toml", "river_trip.py", "test_river_trip.py"]),
        (("tool", "divide"), ["README.md", "divide.py", "test_divide.py"]),
        (("tool", "sum_up", "--package"), ["README.md", "pyproject.toml", "sum_up.py", "test_sum_up.py"]),
    ],
)
def test_what_is_written_passes_its_own_tests(capsys, here, words, files):
    folder = here / words[1]
    assert main(["new", *words]) == 0
    assert sorted(path.name for path in folder.iterdir()) == files
    texts = [(folder / file).read_text() for file in files]
    assert [text for text in texts if any(mark in text for mark in ("my_env", "MyEnv", "my_tool"))] == []
    assert f"pytest {words[1]}" in capsys.readouterr().out
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", words[1]]
    tested = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, timeout=120)
    assert tested.returncode == 0, tested.stdout


def test_a_new_environment_is_proved_by_check(capsys):
    assert main(["new", "env", "kiosk"]) == 0
    capsys.readouterr()
    assert main(["check", "env=kiosk/kiosk.py:Kiosk"]) == 0
    assert "all checks passed" in capsys.readouterr().out


def test_training_on_a_new_environment_starts(capsys):
    small = ("trainer.steps=1", "trainer.tasks=1", "algorithm.samples=2", "eval.tasks=1", "eval.samples=1")
    assert main(["new", "env", "trip"]) == 0
    assert main(["train", "env=trip/trip.py:Trip", "env.strict=true", *small, "out=run"]) == 0
    assert "in 1 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "group"), [(("env", "kiosk_two"), "agent_rl.environments"), (("tool", "sum_two"), "agent_rl.tools")]
)
def test_a_package_has_an_entry_point_that_leads_to_what_it_brings(monkeypatch, here, words, group):
    assert main(["new", *words, "--package"]) == 0
    project = tomllib.loads((here / words[1] / "pyproject.toml").read_text())
    ((name, entry),) = project["project"]["entry-points"][group].items()
    monkeypatch.syspath_prepend(here / words[1])
    module, _, attribute = entry.partition(":")
    assert name == words[1] == project["project"]["name"]
    assert project["tool"]["setuptools"]["py-modules"] == [module]
    assert hasattr(import_module(module), attribute)


@pytest.mark.parametrize("name", ["Kiosk", "2kiosks", "kiosk-two", "../kiosk", "kiosk.two", "", "läden", "_kiosk"])
def test_what_is_no_name_is_refused(capsys, here, name):
    assert f"'{name}' cannot be a name: it must begin with" in refused(capsys, "env", name)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("env", "class"),  # a keyword
        ("env", "json"),  # a module that its test would import instead
        ("env", "torch"),
        ("env", "tool_env"),  # would be a class ToolEnv that derives from ToolEnv
        ("env", "task"),
        ("tool", "tool"),
        ("tool", "answer"),
    ],
)
def test_a_name_that_means_something_else_in_the_code_is_refused(capsys, here, kind, name):
    assert "it would stand for two things in the code" in refused(capsys, kind, name)
    assert list(here.iterdir()) == []


def test_the_name_of_a_known_environment_is_refused(capsys):
    assert "there is an environment 'search' already" in refused(capsys, "env", "search")


@pytest.mark.parametrize("kind", ["env", "tool"])
def test_what_is_there_is_left_as_it_is(capsys, here, kind):
    (here / "kiosk").mkdir()
    (here / "kiosk" / "mine.py").write_text("mine")
    (here / "stall").write_text("mine")
    for name in ("kiosk", "stall"):
        assert f"{name} exists already" in refused(capsys, kind, name)
    assert [path.name for path in (here / "kiosk").iterdir()] == ["mine.py"]


def test_a_folder_that_cannot_be_written_is_told(capsys, monkeypatch):
    def no_room(self: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", no_room)
    assert "the folder hut cannot be written: No space left on device" in refused(capsys, "env", "hut")
