"""Which isolation this machine offers: the strongest that works is taken, if it is allowed."""

from contextlib import ExitStack

from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.base import Limits, Status
from agent_rl.tools.sandbox.local.client import ForkServer, ServerGoneError, Start
from agent_rl.tools.sandbox.local.forked import wire
from agent_rl.tools.sandbox.local.run import run_once
from agent_rl.tools.sandbox.local.settings import Tier

_TRIAL = wire.packed({"files": [], "command": ["/bin/sh", "-c", ":"], "fetch": [], "session": False})

_PATIENT = Limits(seconds=60.0)  # a machine that is slow just now isolates as well


async def strongest(weakest: Tier, start: Start) -> tuple[Tier, ForkServer]:
    """Return the strongest tier in which a trial program runs, and a fork server of it.

    Raises:
        UserError: It would be weaker than `weakest`; the text says what is missing.
    """
    ladder = list(Tier)
    missing: list[str] = []
    for tier in ladder[: ladder.index(weakest) + 1]:
        with ExitStack() as stack:
            try:
                server = await ForkServer.start(tier, start)
                stack.callback(server.close)
                result = await run_once(server, _TRIAL, _PATIENT, b"")
            except ServerGoneError as error:
                missing.append(f"{tier}: {error}")
                continue
            if result.status is Status.FINISHED:
                stack.pop_all()
                return tier, server
            missing.append(f"{tier}: {result.message or result.stderr.strip() or result.status}")
    weaker = [tier for tier in ladder if ladder.index(tier) > ladder.index(weakest)]
    hint = f"; allow less with sandbox.weakest={weaker[0]}" if weaker else ""
    raise UserError(f"programs cannot be isolated on this machine ({'; '.join(missing)}){hint}")
