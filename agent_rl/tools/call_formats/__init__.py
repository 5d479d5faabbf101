"""Call formats: how model families write reasoning and tool calls. One table; each entry writes and parses."""

from agent_rl.core.registry import Registry
from agent_rl.tools.call_formats.base import CallFormat
from agent_rl.tools.call_formats.deepseek import DeepSeek, DeepSeekV31
from agent_rl.tools.call_formats.detection import detect
from agent_rl.tools.call_formats.fenced import Fenced
from agent_rl.tools.call_formats.gemma import Gemma
from agent_rl.tools.call_formats.glm import Glm
from agent_rl.tools.call_formats.gpt_oss import GptOss
from agent_rl.tools.call_formats.hermes import Hermes
from agent_rl.tools.call_formats.kimi import Kimi
from agent_rl.tools.call_formats.llama3_json import Llama3Json
from agent_rl.tools.call_formats.mistral import Mistral, MistralArgs, MistralIds
from agent_rl.tools.call_formats.pythonic import Lfm2, Pythonic
from agent_rl.tools.call_formats.qwen3_coder import Qwen3Coder
from agent_rl.tools.call_formats.search_r1 import SearchR1

__all__ = ["CALL_FORMATS", "CallFormat", "detect"]

CALL_FORMATS: Registry[CallFormat] = Registry("call format")
CALL_FORMATS.register("hermes", Hermes())
CALL_FORMATS.register("qwen3_coder", Qwen3Coder())
CALL_FORMATS.register("llama3_json", Llama3Json())
CALL_FORMATS.register("pythonic", Pythonic())
CALL_FORMATS.register("lfm2", Lfm2())
CALL_FORMATS.register("mistral", Mistral())
CALL_FORMATS.register("mistral_args", MistralArgs())
CALL_FORMATS.register("mistral_ids", MistralIds())
CALL_FORMATS.register("deepseek", DeepSeek())
CALL_FORMATS.register("deepseek_v31", DeepSeekV31())
CALL_FORMATS.register("glm", Glm())
CALL_FORMATS.register("gpt_oss", GptOss())
CALL_FORMATS.register("kimi", Kimi())
CALL_FORMATS.register("gemma", Gemma())
CALL_FORMATS.register("search_r1", SearchR1())
CALL_FORMATS.register("fenced", Fenced())
