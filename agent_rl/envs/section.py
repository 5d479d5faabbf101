"""The `env` section of a configuration: which environment, with that environment's own settings."""

from typing import Any

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationInfo, field_validator, model_validator

from agent_rl.envs.base import AgentEnv
from agent_rl.envs.registration import environment, label_of, make
from agent_rl.envs.wrappers.base import ChatEnv, awaitable
from agent_rl.envs.wrappers.section import WrapperSection


def written(name: Any) -> Any:
    """Return a list of members as it is written on the command line, anything else as it is."""
    return f"[{','.join(map(str, name))}]" if isinstance(name, list) else name


class EnvSection(BaseModel):
    """`name`, and beside it the settings of the environment that it names."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    name: str = "search"
    """A registered environment, FILE.py:CLASS, or a mixture of several: [NAME,NAME]."""
    wrappers: tuple[WrapperSection, ...] = ()
    """What it is wrapped in, from the inside out: a list of NAME or {name: NAME, OPTION: VALUE}; or one of these."""

    @field_validator("name", mode="before")
    @classmethod
    def _one_name(cls, name: Any) -> Any:
        return written(name)

    @field_validator("wrappers", mode="before")
    @classmethod
    def _environment_first(cls, wrappers: Any, info: ValidationInfo) -> Any:
        """Make one a list; read the environment's file, which may bring wrappers, before they are looked up."""
        if "name" in info.data:
            environment(info.data["name"])
        return [wrappers] if isinstance(wrappers, str | dict | WrapperSection) else wrappers

    @model_validator(mode="wrap")
    @classmethod
    def _known(cls, values: Any, handler: ModelWrapValidatorHandler["EnvSection"]) -> "EnvSection":
        """Let the environment's own class judge its settings, so that errors name their keys."""
        section = handler(values)
        environment(section.name).settings_class().model_validate(section.settings)
        return section

    @property
    def label(self) -> str:
        """The name without a path, for folders and titles."""
        return label_of(self.name)

    @property
    def settings(self) -> dict[str, Any]:
        """What stands beside the name."""
        return dict(self.model_extra or {})

    def build(self) -> AgentEnv:
        """Return a new environment."""
        env: ChatEnv = make(self.name, **self.settings)
        for section in self.wrappers:
            env = section.wrap(env)
        return awaitable(env)
