"""Messages on the wire: what an endpoint says becomes ours whatever it is, and what we send back is always valid."""

import json

from hypothesis import given
from hypothesis import strategies as st

from agent_rl.clients.openai_messages import read_message, write_messages
from agent_rl.core.message import assistant, system, tool_call, tool_result, user
from tests.fake_openai import problem


def said(*calls, **more):
    return {"role": "assistant", "content": None, "tool_calls": list(calls)} | more


def call(name, arguments, id="c"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_calls_are_taken_over_as_they_are():
    message = read_message(said(call("add", '{"a":  1}', "x"), call("add", "{}", "y"), content="Let me see."), ())
    assert message == assistant("Let me see.", [call("add", '{"a":  1}', "x"), call("add", "{}", "y")])


def test_null_content_is_empty_and_parts_are_joined():
    assert read_message({"content": None}, ()) == assistant("")
    assert read_message({}, ()) == assistant("")
    parts = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}, {"type": "text", "text": "b"}]
    assert read_message({"content": parts}, ()) == assistant("ab")


def test_ids_that_are_missing_or_taken_become_new_ones():
    calls = [call("a", "{}", id) for id in ("x", "x", "", None, "call_0", 7)]
    ids = [made["id"] for made in read_message(said(*calls), {"call_1"})["tool_calls"]]
    assert ids[0] == "x"
    assert len({*ids, "call_1"}) == len(ids) + 1


def test_malformed_calls_are_kept_apart_with_what_is_wrong():
    message = read_message(
        said(call("add", "{bad"), call("add", "[1]"), call("", "{}"), call("add", None), "what?", call("add", "{}")), ()
    )
    assert [made["function"]["arguments"] for made in message["tool_calls"]] == ["{}"]
    errors = [bad["error"] for bad in message["invalid_tool_calls"]]
    assert errors[0].startswith("a tool call must be a JSON object: ")
    assert errors[1:] == [
        'a tool call needs "arguments", a JSON object',
        'a tool call needs "name"',
        'a tool call needs "arguments", a JSON object',
        'a tool call needs "name"',
    ]
    assert json.loads(message["invalid_tool_calls"][0]["text"]) == {"name": "add", "arguments": "{bad"}


def test_a_tool_without_arguments_may_be_called_with_nothing_written_or_an_object():
    message = read_message(said(call("now", "", "a"), call("add", {"a": 1}, "b")), ())
    assert [made["function"]["arguments"] for made in message["tool_calls"]] == ["{}", '{"a": 1}']


def test_thoughts_are_kept_and_sent_back_only_if_asked_for():
    for name in ("reasoning_content", "reasoning"):
        message = read_message({"content": "7", name: "3 and 4"}, ())
        assert message == assistant("7") | {"reasoning_content": "3 and 4"}
        assert write_messages([message]) == [{"role": "assistant", "content": "7"}]
        assert write_messages([message], reasoning=True)[0]["reasoning_content"] == "3 and 4"


def test_a_malformed_call_is_sent_back_well_formed_and_answered():
    message = read_message(said(call("add", "{bad", "x"), call("add", "{}", "call_1")), ())
    answers = [
        tool_result("0", message["tool_calls"][0]),
        tool_result("Error: not JSON", tool_call("", {}, 1)),  # as environments answer, with an id that is taken
    ]
    written = write_messages([user("?"), message, *answers, user("and?")])
    assert problem({"messages": written}) is None
    assert [made["function"]["arguments"] for made in written[1]["tool_calls"]] == ["{}", '{"malformed": "{bad"}']
    assert [answer["content"] for answer in written[2:]] == ["0", "Error: not JSON", "and?"]


def test_a_call_that_the_environment_leaves_open_is_answered_with_nothing():
    written = write_messages([user("?"), assistant("", [tool_call("add", {})]), user("go on")])
    assert written[2:] == [
        {"role": "tool", "tool_call_id": "call_0", "content": ""},
        {"role": "user", "content": "go on"},
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
arguments = json_values | st.dictionaries(st.text(max_size=4), json_values, max_size=2).map(json.dumps)
functions = json_values | st.fixed_dictionaries({}, optional={"name": json_values, "arguments": arguments})
calls = json_values | st.fixed_dictionaries({}, optional={"id": json_values, "function": functions})
turns = json_values.filter(lambda value: isinstance(value, dict)) | st.fixed_dictionaries(
    {},
    optional={"content": json_values, "tool_calls": st.none() | st.lists(calls, max_size=4), "reasoning": json_values},
)


@given(st.lists(st.tuples(turns, st.booleans(), st.booleans()), max_size=4))
def test_any_conversation_goes_back_valid_with_every_call_answered(conversation):
    messages = [system("s"), user("u")]
    for turn, answered, interrupted in conversation:
        taken = {made["id"] for message in messages for made in message.get("tool_calls", [])}
        message = read_message(turn, taken)
        valid, invalid = message.get("tool_calls", []), message.get("invalid_tool_calls", [])
        assert len(valid) + len(invalid) == len(turn["tool_calls"] if isinstance(turn.get("tool_calls"), list) else [])
        assert not taken & {made["id"] for made in valid}
        messages.append(message)
        if answered:
            messages += [tool_result(f"of {made['id']}", made) for made in valid]
            messages += [tool_result("Error", tool_call("", {}, len(valid) + i)) for i in range(len(invalid))]
        if interrupted:
            messages.append(user("go on"))
    written = write_messages(messages)
    assert problem({"messages": written}) is None
    contents = {made["tool_call_id"]: made["content"] for made in written if made["role"] == "tool"}
    for message in messages:
        if message["role"] == "tool" and message["content"].startswith("of "):
            assert contents[message["tool_call_id"]] == message["content"]
