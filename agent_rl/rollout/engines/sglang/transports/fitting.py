"""Whether the trainer's tensors are those of a server's model.

The server does not say: a tensor whose name it does not know it ignores and reports success, one that it is not sent
keeps its old values, and at one of another shape it dies.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import safe_open

from agent_rl.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

_TIED = "lm_head.weight"  # models that tie it to the embedding do not save it, but may name it


class Fitting:
    """Compares tensors, as they pass, with a checkpoint that a server was started with."""

    def __init__(self, folder: str) -> None:
        """Read the names and shapes in `folder`; when it is no folder that we can see, everything fits."""
        self.folder = folder
        self._shapes: dict[str, list[int]] = {}
        for file in sorted(Path(folder).glob("*.safetensors")) if Path(folder).is_dir() else []:
            with safe_open(file, framework="pt") as content:
                self._shapes |= {name: content.get_slice(name).get_shape() for name in content.keys()}  # noqa: SIM118
        self._missing = set(self._shapes)

    def check(self, name: str, tensor: "Tensor") -> None:
        """Note a tensor that is to be sent.

        Raises:
            UserError: The model has none of this name, or of another shape.
        """
        if not self._shapes or (name == _TIED and name not in self._shapes):
            return
        if name not in self._shapes:
            raise UserError(f"the trainer's tensor {name} is not in the servers' model {self.folder}")
        if list(tensor.shape) != self._shapes[name]:
            raise UserError(
                f"the trainer's tensor {name} has the shape {list(tensor.shape)}, in the servers' model {self.folder} "
                f"it has {self._shapes[name]}"
            )
        self._missing.discard(name)

    def finish(self) -> None:
        """Note that all tensors have passed.

        Raises:
            UserError: The model has others, which would keep their old values.
        """
        missing = sorted(self._missing - {_TIED})
        if missing:
            raise UserError(
                f"{len(missing)} tensors of the servers' model {self.folder} have not come from the trainer, such as "
                f"{missing[0]}"
            )
