"""Tools that are declared by a JSON schema."""

import asyncio
import json
from typing import Any

import pytest

from agent_rl.core.message import tool_call
from agent_rl.envs.adapters.schema_tool import schema_tool

SCHEMA: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "book",
        "description": "Book a table.",
        "parameters": {
            "type": "object",
            "properties": {
                "schema": {"type": "string", "enum": ["indoors", "outdoors"]},
                "people": {"type": ["integer", "null"]},
                "_wishes": {"type": "array", "items": {"type": "string"}},
                "model_x": {},
            },
            "required": ["schema", "people"],
        },
    },
}


async def told(arguments: dict[str, Any]) -> str:
    return json.dumps(arguments)


def answer(arguments: dict[str, Any]) -> str:
    return asyncio.run(schema_tool(SCHEMA, told).call(tool_call("book", arguments)))["content"]


def test_the_schema_is_shown_word_for_word() -> None:
    assert schema_tool(SCHEMA, told).schema() == SCHEMA


def test_arguments_arrive_as_given_and_absent_ones_stay_absent() -> None:
    for given in (
        {"schema": "indoors", "people": 2},
        {"schema": "outdoors", "people": None, "_wishes": ["sun"], "model_x": {"a": 1}},
    ):
        assert json.loads(answer(given)) == given


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "missing arguments 'schema', 'people'"),
        ({"schema": "on the roof", "people": 2}, "argument 'schema': Input should be 'indoors' or 'outdoors'"),
        ({"schema": "indoors", "people": "two"}, "argument 'people': Input should be a valid integer"),
        (
            {"schema": "indoors", "people": 2, "peoples": 2},
            "unknown argument 'peoples', did you mean 'people'? (there are: schema, people, _wishes, model_x)",
        ),
    ],
)
def test_wrong_arguments_are_answered_by_the_names_of_the_schema(wrong: dict[str, Any], said: str) -> None:
    assert answer(wrong).startswith(f"Error: {said}")


def test_a_tool_may_have_no_arguments() -> None:
    bare = {"type": "function", "function": {"name": "wait", "description": ""}}
    assert asyncio.run(schema_tool(bare, told).call(tool_call("wait", {})))["content"] == "{}"
