"""The scalar reward worker: a frozen model with a head of one number scores finished episodes."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Linear
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from agent_rl.core.errors import UserError
from agent_rl.core.trajectory import Origin, Segment, Trajectory
from agent_rl.models.packed import Packed, hidden, pack_ends
from agent_rl.rollout.renderer import Renderer
from agent_rl.trainer.batches import Sample
from agent_rl.trainer.ranks import Ranks
from agent_rl.trainer.reward_settings import ScalarSettings
from agent_rl.trainer.sharding import prepare, through
from agent_rl.trainer.worker_settings import WorkerSettings
from agent_rl.trainer.workers.judging import Conversation, Judgement
from agent_rl.trainer.workers.tokenwise import each_token


class ScalarReward:
    """Scores conversations by what the head says at their last token, padding of the tokenizer's own left out."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        settings: ScalarSettings,
        micro_tokens: int,
        held: WorkerSettings | None = None,
    ) -> None:
        """Freeze `model`, a decoder with the head `score`; micro batches hold at most `micro_tokens` tokens.

        Raises:
            UserError: Its tokenizer has no chat template that can be followed, or it is told to read too much.
        """
        held = held or WorkerSettings()
        self.ranks = Ranks.here(held.sequence_parallel)
        self.settings = settings
        self.device = self.ranks.device(model)
        shape = model.config.get_text_config()
        self._padding: int | None = shape.pad_token_id
        self._longest: int = settings.max_tokens or shape.max_position_embeddings
        if self._longest > shape.max_position_embeddings:
            raise UserError(
                f"reward_model.max_tokens={self._longest} is over what the model can read: "
                f"{shape.max_position_embeddings} tokens"
            )
        self._renderer = Renderer(tokenizer, settings.renderer) if settings.reads == "messages" else None
        self.model = model.requires_grad_(False)
        prepare(model, held, self.ranks, exact=[model.score])
        self.micro_tokens = micro_tokens

    def judge(self, conversations: Sequence[Conversation]) -> list[Judgement]:
        """Return the score of each conversation; none where it cannot be told to the model, or is not finite."""
        read = [self._read(conversation) for conversation in conversations]
        known = [_sample(tokens) for tokens, _ in read if tokens]
        scores = iter(each_token(self._scores, self.ranks, known, self.micro_tokens).tolist())
        return [self._scored(said, next(scores)) if tokens else said for tokens, said in read]

    def _read(self, conversation: Conversation) -> tuple[list[int], Judgement]:
        """Return what the model is to read of a conversation, up to the last token that is no padding."""
        tokens = conversation.tokens
        if self._renderer is not None:
            try:
                tokens = self._renderer.conversation(conversation.messages, conversation.tools)
            except UserError as error:
                return [], Judgement(None, str(error))
        if not tokens:
            return [], Judgement(None, "nothing was said in it")
        end = tokens[-self._longest :]
        while len(end) > 1 and end[-1] == self._padding:
            end.pop()
        return end, Judgement(None, cut=len(tokens) > self._longest)

    def _scored(self, said: Judgement, score: float) -> Judgement:
        if not math.isfinite(score):
            return Judgement(None, f"its score is {score}")
        squashed = 0.5 * (1 + math.tanh(0.5 * score)) if self.settings.squash == "sigmoid" else score
        return said._replace(score=squashed)

    def _scores(self, batch: Sequence[Sample]) -> Tensor:
        """Return the score of each sample, `[N]`."""
        packed = pack_ends([sample.trajectory.tokens for sample in batch]).to(self.device)
        part = self.ranks.part(packed)
        return self.ranks.joined(through(self.model, _heads, part), packed, part)


def _sample(tokens: list[int]) -> Sample:
    """Return tokens as what micro batches are made of, with one value to be found."""
    return Sample(Trajectory("", segments=[Segment(Origin.PROMPT, tuple(tokens))]), torch.zeros(1))


def _heads(model: PreTrainedModel, packed: Packed) -> Tensor:
    score: Linear = model.score
    found: Tensor = score(hidden(model.base_model, packed).to(score.weight.dtype))
    return found[:, 0]
