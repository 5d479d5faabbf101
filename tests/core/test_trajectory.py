"""A trajectory computes tokens, mask and positions from its segments, and survives the way through JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_rl.core.message import assistant, system, tool_call, tool_result, user
from agent_rl.core.outcome import BrokenEnvironmentError, Cause, Failure, InfrastructureError, StopReason
from agent_rl.core.trajectory import Group, Origin, Segment, Trajectory, Turn

TWO_TURNS = [
    Segment(Origin.PROMPT, (1, 2, 3)),
    Segment(Origin.ACTION, (4, 5), (-0.5, -0.25), (7, 7)),
    Segment(Origin.OBSERVATION, (6,)),
    Segment(Origin.ACTION, (8,), (-2.0,), (8,)),
]

finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | finite | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=4,
)
calls = st.builds(tool_call, names, st.dictionaries(names, values, max_size=2), st.integers(0, 3))
messages = st.one_of(
    st.builds(system, names),
    st.builds(user, names),
    st.builds(assistant, names, st.lists(calls, max_size=2)),
    st.builds(tool_result, names, calls),
)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    origin = draw(st.sampled_from(Origin))
    tokens = draw(st.lists(st.integers(0, 151_000), max_size=5))
    if origin is not Origin.ACTION:
        return Segment(origin, tuple(tokens))
    size = len(tokens)
    logprobs = draw(st.lists(finite, min_size=size, max_size=size))
    versions = draw(st.lists(st.integers(0, 99), min_size=size, max_size=size))
    return Segment(origin, tuple(tokens), tuple(logprobs), tuple(versions))


trajectories = st.builds(
    Trajectory,
    task_id=names,
    sample=st.integers(0, 7),
    attributes=st.dictionaries(names, values, max_size=2),
    segments=st.lists(segments(), max_size=4),
    turns=st.lists(st.builds(Turn, finite, st.integers(0, 3), st.integers(0, 3), finite, finite), max_size=3),
    messages=st.lists(messages, max_size=3),
    components=st.dictionaries(names, finite, max_size=2),
    stop=st.sampled_from(StopReason),
    failure=st.none() | st.builds(Failure, st.sampled_from(Cause), names, names),
    seconds=finite,
)


def test_tokens_mask_log_probabilities_and_turns_follow_from_the_segments():
    trajectory = Trajectory("t", segments=TWO_TURNS)
    assert trajectory.tokens == [1, 2, 3, 4, 5, 6, 8]
    assert trajectory.loss_mask == [False, False, False, True, True, False, True]
    assert trajectory.action_logprobs == [-0.5, -0.25, -2.0]
    assert trajectory.action_turns == [0, 0, 1]


@given(trajectories)
def test_the_mask_is_as_long_as_the_tokens_and_true_once_per_log_probability(trajectory):
    assert len(trajectory.loss_mask) == len(trajectory.tokens)
    assert sum(trajectory.loss_mask) == len(trajectory.action_logprobs) == len(trajectory.action_turns)


@pytest.mark.parametrize(
    ("origin", "logprobs", "versions"),
    [
        (Origin.ACTION, (), ()),
        (Origin.ACTION, (-1.0,), (0, 0)),
        (Origin.ACTION, (-1.0, -1.0), (0,)),
        (Origin.ACTION, (-1.0, -1.0, -1.0), (0, 0, 0)),
        (Origin.PROMPT, (-1.0, -1.0), (0, 0)),
        (Origin.OBSERVATION, (-1.0, -1.0), ()),
        (Origin.OBSERVATION, (), (0, 0)),
    ],
)
def test_a_segment_refuses_log_probabilities_and_versions_that_do_not_fit_its_tokens(origin, logprobs, versions):
    with pytest.raises(ValueError, match=f"a segment of 2 {origin} tokens"):
        Segment(origin, (1, 2), logprobs, versions)


@given(trajectories)
def test_a_trajectory_comes_back_from_json_as_it_was(trajectory):
    restored = Trajectory.from_json(json.loads(json.dumps(trajectory.to_json())))
    assert restored == trajectory
    assert isinstance(restored.stop, StopReason)
    assert all(isinstance(segment.origin, Origin) for segment in restored.segments)
    assert restored.failure is None or isinstance(restored.failure.cause, Cause)


def test_the_reward_is_the_sum_of_the_turns_and_is_written_for_readers_of_the_file():
    trajectory = Trajectory("t", turns=[Turn(reward=0.25), Turn(reward=0.5)])
    assert trajectory.reward == trajectory.to_json()["reward"] == 0.75


def test_only_what_the_policy_caused_counts_as_a_result():
    failures = [None, *(Failure(cause, "x", "y") for cause in (Cause.POLICY, Cause.ENVIRONMENT, Cause.INFRASTRUCTURE))]
    group = Group("t", [Trajectory("t", sample=i, failure=failure) for i, failure in enumerate(failures)])
    assert [episode[0].sample for episode in group.usable] == [0, 1]


def test_an_error_becomes_a_failure_with_its_cause_and_its_source():
    assert InfrastructureError("a", "b").failure() == Failure(Cause.INFRASTRUCTURE, "a", "b")
    assert BrokenEnvironmentError("a", "b").failure() == Failure(Cause.ENVIRONMENT, "a", "b")
