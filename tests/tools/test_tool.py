"""A typed function becomes a tool: what the model is told of it, and who is to blame when a call goes wrong."""

import asyncio
import dataclasses
import enum
import json
import threading
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from agent_rl import make
from agent_rl.core.message import Message, ToolCall, tool_call
from agent_rl.core.outcome import BrokenEnvironmentError, Cause, InfrastructureError
from agent_rl.tools import Tool, ToolPolicy, tool
from agent_rl.tools.schema import described_arguments


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    title: str
    number: int = 1


@tool
def paint(
    where: Address,
    colour: Colour,
    finish: Literal["matt", "glossy"] = "matt",
    coats: int | None = None,
    words: list[str] = [],  # noqa: B006
) -> str:
    """Paint a house
    in a colour.

    Nobody reads this.
    """
    return repr((where, colour, finish, coats, words))


def ask(asked: Tool, arguments: dict[str, Any]) -> Message:
    return asyncio.run(asked.call(tool_call(asked.name, arguments)))


def raw(asked: Tool, arguments: str) -> Message:
    call: ToolCall = {"id": "call_3", "type": "function", "function": {"name": asked.name, "arguments": arguments}}
    return asyncio.run(asked.call(call))


HOUSE = {"where": {"title": "x"}, "colour": "red"}


def test_the_schema_comes_from_the_type_hints_without_generated_titles():
    function = paint.schema()["function"]
    assert paint.schema()["type"] == "function"
    assert (function["name"], function["description"]) == ("paint", "Paint a house in a colour.")
    parameters = function["parameters"]
    assert parameters["required"] == ["where", "colour"]
    assert parameters["properties"] == {
        "where": {"$ref": "#/$defs/Address"},
        "colour": {"$ref": "#/$defs/Colour"},
        "finish": {"default": "matt", "enum": ["matt", "glossy"], "type": "string"},
        "coats": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "words": {"default": [], "items": {"type": "string"}, "type": "array"},
    }
    assert parameters["$defs"] == {
        "Colour": {"enum": ["red", "blue"], "type": "string"},
        # A property of the name "title" is no generated title.
        "Address": {
            "properties": {"title": {"type": "string"}, "number": {"default": 1, "type": "integer"}},
            "required": ["title"],
            "type": "object",
        },
    }


@tool
def lend(
    title: str,
    days: Annotated[int, "How long.", Field(ge=1)] = 14,
    to: Annotated[str, Field(description="Who reads it.")] = "me",
    shelf: str = "",
    note: str = "",
) -> str:
    """Lend a book.

    Args:
        title (str): The title, or
            a part of it: any part.
        days: Not this, because the annotation says it.
        to: Not this either.
        shelf: Where it stands.

    Returns:
        note: A line.
    """
    return f"{title} {days}"


def test_parameters_are_described_by_their_annotation_or_else_by_the_docstring():
    function = lend.schema()["function"]
    assert function["description"] == "Lend a book."
    assert function["parameters"]["properties"] == {
        "title": {"description": "The title, or a part of it: any part.", "type": "string"},
        "days": {"default": 14, "description": "How long.", "minimum": 1, "type": "integer"},
        "to": {"default": "me", "description": "Who reads it.", "type": "string"},
        "shelf": {"default": "", "description": "Where it stands.", "type": "string"},
        "note": {"default": "", "type": "string"},
    }
    assert "greater than or equal to 1" in ask(lend, {"title": "x", "days": 0})["content"]


@given(st.text(alphabet=" \n\tArgs:abc(*){}", max_size=200))
def test_any_docstring_is_read(text):
    described = described_arguments(f"Do.\n\nArgs:\n{text}")
    assert all("\n" not in said for said in described.values())


def test_the_schema_that_the_shipped_model_was_trained_on_is_what_it_was():
    shown = json.dumps([offered.schema() for offered in make("search").tools()])
    assert shown == (
        '[{"type": "function", "function": {"name": "search", "description": "Find a fact.", "parameters": '
        '{"properties": {"query": {"type": "string"}}, "required": ["query"], "type": "object"}}}]'
    )


def test_arguments_arrive_as_the_types_that_the_function_asks_for():
    assert ask(paint, HOUSE)["content"] == repr((Address(title="x"), Colour.RED, "matt", None, []))
    full = HOUSE | {"finish": "glossy", "coats": 2, "words": ["a"]}
    assert ask(paint, full)["content"] == repr((Address(title="x"), Colour.RED, "glossy", 2, ["a"]))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("", "Invalid JSON"),
        ("{", "Invalid JSON"),
        ('{"where": "\\ud800"}', "Invalid JSON"),
        ("[]", "should be an object"),
        ("null", "should be an object"),
        ("{}", "missing arguments 'where', 'colour'"),
        ('{"where": 1, "colour": "red"}', "argument 'where': Input should be an object"),
        ('{"where": {"title": "x"}}', "Error: missing argument 'colour'"),
        ('{"where": {}, "colour": "red"}', "argument 'where.title': Field required"),
        ('{"where": {"title": "x"}, "colour": "green"}', "argument 'colour': Input should be 'red' or 'blue'"),
        ('{"where": {"title": "x"}, "colour": "red", "size": 1}', "unknown argument 'size'"),
        (
            '{"were": {"title": "x"}, "colour": "red"}',
            "missing argument 'where'; unknown argument 'were', did you mean 'where'? (there are: where, ",
        ),
        ('{"' + "x\\n" * 9999 + '": 1}', "unknown argument 'x x x"),
    ],
)
def test_wrong_arguments_give_the_policy_a_message_and_no_exception(arguments, problem):
    message = raw(paint, arguments)
    assert (message["role"], message["tool_call_id"], message["name"]) == ("tool", "call_3", "paint")
    assert message["content"].startswith("Error: ")
    assert problem in message["content"]
    assert "\n" not in message["content"]


def test_the_function_is_not_run_with_wrong_arguments():
    run = []
    raw(tool(lambda_with_hint(run)), '{"a": "no number"}')
    assert run == []
    raw(tool(lambda_with_hint(run)), '{"a": 1}')
    assert run == [1]


def lambda_with_hint(run: list[int]) -> Any:
    def keep(a: int) -> None:
        run.append(a)

    return keep


def test_an_asynchronous_tool_that_takes_too_long_is_an_infrastructure_failure():
    @tool(policy=ToolPolicy(timeout=0.01))
    async def sleeper() -> str:
        await asyncio.Event().wait()
        return "never"

    with pytest.raises(InfrastructureError, match=r"sleeper: no answer within 0.01 s") as caught:
        ask(sleeper, {})
    assert caught.value.failure().cause is Cause.INFRASTRUCTURE


def test_a_synchronous_tool_that_takes_too_long_is_an_infrastructure_failure():
    released = threading.Event()

    @tool(policy=ToolPolicy(timeout=0.01))
    def sleeper() -> str:
        released.wait(30)
        return "late"

    async def call_and_release() -> None:
        try:
            await sleeper.call(tool_call("sleeper", {}))
        finally:
            released.set()

    with pytest.raises(InfrastructureError, match="sleeper: no answer within"):
        asyncio.run(call_and_release())


def test_an_exception_in_the_function_is_a_failure_of_the_environment():
    @tool
    def broken() -> str:
        raise ZeroDivisionError("oh no")

    with pytest.raises(BrokenEnvironmentError, match="broken: ZeroDivisionError: oh no") as caught:
        ask(broken, {})
    assert caught.value.failure().cause is Cause.ENVIRONMENT


def test_a_function_may_say_itself_that_infrastructure_failed():
    @tool
    async def far_away() -> str:
        raise InfrastructureError("server", "down")

    with pytest.raises(InfrastructureError, match="server: down"):
        ask(far_away, {})


def test_long_output_is_cut_and_the_policy_sees_that_it_was():
    @tool(policy=ToolPolicy(max_chars=5))
    def chatter(size: int) -> str:
        return "x" * size

    assert ask(chatter, {"size": 5})["content"] == "xxxxx"
    assert ask(chatter, {"size": 12})["content"] == "xxxxx [cut: 7 more characters]"


def test_plain_functions_run_beside_the_event_loop_and_asynchronous_ones_in_it():
    @tool
    def plain() -> int:
        return threading.get_ident()

    @tool
    async def twin() -> int:
        return threading.get_ident()

    here = str(threading.get_ident())
    assert ask(twin, {})["content"] == here
    assert ask(plain, {})["content"] != here


@dataclasses.dataclass
class Shop:
    stock: int

    @tool
    def count(self, add: int = 0) -> int:
        """Count."""
        return self.stock + add

    @tool(name="later", policy=ToolPolicy(timeout=3))
    async def count_later(self, add: int) -> int:
        return self.stock + add


def test_methods_bind_to_their_instance_and_hide_self_from_the_model():
    small, large = Shop(1), Shop(100)
    assert ask(small.count, {"add": 2})["content"] == "3"
    assert ask(large.count, {"add": 2})["content"] == "102"
    assert ask(large.count_later, {"add": 2})["content"] == "102"
    assert list(Shop.count.schema()["function"]["parameters"]["properties"]) == ["add"]


def test_name_and_policy_can_be_declared_at_the_tool():
    assert (Shop.count_later.name, Shop.count_later.policy.timeout) == ("later", 3)
    assert Shop.count.policy == ToolPolicy()


def test_a_parameter_without_a_type_hint_is_refused_when_the_tool_is_declared():
    def untyped(a: int, b) -> int:  # type: ignore[no-untyped-def]
        return a

    with pytest.raises(TypeError, match="untyped: parameter 'b' needs a type hint"):
        tool(untyped)
