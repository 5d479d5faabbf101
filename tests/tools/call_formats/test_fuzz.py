"""Real calls, damaged in every way, at up to 20 kB: all are read, none raises."""

import json

import pytest

from agent_rl.envs.spaces import MessageSpace
from agent_rl.tools.call_formats import CALL_FORMATS
from benchmarks.fuzzed_calls import LONGEST, TOOLS, fuzzed
from tests.tools.call_formats.messages import well_formed

FORMATS = list(CALL_FORMATS)
TEXTS = 300


def test_the_damaged_texts_are_the_same_each_time_and_of_every_size():
    texts = list(fuzzed("hermes", TEXTS))
    sizes = [len(text.encode("utf-8", "surrogatepass")) for text in texts]
    assert texts == list(fuzzed("hermes", TEXTS)) != list(fuzzed("hermes", TEXTS, seed=1))
    assert max(sizes) <= LONGEST
    assert sum(size > LONGEST // 2 for size in sizes) > TEXTS // 20
    assert sum(size < 1000 for size in sizes) > TEXTS // 5


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_calls_are_read_as_a_valid_message(name):
    format_, space = CALL_FORMATS[name], MessageSpace()
    seen = {"calls": 0, "invalid": 0, "neither": 0}
    for text in fuzzed(name, TEXTS):
        for message in (format_.parse(text), format_.parse(text, TOOLS)):
            assert well_formed(message)
            assert space.contains(message)
            assert json.loads(json.dumps(message)) == message
        seen["calls"] += "tool_calls" in message
        seen["invalid"] += "invalid_tool_calls" in message
        seen["neither"] += not message.keys() & {"tool_calls", "invalid_tool_calls"}
    assert min(seen.values()) > TEXTS // 50  # the texts are neither all sound nor all beyond recognition
