"""The generative reward worker: a frozen model reads finished episodes, and writes a verdict on each."""

import asyncio
from collections.abc import Sequence
from itertools import count

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from agent_rl.core.errors import UserError
from agent_rl.core.message import Message, images_of, text_of
from agent_rl.core.outcome import InfrastructureError
from agent_rl.core.threads import LoopThread
from agent_rl.envs.judge import verdict_on
from agent_rl.rollout.engines.base import Request, Sampling
from agent_rl.rollout.engines.embedded import EmbeddedEngine, EmbeddedSettings
from agent_rl.rollout.renderer import Renderer
from agent_rl.trainer.ranks import Ranks
from agent_rl.trainer.reward_settings import GenerativeSettings
from agent_rl.trainer.workers.judging import Conversation, Judgement

_GREEDY = Sampling(temperature=0.0)


class GenerativeReward:
    """Asks the model, by the rules that environments' judges are asked by, and takes the most likely answer.

    On several ranks each has a whole copy of the model and judges a part of the conversations. The cache of keys and
    values exists only while it does.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: GenerativeSettings
    ) -> None:
        """Judge with `model`, which must have been loaded with `agent_rl`'s attention.

        Raises:
            UserError: Its tokenizer has no chat template that can be followed, or its context is too short.
        """
        self.ranks = Ranks.here()
        self.settings = settings
        self.model = model.requires_grad_(False)
        self._context: int = model.config.get_text_config().max_position_embeddings
        if settings.answer_tokens >= self._context:
            raise UserError(
                f"reward_model.answer_tokens={settings.answer_tokens} leaves nothing to read of the model's context "
                f"of {self._context} tokens"
            )
        self._renderer = Renderer(tokenizer, settings.renderer)

    def judge(self, conversations: Sequence[Conversation]) -> list[Judgement]:
        """Return the score of each conversation, 0 to 1; none where there was no valid verdict."""
        mine = list(range(self.ranks.rank, len(conversations), self.ranks.size))
        thread = LoopThread()
        try:
            said = thread.run(self._all, [conversations[number] for number in mine])
        finally:
            thread.close()
        told = self.ranks.gathered(dict(zip(mine, said, strict=True)))
        every = {number: judgement for part in told for number, judgement in part.items()}
        return [every[number] for number in range(len(conversations))]

    async def _all(self, conversations: Sequence[Conversation]) -> list[Judgement]:
        """Judge at once as many conversations as there are rows, the others as rows become free."""
        engine = EmbeddedEngine(self.model, EmbeddedSettings(rows=self.settings.rows))
        await engine.start()
        for number in range(len(conversations)):
            engine.open(str(number))
        try:
            return await asyncio.gather(*(self._one(engine, str(i), one) for i, one in enumerate(conversations)))
        finally:
            await engine.stop()

    async def _one(self, engine: EmbeddedEngine, name: str, conversation: Conversation) -> Judgement:
        numbers = count()

        async def ask(messages: Sequence[Message]) -> str:
            tokens = self._renderer.prompt(messages, [])
            if len(tokens) + self.settings.answer_tokens > self._context:
                said = f"{len(tokens)} tokens and an answer of {self.settings.answer_tokens} do not fit its context"
                raise InfrastructureError("judge", said)
            most, stops = self.settings.answer_tokens, self._renderer.stop_tokens
            request = Request(f"{name}/{next(numbers)}", name, tokens, most, stops, seed=0, sampling=_GREEDY)
            return text_of(self._renderer.parse((await engine.generate(request)).tokens))

        settings = self.settings
        try:
            judged = transcript(conversation.messages)
            score = await verdict_on(judged, settings.prompt, settings.scale, settings.retries, ask)
        except (InfrastructureError, UserError) as error:
            return Judgement(None, error.message if isinstance(error, InfrastructureError) else str(error))
        finally:
            engine.close(name)
        return Judgement(score)


def transcript(messages: Sequence[Message]) -> dict[str, str]:
    """Return what was said and which tools were called, a part for each message; thoughts are left out.

    Raises:
        UserError: A message holds an image.
    """
    if any(images_of(message) for message in messages):
        raise UserError("a message holds an image, and a transcript is text alone")
    parts: dict[str, str] = {}
    for number, message in enumerate(messages, 1):
        calls = [call["function"] for call in message.get("tool_calls", [])]
        failed = [call["text"] for call in message.get("invalid_tool_calls", [])]
        said = [text_of(message), *(f"{call['name']}({call['arguments']})" for call in calls), *failed]
        parts[f"{number}-{message['role']}"] = "\n".join(text for text in said if text)
    return parts
