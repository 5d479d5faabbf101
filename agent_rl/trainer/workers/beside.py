"""What workers beside the policy have in common: a module of their own that learns, and its state in checkpoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from torch.nn import Module

from agent_rl.trainer.optimizer import OptimizerSettings, apply, learning_rate, make_optimizer
from agent_rl.trainer.ranks import Ranks
from agent_rl.trainer.saving import AtOnce, Behind
from agent_rl.trainer.sharding import prepare
from agent_rl.trainer.states import load_state, state_writer
from agent_rl.trainer.worker_settings import WorkerSettings


class BesideWorker:
    """Holds a module that learns beside the policy, with micro batches of at most `micro_tokens` tokens."""

    name: ClassVar[str]
    """What its metrics begin with, and its file in a checkpoint."""

    def _hold(
        self,
        module: Module,
        optimizer: OptimizerSettings,
        micro_tokens: int,
        held: WorkerSettings | None,
        exact: Sequence[Module] = (),
    ) -> None:
        """Make `module` ready, and an optimizer for all of its weights; `exact` parts compute in their own type."""
        held = held or WorkerSettings()
        self.ranks = Ranks.here(held.sequence_parallel)
        self.device = self.ranks.device(module)
        prepare(module, held, self.ranks, exact=exact)
        self._module, self._optimizing = module, optimizer
        self.micro_tokens = micro_tokens
        self.optimizer = make_optimizer(list(module.parameters()), optimizer)
        self._behind = Behind(self.ranks)
        self.updates = 0
        self.skipped = 0

    def _apply(self, loss: float, updates: int, learned: bool = True) -> dict[str, float]:
        """Take the optimizer step of a mini batch, if anything was `learned`, and return its metrics."""
        rate = learning_rate(self._optimizing, self.updates, updates)
        norm = apply(self.optimizer, rate, self._optimizing.max_grad_norm, loss) if learned else 0.0
        self.updates += 1
        self.skipped += norm is None
        found = {"loss": loss, "lr": rate, "grad_norm": norm or 0.0, "skipped_updates": float(norm is None)}
        return {f"{self.name}/{key}": value for key, value in found.items()}

    def save(self, folder: Path, behind: bool = False) -> None:
        """Write the module and the optimizer's state into `folder`; `behind`, in a thread: `saved` says when."""
        saving, file = self._behind if behind else AtOnce(self.ranks), folder / f"{self.name}.pt"
        counts = {"updates": self.updates, "skipped": self.skipped}
        saving.write([state_writer(file, self.optimizer, self._module, self.ranks, True, saving, **counts)])

    def saved(self) -> bool:
        """Return whether all that was to be written behind is written.

        Raises:
            Exception: What kept it from being written.
        """
        return self._behind.done()

    def load(self, folder: Path) -> None:
        """Restore what was saved.

        Raises:
            UserError: It is missing or damaged.
        """
        state = load_state(folder / f"{self.name}.pt", self.optimizer, self._module, self.ranks, own=True)
        self.updates, self.skipped = state["updates"], state["skipped"]
