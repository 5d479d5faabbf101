"""How the servers of a fleet are found or made, and whether they belong together."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from agent_rl.clients.sglang import SglangClient
from agent_rl.core.errors import UserError
from agent_rl.rollout.engines.sglang.member import Member
from agent_rl.rollout.engines.sglang.server import launch
from agent_rl.rollout.engines.sglang.settings import SglangSettings

CONNECTIONS = 1024
"""Most requests that one server is sent at once."""


def members_of(settings: SglangSettings, model: str, folder: Path, gpus: bool) -> list[Member]:
    """Return the servers that are given, or else servers of ours that have yet to be started.

    Args:
        settings: Of the engine.
        model: Folder or hub's name of the model that servers of ours start with.
        folder: For their logs.
        gpus: Whether they run on GPUs.
    """
    if settings.urls:
        return [Member(_client(settings, url), None) for url in settings.urls]
    logs = [folder / f"sglang_{number}.log" for number in range(settings.servers)]
    processes = [launch(settings, number, model, log, gpus) for number, log in enumerate(logs)]
    return [Member(_client(settings, process.url), process) for process in processes]


def check(members: Sequence[Member], settings: SglangSettings) -> None:
    """Refuse servers that do not belong together or cannot do what is asked.

    Raises:
        UserError: They cannot.
    """
    names = {member.facts.weight_version for member in members}
    if len(names) > 1:
        raise UserError(f"engine.urls: the servers hold different weights: {', '.join(sorted(names))}")
    replicated = [member for member in members if member.facts.replicas > 1]
    if replicated and settings.weight_transport != "disk":
        raise UserError(
            f"engine.weight_transport={settings.weight_transport}: {replicated[0].client.url} has "
            "data-parallel replicas, which take weights from disk only"
        )
    for member in members if settings.colocated else []:
        if member.facts.device != "cpu" and not member.facts.releases_memory:
            raise UserError(
                f"engine.colocated: {member.client.url} would release nothing, or lose its weights; start it with "
                "--enable-memory-saver --enable-weights-cpu-backup"
            )


async def all_or_none(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do all at the same time; when one fails, end the others before its error goes on."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _client(settings: SglangSettings, url: str) -> SglangClient:
    slots = settings.requests_per_server or CONNECTIONS
    return SglangClient(url, slots, settings.request_seconds, settings.update_seconds)
