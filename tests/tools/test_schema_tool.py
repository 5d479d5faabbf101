"""Tools that are declared by a JSON schema."""

import asyncio
import json
from typing import Any

import pytest

from agent_rl.core.message import tool_call
from agent_rl.tools.schema_tool import schema_tool

SCHEMA: dict[str, Any] = {
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
}


async def told(arguments: dict[str, Any]) -> str:
    return json.dumps(arguments)


def answer(arguments: Any, parameters: dict[str, Any] | None = None) -> str:
    described = SCHEMA if parameters is None else {"name": "book", "parameters": parameters}
    call = tool_call("book", {})
    call["function"]["arguments"] = json.dumps(arguments)
    return asyncio.run(schema_tool(described, told).call(call))["content"]


def test_the_schema_is_shown_as_it_was_given() -> None:
    assert schema_tool(SCHEMA, told).schema() == {"type": "function", "function": SCHEMA}


def test_a_tool_that_is_made_again_and_again_costs_nothing_more() -> None:
    assert schema_tool(SCHEMA, told).arguments is schema_tool(json.loads(json.dumps(SCHEMA)), told).arguments


def test_what_cannot_be_checked_against_the_schema_is_wrong() -> None:
    nested: dict[str, Any] = {"type": "array", "items": {"allOf": [{"$ref": "#/$defs/nested"}]}}
    fields = {"number": {"type": "number", "multipleOf": 0.1}, "deep": {"$ref": "#/$defs/nested"}}
    parameters = {"type": "object", "properties": fields, "$defs": {"nested": nested}}
    deep: list[Any] = []
    for _ in range(195):
        deep = [deep]
    for wrong in (float("inf"), 10**4000):
        assert answer({"number": wrong}, parameters) == "Error: a number is too large, or something nests too deep"
    assert answer({"deep": deep}, parameters)  # how deep is too deep, depends on who calls


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
        ([1], "[1] is not of type 'object'"),
        (
            {"schema": "on the roof", "people": 2},
            "argument 'schema': 'on the roof' is not one of ['indoors', 'outdoors']",
        ),
        ({"schema": "indoors", "people": "two"}, "argument 'people': 'two' is not of type 'integer', 'null'"),
        (
            {"schema": "indoors", "people": 2, "_wishes": ["sun", 3]},
            "argument '_wishes.1': 3 is not of type 'string'",
        ),
        (
            {"schema": "indoors", "people": 2, "peoples": 2},
            "unknown argument 'peoples', did you mean 'people'? (there are: schema, people, _wishes, model_x)",
        ),
        (
            {"schema": "x", "peoples": 2},
            "missing argument 'people'; unknown argument 'peoples', did you mean 'people'?; argument 'schema': 'x'",
        ),
    ],
)
def test_wrong_arguments_are_answered_by_the_names_of_the_schema(wrong: Any, said: str) -> None:
    assert answer(wrong).startswith(f"Error: {said}")


def test_the_answer_to_a_wrong_argument_is_short_however_long_that_is() -> None:
    assert len(answer({"schema": "x" * 10_000, "people": ["y" * 10_000] * 1000})) < 1000


def test_a_schema_says_itself_which_further_arguments_it_allows() -> None:
    properties = {"people": {"type": "integer"}}
    assert answer({"people": 2, "x": 1}, {"properties": properties}).startswith("Error: unknown argument 'x'")
    assert json.loads(answer({"x": 1}, {"type": "object"})) == {"x": 1}
    assert json.loads(answer({"x": 1}, {"properties": properties, "additionalProperties": True})) == {"x": 1}
    patterned = {"properties": properties, "patternProperties": {"^x": {}}, "additionalProperties": False}
    assert json.loads(answer({"x": 1}, patterned)) == {"x": 1}
    assert answer({"x": 1, "y": 1}, patterned).startswith("Error: unknown argument 'y'")
    assert json.loads(answer({"x": 1}, {"properties": properties, "anyOf": [{"properties": {"x": {}}}]})) == {"x": 1}


def test_a_tool_may_have_no_arguments() -> None:
    bare = {"name": "wait", "description": ""}
    assert asyncio.run(schema_tool(bare, told).call(tool_call("wait", {})))["content"] == "{}"


def test_a_schema_that_is_none_is_refused_and_one_that_is_not_there_is_not_fetched() -> None:
    with pytest.raises(ValueError, match="'fly' have no valid schema"):
        schema_tool({"name": "fly", "parameters": {"type": "wing"}}, told)
    elsewhere = {"properties": {"x": {"$ref": "http://127.0.0.1:9/schema"}}}
    assert "the tool's schema has no" in answer({"x": 1}, elsewhere)
