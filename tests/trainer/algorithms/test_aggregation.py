"""Aggregation: the weight of every token, by each rule."""

import pytest

from agent_rl.trainer.algorithms.aggregation import weights

LENGTHS, EPISODES = [1, 3, 4], [7, 9, 9]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("token", [1 / 8] * 8),
        ("sequence", [1 / 3, *[1 / 9] * 3, *[1 / 12] * 4]),
        ("trajectory", [1 / 2, *[1 / 14] * 7]),
        ("dr_grpo", [1 / 30] * 8),
    ],
)
def test_each_rule_gives_each_token_its_weight(aggregation, expected):
    factors, divisor = weights(aggregation, LENGTHS, EPISODES, constant=10)
    found = [float(f) / divisor for f, length in zip(factors, LENGTHS, strict=True) for _ in range(length)]
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("aggregation", ["token", "sequence", "trajectory", "dr_grpo"])
def test_nothing_has_no_weight_and_divides_by_one(aggregation):
    factors, divisor = weights(aggregation, [], [])
    assert len(factors) == 0 and divisor == 1.0
