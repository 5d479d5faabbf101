"""`agent-rl list` names everything that can be named, for people and for programs."""

import json

import gymnasium
import pytest

from agent_rl import SHIPPED_ENVIRONMENTS, tool
from agent_rl.cli.main import main
from agent_rl.core.registry import Registry
from agent_rl.envs import registration
from agent_rl.envs.base import AgentEnv
from agent_rl.tools.call_formats import CALL_FORMATS


@pytest.fixture
def listed(capsys):
    def run() -> tuple[dict, str]:
        """Return the JSON object of the last line, and what stands above it."""
        assert main(["list", "--json"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        *lines, last = out.splitlines()
        return json.loads(last), "\n".join(lines)

    return run


@pytest.fixture
def environments(monkeypatch):
    """A registry that forgets what a test adds; Gymnasium's too."""
    table = Registry("environment")
    for name in registration.ENVIRONMENTS:
        table.register(name, registration.ENVIRONMENTS[name])
    monkeypatch.setattr(registration, "ENVIRONMENTS", table)
    monkeypatch.setattr("agent_rl.cli.list.ENVIRONMENTS", table)
    monkeypatch.setattr(gymnasium.envs.registration, "registry", dict(gymnasium.registry))
    monkeypatch.setattr(gymnasium, "registry", gymnasium.envs.registration.registry)
    return table


def test_everything_that_can_be_named_is_listed_with_what_it_is(listed):
    found, text = listed()
    kinds = ["environments", "wrappers", "tools", "call_formats", "sandboxes", "engines", "models", "algorithms"]
    kinds += ["advantages", "losses"]
    assert list(found) == [*kinds, "trackers"]
    assert found["wrappers"]["simulated_user"]["description"].startswith("Lets a model answer")
    assert list(found["call_formats"]) == list(CALL_FORMATS)
    assert {"local", "fusion", "docker", "e2b"} <= found["sandboxes"].keys()
    assert {"embedded", "sglang", "openai"} <= found["engines"].keys()
    assert {"tiny"} <= found["models"].keys() and {"grpo"} <= found["algorithms"].keys()
    assert {"grpo", "rloo"} <= found["advantages"].keys() and {"clip"} <= found["losses"].keys()
    assert found["advantages"]["rloo"] == {
        "description": "Each episode compared with the mean of the others of its task."
    }
    assert {"jsonl", "swanlab"} <= found["trackers"].keys()
    described = {name: found["environments"][name] for name in SHIPPED_ENVIRONMENTS}  # other tests may register more
    described |= {name: entry for kind in kinds[3:] for name, entry in found[kind].items()}
    assert [name for name, entry in described.items() if not entry["description"]] == []
    assert [name for name in described if f"\n  {name} " not in text] == []


def test_environments_are_listed_with_the_id_and_version_that_gymnasium_knows(listed):
    found, text = listed()
    for name, (identity, _) in SHIPPED_ENVIRONMENTS.items():
        entry = found["environments"][name]
        assert entry["id"] == identity
        assert entry["version"] == gymnasium.spec(identity).version
        assert identity in text and entry["description"] in text


class TwoWords(AgentEnv):
    """Something that was registered.

    More about it.
    """

    def reset(self, *, seed=None, options=None):
        return [], {}

    def step(self, action):
        return [], 0.0, True, False, {}


def test_a_registered_environment_is_listed_with_the_first_line_of_its_docstring(listed, environments):
    registration.register_env("two_words", TwoWords, version=3)
    found, _ = listed()
    assert found["environments"]["two_words"] == {
        "id": "agent_rl/TwoWords-v3",
        "version": 3,
        "description": "Something that was registered.",
    }


def test_an_environment_that_cannot_be_imported_is_listed_with_the_reason(listed, environments):
    registration.register_env("gone", "no_such_module:Gone")
    found, text = listed()
    assert found["environments"]["gone"]["error"].endswith("ModuleNotFoundError: No module named 'no_such_module'")
    assert "  agent_rl/Gone-v0  cannot be loaded  the environment 'gone' (no_such_module:Gone) cannot be" in text
    assert found["environments"]["search"]["description"]


def test_shared_tools_are_listed_with_what_agents_are_told(listed, monkeypatch):
    @tool
    def weigh(thing: str) -> str:
        """Weigh a thing."""
        return thing

    table = Registry("tool")
    table.register("weigh", weigh)
    monkeypatch.setattr("agent_rl.cli.list.TOOLS", table)
    found, text = listed()
    assert found["tools"] == {"weigh": {"description": "Weigh a thing."}}
    assert "\n  weigh  Weigh a thing." in text
