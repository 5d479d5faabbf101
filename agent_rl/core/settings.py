"""The base class of every settings model."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings of one part, written beside the code that reads them.

    An unknown key is an error, a value never changes after validation, and a field's docstring is its help text.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=())
