"""The policy's weights as engines fetch them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class PolicyWeights:
    """A version of the weights of a model in this process."""

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
        for name, parameter in self.model.named_parameters():
            yield name, parameter.detach()

    def save(self, folder: Path) -> None:
        """Write the model, and the tokenizer if there is one, in Hugging Face format."""
        self.model.save_pretrained(folder)
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(folder)
