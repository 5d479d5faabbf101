"""Outputs and values are compared as data: white space and rounding are forgiven, nothing else is."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_rl.envs.code.compare import same_output, same_value
from agent_rl.envs.code.harness import decode, encode

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
keys = st.integers() | st.text(max_size=4) | st.tuples(st.integers(), st.integers())
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4) | st.sets(keys, max_size=4),
    max_leaves=12,
)


@given(values)
def test_a_value_comes_through_json_as_it_was(value):
    said = json.loads(json.dumps(encode(value)))
    assert decode(said) == value
    assert same_value(encode(value), said)


def test_tuples_are_arguments_as_they_stand_and_values_as_lists():
    value = [(1, [2, ()]), {(1, (2,)): {(3,)}}]
    assert decode(json.loads(json.dumps(encode(value, tuples=True)))) == value
    assert decode(encode(value)) == [[1, [2, []]], {(1, (2,)): {(3,)}}]


@given(values, values)
def test_values_are_the_same_when_python_says_so_but_for_rounding(one, other):
    if same_value(encode(one), encode(other)):
        assert one == other or _rounded(one) == _rounded(other)
    elif one == other:
        assert str(other) == "nan"


def _rounded(value):
    """Return a value without what a tolerance may forgive: its floating-point numbers."""
    if isinstance(value, float):
        return "float"
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return "float" if isinstance(value, int) else value


@pytest.mark.parametrize(
    ("expected", "given_", "same"),
    [
        (2.0, 2.0000001, True),
        (2.0, 2.1, False),
        (2.0, 2, True),
        (2, 2.0, True),
        (2, 2.0000001, False),
        (10**20, 10**20 + 1, False),
        (1e20, 1e20 + 1e10, True),
        (0.5, math.inf, False),
        (0.5, math.nan, False),
        (math.inf, math.inf, True),
        (math.nan, math.nan, True),
        (math.nan, 0.5, False),
        (math.nan, 10**400, False),
        (0.5, 10**400, False),
        (1 << 20_000, 1 << 20_000, True),
        (1 << 20_000, (1 << 20_000) + 1, False),
        ((1, 2), [1, 2], True),
        ([1, [2.0]], [1, [2.00000001]], True),
        ([1, 2], [2, 1], False),
        ({1, 2}, {2, 1}, True),
        ({1, 2}, [1, 2], False),
        ({1: "a"}, {"1": "a"}, False),
        ({1: "a", (2, 3): "b"}, {1.0: "a", (2.0, 3): "b"}, True),
        ({1: "a"}, {1.5: "a"}, False),
        ({1, (2, 3)}, {1.0, (2, 3.0)}, True),
        ({1, 2}, {1, 2, 3}, False),
        ({"a": 0.1 + 0.2, "b": 1}, {"b": 1, "a": 0.3}, True),
        ("1.0", 1.0, False),
        (True, "True", False),
        (None, 0, False),
    ],
    ids=range(30),
)
def test_values(expected, given_, same):
    assert same_value(encode(expected), encode(given_)) is same


def test_a_value_that_no_test_can_expect_is_refused():
    with pytest.raises(TypeError, match="a value of type object cannot be compared"):
        encode([object()])


@pytest.mark.parametrize(
    ("expected", "given_", "same"),
    [
        ("1\n2\n", "1\n2", True),
        ("1\n2", "1  \n2\n\n\n", True),
        ("1\n2", "1\r\n2\r\n", True),
        ("1 2", "1  2", False),
        ("1 2", "1\n2", False),
        ("  *\n ***", "*\n***", False),
        ("a", "A", False),
        ("0.333333", "0.33333333333", True),
        ("0.5 yes", "0.50 yes", True),
        ("0.5 yes", ".5   yes", True),
        ("0.5 7", "0.5 8", False),
        ("0.5", "0.6", False),
        ("1e3", "1000", True),
        ("1000000007", "1000000008", False),
        ("3", "3.0", False),
        ("3.0", "3", True),
        ("3.0", "3_0", False),
        ("3.0", "nan", False),
        ("3.0", "inf", False),
        ("nan", "nan", True),
        ("", "\n", True),
        ("", "x", False),
        ("x", "", False),
    ],
)
def test_outputs(expected, given_, same):
    assert same_output(expected, given_) is same


@given(st.text(max_size=40), st.sampled_from(["", " ", "\n", " \n\n"]))
def test_an_output_is_itself_whatever_white_space_ends_it(text, end):
    assert same_output(text, text + end)


@given(st.text(alphabet="0123456789.eE+- \nab", max_size=30), st.text(alphabet="0123456789.eE+- \nab", max_size=30))
def test_comparing_any_two_texts_gives_an_answer_that_hangs_on_no_order_of_equals(one, other):
    assert isinstance(same_output(one, other), bool)
    assert same_output(one, one)


@pytest.mark.parametrize("token", ["9" * 300_000 + "x", "9" * 300_000, "0." + "9" * 300_000 + "e", "-" * 300_000])
def test_a_token_of_any_length_is_compared_at_once(token):
    assert not same_output("0.5", token)
