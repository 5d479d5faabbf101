"""The tools of a verl project: its YAML file of `class_name`, `config` and `tool_schema`."""

import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from agent_rl.core.errors import UserError
from agent_rl.core.modules import see
from agent_rl.core.outcome import BrokenEnvironmentError
from agent_rl.tools.schema_tool import schema_tool
from agent_rl.tools.tool import Tool


@functools.cache
def load_tools(file: Path) -> tuple[Any, ...]:
    """Return verl's tools as the file declares them; they are made once and shared, as in a worker of verl.

    Modules are looked for in the current folder and in the file's as well.

    Raises:
        UserError: The file or a tool in it is wrong, or verl is not installed.
    """
    try:
        from verl.tools.schemas import OpenAIFunctionToolSchema
    except ImportError as error:
        raise UserError(f"env.tools={file} needs the package verl: {error}") from error
    see(Path.cwd())
    see(file.resolve().parent)
    try:
        declared = yaml.safe_load(file.read_text(encoding="utf-8"))["tools"]
        return tuple(_made(entry, OpenAIFunctionToolSchema) for entry in declared)
    except UserError:
        raise
    except Exception as error:  # the user's own classes run here
        raise UserError(f"env.tools={file}: {type(error).__name__}: {error}") from error


def _made(entry: dict[str, Any], schema: Any) -> Any:
    config = entry.get("config") or {}
    if config.get("type", "native") != "native":
        raise UserError(
            f"env.tools: {entry['class_name']} is of type '{config['type']}'; only 'native' ones can be used"
        )
    module, _, name = entry["class_name"].rpartition(".")
    written = entry.get("tool_schema")
    return getattr(importlib.import_module(module), name)(
        config=config, tool_schema=schema.model_validate(written) if written else None
    )


def as_ours(tool: Any, create_kwargs: dict[str, Any], rewarded: Callable[[float], None]) -> Tool:
    """Return one of verl's tools as one of ours: created, executed and released at each call, as verl does.

    Args:
        tool: A `BaseTool` of verl.
        create_kwargs: What its `create` is handed in this episode.
        rewarded: Is told the reward of each call.
    """

    async def run(arguments: dict[str, Any]) -> str:
        instance, _ = await tool.create(create_kwargs=create_kwargs)
        try:
            response, reward, _ = await tool.execute(instance, arguments, agent_data=None)
        finally:
            await tool.release(instance)
        if response.image or response.video:
            raise BrokenEnvironmentError(tool.name, "it answered with an image or a video; only text can be shown")
        rewarded(float(reward or 0.0))
        return response.text or ""

    return schema_tool(tool.tool_schema.function.model_dump(exclude_unset=True, exclude_none=True), run)
