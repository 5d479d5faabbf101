"""The policy's weights as engines fetch them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from agent_rl.models.weights import adapter_parameters, named_weights
from agent_rl.trainer.ranks import Ranks
from agent_rl.trainer.saving import AtOnce, Saving, Write


@dataclass(frozen=True)
class PolicyWeights:
    """A version of the weights of a model in this process, which may hold a part of them; all ranks read together."""

    version: int
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase | None = None
    unchanged: Callable[[], bool] = lambda: True

    @property
    def current(self) -> bool:
        """Whether the model has not been trained further since."""
        return self.unchanged()

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every weight with its Hugging Face name; tied ones once."""
        return named_weights(self.model)

    def save(self, folder: Path) -> None:
        """Write the model, and the tokenizer if there is one, in Hugging Face format."""
        export(self.model, folder)
        if self.tokenizer is not None and Ranks.here().rank == 0:
            self.tokenizer.save_pretrained(folder)


def export(model: PreTrainedModel, folder: Path) -> None:
    """Write a model as a plain one in Hugging Face format; where it is dealt out, rank 0 does, from its main memory."""
    exporter(model, folder, AtOnce(Ranks.here()))()


def exporter(model: PreTrainedModel, folder: Path, saving: Saving) -> Write:
    """Return what writes a model as `export` does, as it is at this moment."""
    ranks, plain = Ranks.here(), not adapter_parameters(model)
    if not ranks.sharded and plain and isinstance(saving, AtOnce):
        return lambda: model.save_pretrained(folder)
    written = model.state_dict().keys()
    buffers = ((name, buffer) for name, buffer in model.named_buffers() if name in written)
    kept: dict[str, Tensor] = {}
    for name, tensor in chain(named_weights(model), buffers):
        if ranks.rank == 0:
            kept[name] = saving.keep({name: tensor})[name].cpu()
    return lambda: saving.first(lambda: model.save_pretrained(folder, state_dict=kept))
