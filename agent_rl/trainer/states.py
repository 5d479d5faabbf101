"""What a worker goes on from: its optimizer, and its model where that is not in the checkpoint already.

One rank writes FILE. Several write each their part into a folder beside it, which any number of ranks can read.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch.nn import Module
from torch.optim import Optimizer

from agent_rl.core.errors import UserError
from agent_rl.core.outcome import told
from agent_rl.trainer.ranks import Ranks
from agent_rl.trainer.saving import Saving, Write


def state_writer(
    file: Path, optimizer: Optimizer, module: Module, ranks: Ranks, own: bool, saving: Saving, **counts: int
) -> Write:
    """Return what writes the state of the optimizer of `module`, and of `module` if it is its `own`, and some numbers.

    It is the state of this moment, whenever that is called.
    """
    if not ranks.sharded:
        state = {"model": module.state_dict()} if own else {}
        kept = saving.keep(state | {"optimizer": optimizer.state_dict()})
        return lambda: torch.save(kept | counts, file)
    from torch.distributed.checkpoint.state_dict_saver import save

    stepped = bool(optimizer.state)
    parts, group = saving.keep(_parts(optimizer, module, own, stepped)), saving.group

    def write() -> None:
        if parts:
            save(parts, checkpoint_id=_folder(file), process_group=group)
        saving.first(lambda: torch.save(counts | {"stepped": stepped}, file))

    return write


def load_state(file: Path, optimizer: Optimizer, module: Module, ranks: Ranks, own: bool) -> dict[str, Any]:
    """Restore what `state_writer` wrote, on this or another number of ranks, and return the numbers.

    Raises:
        UserError: It is missing or damaged.
    """
    try:
        state: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
        if "optimizer" not in state:
            _load_parts(_folder(file), optimizer, module, own, state["stepped"])
        elif ranks.sharded:
            _deal(state, optimizer, module, own)
        else:
            optimizer.load_state_dict(state["optimizer"])
            if own:
                module.load_state_dict(state["model"])
    except Exception as error:
        raise UserError(f"the state in {file} cannot be read: {told(error)}") from error
    return state


def _folder(file: Path) -> Path:
    return file.with_suffix("")


def _parts(optimizer: Optimizer, module: Module, own: bool, stepped: bool) -> dict[str, Any]:
    """Return the parts of this rank by the names of weights; an optimizer that never stepped has none, and stays so."""
    from torch.distributed.checkpoint.state_dict import get_model_state_dict, get_optimizer_state_dict

    parts: dict[str, Any] = {"optimizer": get_optimizer_state_dict(module, optimizer)} if stepped else {}
    return parts | ({"model": get_model_state_dict(module)} if own else {})


def _load_parts(folder: Path, optimizer: Optimizer, module: Module, own: bool, stepped: bool) -> None:
    from torch.distributed.checkpoint.state_dict import set_model_state_dict, set_optimizer_state_dict
    from torch.distributed.checkpoint.state_dict_loader import load

    parts = _parts(optimizer, module, own, stepped)
    if parts:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")  # one rank may read alone
            load(parts, checkpoint_id=folder)
    if stepped:
        set_optimizer_state_dict(module, optimizer, parts["optimizer"])
    if own:
        set_model_state_dict(module, parts["model"])


def _deal(state: dict[str, Any], optimizer: Optimizer, module: Module, own: bool) -> None:
    """Deal out what one rank wrote: its optimizer counts the weights, which here have names."""
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        set_model_state_dict,
        set_optimizer_state_dict,
    )

    options = StateDictOptions(full_state_dict=True)
    written = state["optimizer"]
    if written["state"]:
        names = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
        groups = [group | {"params": [names[i] for i in group["params"]]} for group in written["param_groups"]]
        named: Any = {"state": {names[i]: of for i, of in written["state"].items()}, "param_groups": groups}
        set_optimizer_state_dict(module, optimizer, named, options=options)
    if own:
        set_model_state_dict(module, state["model"], options=options)
