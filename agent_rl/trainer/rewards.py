"""What a reward model says of the episodes of a step becomes a reward, before anything else is made of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from agent_rl.core.errors import UserError
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.trajectory import Group, Trajectory
from agent_rl.models.loading import load_model, load_tokenizer
from agent_rl.rollout.failures import settle
from agent_rl.trainer.reward_settings import RewardModelSettings, ScalarSettings
from agent_rl.trainer.settings import TrainConfig
from agent_rl.trainer.sharding import load_for_ranks
from agent_rl.trainer.workers import GenerativeReward, ScalarReward
from agent_rl.trainer.workers.judging import Conversation, Judgement, JudgeWorker

COMPONENT = "reward_model"
"""The name of the score among the reward components of an episode."""
Parts = list[Trajectory]


@dataclass(frozen=True)
class Rewarder:
    """Lets a worker judge the episodes of a step, and returns them with the rewards that are to be learned from.

    What was rolled out keeps the rewards of its environment, and gets the score as a component. An episode that could
    not be judged has failed, by the infrastructure's fault. Of an episode in several parts the last one is judged.

    Attributes:
        worker: What judges.
        settings: What its scores count.
        failure_budget: The share of episodes that may fail.
    """

    worker: JudgeWorker
    settings: RewardModelSettings
    failure_budget: float

    def judge(self, groups: Sequence[Group]) -> tuple[list[Group], dict[str, float]]:
        """Return the groups with other rewards, and metrics; failures are noted in the groups that are given.

        Raises:
            FailureBudgetError: Too many episodes could not be judged.
        """
        begun = time.perf_counter()
        episodes = [episode for group in groups for episode in group.played if _speaks(episode)]
        said = self.worker.judge([_conversation(episode) for episode in episodes])
        seconds = time.perf_counter() - begun
        for episode, judgement in zip(episodes, said, strict=True):
            _note(episode, judgement)
        settle([Group(episode[0].task_id, episode) for episode in episodes], {}, 1, self.failure_budget)
        judged = [self._judged(group) for group in groups]
        return judged, {"seconds/reward_model": seconds} | _figures(said, judged)

    def _judged(self, group: Group) -> Group:
        episodes = [part for episode in group.episodes for part in self._rewarded(episode)]
        baseline, demonstration = self._rewarded(group.baseline), self._rewarded(group.demonstration)
        return Group(group.task_id, episodes, baseline, demonstration)

    def _rewarded(self, episode: Parts) -> Parts:
        """Return the parts of an episode with the rewards that are to be learned from."""
        if not _speaks(episode):
            return episode
        last, kept = _last(episode), 0.0 if self.settings.replace else 1.0
        turns = {id(part): [replace(turn, reward=kept * turn.reward) for turn in part.turns] for part in episode}
        turns[id(last)][-1].reward += self.settings.weight * last.components[COMPONENT]
        return [replace(part, turns=turns[id(part)]) for part in episode]


def make_judge(config: TrainConfig) -> JudgeWorker | None:
    """Return the worker that holds the reward model; None where there is none.

    Raises:
        UserError: It cannot be loaded, or cannot read what it is to judge.
    """
    settings = config.reward_model
    if settings is None:
        return None
    place = config.model.model_copy(update={"path": settings.path})
    if not isinstance(settings, ScalarSettings):
        return GenerativeReward(*load_model(place), settings)  # whole on every rank, for it generates
    model, tokenizer = load_for_ranks(place, scores=True)
    if settings.reads == "tokens" and tokenizer.get_vocab() != load_tokenizer(config.model).get_vocab():
        raise UserError(
            f"reward_model.reads=tokens: {settings.path} has another vocabulary than the policy's {config.model.path}; "
            "let it read messages"
        )
    return ScalarReward(model, tokenizer, settings, config.trainer.micro_tokens, config.worker)


def make_rewarder(config: TrainConfig, worker: JudgeWorker | None) -> Rewarder | None:
    """Return what asks the worker that holds the reward model, wherever it lives."""
    if worker is None or config.reward_model is None:
        return None
    return Rewarder(worker, config.reward_model, config.rollout.failure_budget)


def _speaks(episode: Parts) -> bool:
    """Return whether there is anything to judge: not in what has failed."""
    return bool(episode) and all(part.usable for part in episode) and any(part.turns for part in episode)


def _last(episode: Parts) -> Trajectory:
    return [part for part in episode if part.turns][-1]


def _conversation(episode: Parts) -> Conversation:
    last = _last(episode)
    return Conversation(last.messages, last.tools or [], last.tokens)


def _note(episode: Parts, judgement: Judgement) -> None:
    """Write what was said of an episode into it."""
    if judgement.score is not None:
        _last(episode).components[COMPONENT] = judgement.score
        return
    failure = InfrastructureError(COMPONENT, judgement.problem).failure()
    for part in episode:
        part.failure = failure


def _figures(said: Sequence[Judgement], judged: Sequence[Group]) -> dict[str, float]:
    """Return mean and deviation of the scores, what was cut, and in how many groups the rewards differ."""
    scores = torch.tensor([one.score for one in said if one.score is not None], dtype=torch.float64)
    if not len(scores):
        return {}
    return {
        "reward_model/mean": float(scores.mean()),
        "reward_model/std": float(scores.std(correction=0)),
        "reward_model/cut": sum(one.cut for one in said) / len(said),
        "reward_model/groups_with_signal": sum(group.informative for group in judged) / len(judged),
    }
