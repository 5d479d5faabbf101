"""The adapters are known by name, whether or not their libraries are installed."""

import gymnasium
import pytest

import agent_rl
from agent_rl.cli.main import main
from agent_rl.core.errors import UserError
from agent_rl.envs.registration import ENVIRONMENTS, environment


@pytest.mark.parametrize("name", agent_rl.ADAPTERS)
def test_an_adapter_is_known_by_name_and_by_gymnasiums_id(name: str) -> None:
    assert name in ENVIRONMENTS
    assert environment(name).__doc__
    assert gymnasium.spec(agent_rl.ADAPTERS[name][0]).entry_point == agent_rl.ADAPTERS[name][1]


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in agent_rl.ADAPTERS)


@pytest.mark.parametrize(("name", "setting"), [("verifiers", {"id": "anything"}), ("lm_eval", {"task": "gsm8k"})])
def test_a_missing_library_is_the_users_to_mend(name: str, setting: dict[str, str]) -> None:
    with pytest.raises(UserError, match=f"needs the package {name}"):
        agent_rl.make(name, **setting)


def test_a_setting_that_is_missing_is_named() -> None:
    with pytest.raises(UserError, match=r"env\.url"):
        agent_rl.make("openenv")


def test_gymnasium_makes_the_adapter_of_its_own_environments() -> None:
    env = gymnasium.make("agent_rl/Gymnasium-v0", says="text")
    assert env.reset(seed=1)[0][1]["content"].startswith("[S]FFF")
