"""Wrappers that limit, shorten and record: what the policy reads from then on, by exact tokens."""

import json
import resource
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_rl.core.context import EpisodeContext, enter
from agent_rl.core.errors import UserError
from agent_rl.core.limits import Limits
from agent_rl.core.message import Message, assistant, tool_call, tool_result, user
from agent_rl.core.outcome import Cause, StopReason
from agent_rl.core.trajectory import Group, Origin, Trajectory
from agent_rl.envs.section import EnvSection
from agent_rl.envs.wrappers import DropObservations, LimitEpisode, Record, Summarise, TruncateToolOutput
from agent_rl.envs.wrappers.context import DROPPED
from agent_rl.envs.wrappers.conversation import shortened, writable
from agent_rl.rollout.engines.scripted import ScriptedEngine
from tests.envs.test_wrappers import ADD, Adder
from tests.fake_openai import refuse, say, serving
from tests.rollout.test_episode import play_parts, script

BROUGHT = """
from agent_rl import AgentWrapper
from agent_rl.core.settings import Settings
from agent_rl.envs.wrappers import register_wrapper
from tests.envs.test_wrappers import Adder

class Quiet(Adder):
    pass

class PoliteOptions(Settings):
    cost: float = 0.1

class Polite(AgentWrapper):
    Options = PoliteOptions

    async def astep(self, action):
        observation, reward, *rest = await super().astep(action)
        return observation, reward - self.options.cost * ("please" not in action["content"]), *rest

register_wrapper("polite", Polite)
"""
MALFORMED: Message = {**assistant("hm"), "invalid_tool_calls": [{"text": "<tool_call>{", "error": "not JSON"}]}


def of_wrappers(part: Trajectory) -> dict[str, float]:
    """Return what wrappers counted, without what tools did."""
    return {name: amount for name, amount in part.counters.items() if "tools/" not in name}


def played(env, renderer, *said: Message) -> list[Trajectory]:
    limits = Limits(turn_tokens=400, episode_tokens=2000)
    return play_parts(env, ScriptedEngine(script(renderer, *said)), renderer, limits)


def contents(part: Trajectory) -> list[str]:
    return [message["content"] for message in part.messages]


def test_old_observations_are_dropped_in_a_new_trajectory_whose_prompt_is_exactly_the_rewritten_conversation(renderer):
    parts = played(DropObservations(Adder(), keep=1), renderer, ADD, ADD, ADD, assistant("4"))
    assert [part.stop for part in parts] == [StopReason.REWRITTEN, StopReason.REWRITTEN, StopReason.ANSWERED]
    assert [len(part.turns) for part in parts] == [2, 1, 1]
    assert contents(parts[0]) == ["3+1?", "", "4", "", "4"]
    assert contents(parts[2]) == ["3+1?", "", DROPPED, "", DROPPED, "", "4", "4"]
    for part, read in zip(parts, (1, 5, 7), strict=True):  # so many messages are its prompt
        assert part.segments[0].tokens == tuple(renderer.prompt(part.messages[:read], part.tools))
        assert [segment.origin for segment in part.segments[:2]] == [Origin.PROMPT, Origin.ACTION]
    group = Group("train-3", parts)
    assert (group.rewards, len(group.episodes)) == ([1.0], 1)
    assert of_wrappers(parts[-1]) == {"context/dropped": 2}


def test_observations_stay_until_the_conversation_has_more_tokens_than_it_may(renderer):
    assert len(played(DropObservations(Adder(), keep=1, above=1000), renderer, ADD, ADD, assistant("4"))) == 1
    parts = played(DropObservations(Adder(), keep=1, above=1), renderer, ADD, ADD, assistant("4"))
    assert len(parts) == 2


def test_a_summary_takes_the_place_of_all_but_the_first_messages_and_the_newest_turns(renderer):
    given_to_it: list[list[Message]] = []

    def summary(messages: list[Message]) -> str:
        given_to_it.append(messages)
        return f"{len(messages)} messages"

    parts = played(Summarise(Adder(), summary, above=1, keep=1), renderer, ADD, ADD, ADD, assistant("4"))
    heading = "Summary of what happened so far:\n"
    assert [contents(part) for part in parts[1:]] == [
        ["3+1?", f"{heading}2 messages", "", "4", "", "4"],
        ["3+1?", f"{heading}3 messages", "", "4", "4"],
    ]
    assert given_to_it[1][0] == user(f"{heading}2 messages")  # the summary before is part of the next
    assert of_wrappers(parts[-1]) == {"context/summaries": 2}
    assert sum(part.reward for part in parts) == 1.0


def test_a_summary_may_stand_for_every_turn_and_be_made_by_an_async_function(renderer):
    async def summary(messages: list[Message]) -> str:
        return "all"

    parts = played(Summarise(Adder(), summary, above=1, keep=0), renderer, ADD, assistant("4"))
    assert contents(parts[1]) == ["3+1?", "Summary of what happened so far:\nall", "4"]


def test_a_model_writes_the_summary_and_its_failure_is_an_infrastructure_failure(renderer):
    with serving(lambda body, number: say(" " if number else " it was added\n")) as fake:
        options = {"model": "m", "url": fake.url, "above": 1, "keep": 0}
        parts = played(Summarise(Adder(), **options), renderer, ADD, assistant("4"))
        failed = played(Summarise(Adder(), **options), renderer, ADD, assistant("4"))
    assert contents(parts[1])[1] == "Summary of what happened so far:\nit was added"
    assert json.loads(fake.bodies[0]["messages"][1]["content"])[1]["content"] == "4"
    assert {part.failure.cause for part in failed} == {Cause.INFRASTRUCTURE}
    with pytest.raises(UserError, match="summarise needs a model"):
        Summarise(Adder())


def test_a_summary_that_is_refused_is_an_infrastructure_failure_too(renderer):
    with serving(lambda body, number: refuse(401, "wrong key")) as fake:
        failed = played(Summarise(Adder(), model="m", url=fake.url, above=1, keep=0), renderer, ADD, assistant("4"))
    assert {part.failure.cause for part in failed} == {Cause.INFRASTRUCTURE}


def test_a_plain_function_makes_summaries_beside_the_event_loop(renderer):
    threads: list[str] = []

    def summary(messages: list[Message]) -> str:
        threads.append(threading.current_thread().name)
        return "all"

    played(Summarise(Adder(), summary, above=1, keep=0), renderer, ADD, assistant("4"))
    assert threads == ["agent_rl-call"]


def test_what_tools_answer_is_cut_by_the_policys_own_tokens_and_says_so(renderer):
    many = assistant("", [tool_call("add", {"a": 10**99, "b": 0}), tool_call("add", {"a": 1, "b": 2}, 1)])
    (part,) = played(TruncateToolOutput(Adder(), tokens=8), renderer, many, assistant("4"))
    long, short = contents(part)[2:4]
    kept, _, note = long.partition(" [cut: ")
    assert renderer.count(kept) <= 8 < renderer.count(kept + "0")
    assert (note, short) == (f"{100 - len(kept)} more characters]", "3")
    assert of_wrappers(part) == {"context/cut": 1}


@settings(max_examples=60)
@given(st.text(max_size=90), st.integers(1, 40))
def test_a_shortened_text_fits_and_is_whole_where_it_fits(text, tokens):
    enter(EpisodeContext(count_tokens=lambda part: len(part.encode())))  # a token for a byte
    result = shortened(text, tokens)
    if len(text.encode()) <= tokens:
        assert result == text
    else:
        kept, _, note = result.rpartition(" [cut: ")
        assert text.startswith(kept) and len(kept.encode()) <= tokens
        assert note == f"{len(text) - len(kept)} more characters]"


@pytest.mark.parametrize(
    ("limits", "reached", "turns"), [({"turns": 2}, "turns", 2), ({"tokens": 1}, "tokens", 1), ({}, None, 3)]
)
def test_a_limit_truncates_with_the_turn_that_reaches_it(renderer, limits, reached, turns):
    env = LimitEpisode(Adder(), seconds=1000, **limits)
    (part,) = played(env, renderer, ADD, ADD, assistant("4"))
    assert (len(part.turns), part.stop is StopReason.ANSWERED) == (turns, reached is None)
    assert of_wrappers(part) == ({f"limit/{reached}": 1} if reached else {})
    env.reset(seed=0)
    assert [env.step(ADD)[4].get("limit") for _ in range(turns)][-1] == reached


def test_a_limit_of_seconds_holds_by_the_clock(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    env = LimitEpisode(Adder(), seconds=5)
    env.reset(seed=0)
    assert env.step(ADD)[3] is False
    now = 5.0
    assert env.step(ADD)[3:] == (True, {"components": {}, "limit": "seconds"})
    env.reset(seed=0)
    assert env.step(ADD)[3] is False


def test_an_outer_policy_goes_on_from_what_an_inner_one_has_rewritten(renderer):
    env = DropObservations(Summarise(Adder(), lambda messages: "short", above=4, keep=2), keep=1)
    parts = played(TruncateToolOutput(env, tokens=1), renderer, ADD, ADD, ADD, assistant("4"))
    summary = "Summary of what happened so far:\nshort"
    note = next(text for text in contents(parts[1]) if text.startswith("["))
    assert contents(parts[1]) == ["3+1?", "", note, "", "4", "", "4"]
    assert contents(parts[2]) == ["3+1?", summary, "", note, "", "4", "4"]
    assert DROPPED.startswith(note.partition(" [cut: ")[0]) and note != DROPPED


def test_a_text_is_counted_once_while_a_conversation_grows():
    counted: list[str] = []
    enter(EpisodeContext(count_tokens=lambda text: counted.append(text) or 1))
    env = DropObservations(Adder(), keep=1, above=1000)
    env.reset(options={"task_id": "train-3"})
    for number in range(5):
        env.step(assistant("", [tool_call("add", {"a": number, "b": 100})]))
    assert len(counted) == len(set(counted)) == 12  # the question, "", five calls and five sums


def test_malformed_calls_become_text_where_the_conversation_is_rewritten(renderer):
    stray: Message = {"role": "tool", "content": "Error: not JSON", "tool_call_id": "call_0", "name": ""}
    rewritten = writable([user("?"), MALFORMED, stray, ADD, stray])
    assert rewritten == [user("?"), assistant("hm\n<tool_call>{"), user("Error: not JSON"), ADD, stray]
    assert renderer.prompt(rewritten, [])


TURNS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.text("ab<{", max_size=5)), max_size=5)


@given(TURNS)
def test_a_rewritten_conversation_has_no_answer_without_a_call_and_keeps_every_word(turns):
    conversation, number = [user("?")], 0
    for calls, broken, said in turns:
        spoken = assistant(said, [tool_call("add", {}, place) for place in range(calls)])
        if broken:
            spoken["invalid_tool_calls"] = [{"text": f"<{place}", "error": "no"} for place in range(broken)]
        conversation += [spoken, *[tool_result("r", tool_call("add", {}, place)) for place in range(calls + broken)]]
    for message in writable(conversation):
        assert "invalid_tool_calls" not in message
        if message["role"] == "assistant":
            ids = {call["id"] for call in message.get("tool_calls", [])}
        assert message["role"] != "tool" or message["tool_call_id"] in ids
        number += message["content"].count("r") + message["content"].count("<0")
    assert len(writable(conversation)) == len(conversation)
    assert number == sum(calls + broken + bool(broken) for calls, broken, _ in turns)


def test_every_episode_is_recorded_as_a_line_also_one_that_is_given_up(tmp_path: Path, renderer):
    file = tmp_path / "new" / "episodes.jsonl"
    for said in ((ADD, assistant("4")), (ADD,) * 9):
        played(Record(Adder(), file=str(file)), renderer, *said)
    env = Record(Adder(), file=str(file))
    env.reset(seed=3)
    env.reset(seed=4)
    env.close()
    env.close()
    whole, given_up, *unplayed = map(json.loads, file.read_text().splitlines())
    assert (whole["terminated"], whole["rewards"]) == (True, [0.0, 1.0])
    assert whole["messages"][1:3] == [ADD, {**user("4"), "role": "tool", "tool_call_id": "call_0", "name": "add"}]
    assert [info.get("components") for info in whole["infos"]] == [None, {}, {"correct": 1.0}]
    assert (given_up["terminated"], given_up["truncated"], len(given_up["rewards"])) == (False, False, 8)
    assert [episode["seed"] for episode in unplayed] == [3, 4]


def test_wrappers_are_named_in_the_configuration_from_the_inside_out(tmp_path: Path):
    wrappers = [
        {"name": "drop_observations", "keep": 2},
        {"name": "gymnasium.wrappers:TimeLimit", "max_episode_steps": 2},
        {"name": "record", "file": str(tmp_path / "x.jsonl")},
    ]
    env = EnvSection.model_validate({"name": "search", "wrappers": wrappers, "results": 2}).build()
    assert str(env).startswith("<Record<TimeLimit<DropObservations<Search")
    assert env.settings.model_dump()["results"] == 2
    assert env.get_wrapper_attr("options").file == str(tmp_path / "x.jsonl")


@pytest.mark.parametrize(
    ("wrappers", "shown"),
    [
        ("drop_observations", "<DropObservations<"),
        (["drop_observations", "truncate_tool_output"], "<TruncateToolOutput<DropObservations<"),
        ({"name": "limit", "turns": 2}, "<LimitEpisode<"),
        ({"name": "simulated_user", "endpoint": {"model": "m"}}, "<SimulatedUser<"),
    ],
)
def test_one_wrapper_needs_no_list_and_one_without_options_is_its_name(wrappers, shown):
    section = EnvSection.model_validate({"name": "search", "wrappers": wrappers})
    assert str(section.build()).startswith(shown)
    assert EnvSection.model_validate(section.model_dump()) == section


def test_the_file_of_an_environment_may_bring_a_wrapper_that_it_names(tmp_path: Path):
    (tmp_path / "brought.py").write_text(BROUGHT)
    section = {"name": f"{tmp_path}/brought.py:Quiet", "wrappers": [{"name": "polite", "cost": 0.5}]}
    env = EnvSection.model_validate(section).build()
    env.reset(seed=0)
    assert [env.step(assistant(said))[1] for said in ("now", "please")] == [-0.5, 0.0]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "drop_observation"}, "unknown wrapper 'drop_observation', did you mean 'drop_observations'"),
        ({"name": "drop_observations", "kep": 1}, "has no option 'kep', did you mean 'keep'"),
        ({"name": "drop_observations", "keep": 0}, "greater than 0"),
        ("drop_observation", "unknown wrapper 'drop_observation', did you mean 'drop_observations'"),
        ({"name": "limit"}, "at least one of turns, seconds and tokens"),
        ({"name": "gymnasium.wrappers:TimeLimit", "steps": 1}, "missing a required argument|unexpected keyword"),
        ({"name": "gymnasium.wrappers:NoSuch"}, "has no wrapper class 'NoSuch'"),
        ({"name": "no_such_package:X"}, "No module named 'no_such_package'"),
    ],
)
def test_a_wrong_wrapper_or_option_says_what_would_be_right(entry, said):
    with pytest.raises((ValueError, UserError), match=said):
        EnvSection.model_validate({"name": "search", "wrappers": [entry]})
    with pytest.raises((ValueError, UserError), match=said):
        EnvSection.model_validate({"name": "search", "wrappers": entry})


def test_what_cannot_be_recorded_keeps_its_reward_and_is_missed_aloud(tmp_path, renderer, caplog):
    closed: list[bool] = []

    class Closing(Adder):
        def close(self) -> None:
            closed.append(True)

    file = tmp_path / "episodes.jsonl"
    file.mkdir()  # what cannot be written, as on a full disk
    for _ in range(2):
        (part,) = played(Record(Closing(), file=str(file)), renderer, ADD, assistant("4"))
        assert (part.failure, part.reward, part.counters["record/lost"]) == (None, 1.0, 1.0)
    assert closed == [True, True]
    assert [record.message for record in caplog.records] == [
        f"episodes are not recorded: cannot write {file}: Is a directory"
    ]
    file.rmdir()
    played(Record(Adder(), file=str(file)), renderer, ADD, assistant("4"))
    assert caplog.records[-1].message == f"episodes are recorded again; 2 are missing in {file}"
    assert len(file.read_text().splitlines()) == 1


def test_a_line_that_a_full_disk_cuts_off_is_not_left_in_the_record(tmp_path, monkeypatch, renderer):
    file = tmp_path / "episodes.jsonl"
    whole = "x" * 1_000_000 + "\n"  # nothing else that this process writes is as long
    file.write_text(whole)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (len(whole) + 10, limits[1])
    )  # what goes beyond is cut, as on a full disk
    try:
        (part,) = played(Record(Adder(), file=str(file)), renderer, ADD, assistant("4"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (part.reward, part.counters["record/lost"]) == (1.0, 1.0)
    assert file.read_text() == whole
