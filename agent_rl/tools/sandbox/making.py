"""The sandbox that settings describe."""

from importlib.util import find_spec

from agent_rl.core.errors import UserError
from agent_rl.tools.sandbox.base import Sandbox
from agent_rl.tools.sandbox.docker.settings import DockerSettings
from agent_rl.tools.sandbox.e2b.settings import E2bSettings
from agent_rl.tools.sandbox.fusion.sandbox import FusionSandbox
from agent_rl.tools.sandbox.fusion.settings import FusionSettings
from agent_rl.tools.sandbox.local.sandbox import LocalSandbox
from agent_rl.tools.sandbox.settings import SandboxSettings


def make_sandbox(settings: SandboxSettings) -> Sandbox:
    """Return a sandbox, which starts nothing before a program is run.

    Raises:
        UserError: It needs a package that is not installed.
    """
    if isinstance(settings, FusionSettings):
        return FusionSandbox(settings)
    if isinstance(settings, DockerSettings):
        _need("docker")
        from agent_rl.tools.sandbox.docker.sandbox import DockerSandbox

        return DockerSandbox(settings)
    if isinstance(settings, E2bSettings):
        _need("e2b")
        from agent_rl.tools.sandbox.e2b.sandbox import E2bSandbox

        return E2bSandbox(settings)
    return LocalSandbox(settings)


def _need(package: str) -> None:
    if find_spec(package) is None:
        raise UserError(f"sandbox={package} needs the package {package}: pip install 'agent-rl[{package}]'")
