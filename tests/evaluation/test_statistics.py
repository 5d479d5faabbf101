import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_rl.evaluation.resampling import binomial_bounds, resamples
from agent_rl.evaluation.statistics import (
    Estimate,
    estimate,
    estimates,
    holm,
    mcnemar,
    paired,
    paired_differences,
    pass_at_k,
    pass_hat_k,
)

NAN = math.nan


@pytest.mark.parametrize("n", range(1, 9))
def test_pass_at_k_and_pass_hat_k_are_the_shares_of_all_subsets(n: int) -> None:
    for successes, k in itertools.product(range(n + 1), range(1, n + 1)):
        subsets = list(itertools.combinations([True] * successes + [False] * (n - successes), k))
        assert pass_at_k(n, successes, k) == pytest.approx(sum(map(any, subsets)) / len(subsets), abs=1e-15)
        assert pass_hat_k(n, successes, k) == pytest.approx(sum(map(all, subsets)) / len(subsets), abs=1e-15)


@given(st.integers(1, 2000), st.data())
def test_pass_at_k_is_exact_for_many_samples(n: int, data: st.DataObject) -> None:
    successes, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    none = every = Fraction(1)
    for i in range(k):  # draw one after the other, without putting back
        none *= Fraction(max(0, n - successes - i), n - i)
        every *= Fraction(max(0, successes - i), n - i)
    assert pass_at_k(n, successes, k) == pytest.approx(float(1 - none), abs=1e-9, rel=1e-9)
    assert pass_hat_k(n, successes, k) == pytest.approx(float(every), abs=1e-9, rel=1e-9)


@pytest.mark.parametrize(("n", "successes", "k"), [(4, 5, 1), (4, -1, 1), (4, 2, 5), (4, 2, 0)])
def test_pass_at_k_refuses_what_is_not_defined(n: int, successes: int, k: int) -> None:
    for metric in (pass_at_k, pass_hat_k):
        with pytest.raises(ValueError, match="not defined"):
            metric(n, successes, k)


def test_intervals_and_p_values_are_those_of_a_bootstrap_written_as_plain_loops() -> None:
    random = np.random.default_rng(3)
    matrix = np.column_stack([random.random(25), random.integers(0, 5, 25) / 4, random.exponential(2, 25)])
    matrix[[3, 7], 2] = NAN
    draws = np.concatenate(list(resamples(25))).tolist()
    alone, compared = estimates(matrix, [False] * 3), paired_differences(matrix - 0.6, [False] * 3)
    for column, (found, other) in enumerate(zip(alone, compared, strict=True)):
        values = matrix[:, column].tolist()
        known = [value for value in values if not math.isnan(value)]
        mean, deviation = _moments(known)
        distances = []
        for draw in draws:
            drawn = [values[task] for task in draw if not math.isnan(values[task])]
            drawn_mean, drawn_deviation = _moments(drawn)
            distances.append((drawn_mean - mean) / drawn_deviation)
        low, high = (mean - _quantile(distances, share) * deviation for share in (0.975, 0.025))
        assert found.tasks == other.tasks == len(known)
        assert (found.mean, found.low, found.high) == pytest.approx((mean, low, high), abs=1e-9)
        far = [abs(distance) for distance in distances]
        reach = _quantile(far, 0.95) * deviation
        ends = (mean - 0.6 - reach, mean - 0.6 + reach)
        p = (1 + sum(distance >= abs(mean - 0.6) / deviation for distance in far)) / 10_001
        assert (other.difference, other.low, other.high) == pytest.approx((mean - 0.6, *ends), abs=1e-9)
        assert other.p == pytest.approx(p, abs=1e-9)


def _moments(values: list[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))


def _quantile(values: list[float], share: float) -> float:
    place = share * (len(values) - 1)
    ordered = sorted(values)
    below = ordered[math.floor(place)]
    return below + (place % 1) * (ordered[math.ceil(place)] - below)


def test_many_tasks_are_resampled_in_blocks_of_bounded_size() -> None:
    blocks = list(resamples(1000))
    assert len(blocks) > 1
    assert all(block.size <= 1 << 20 for block in blocks)
    assert sum(map(len, blocks)) == 10_000
    values = np.random.default_rng(0).random(1000)
    half = 1.96 * values.std() / math.sqrt(1000)
    found = estimate(values.tolist())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 20)


def test_the_same_values_have_the_same_interval() -> None:
    values = np.random.default_rng(1).random(40).tolist()
    assert estimate(values) == estimate(values)
    assert estimate(values).low != estimate(values, seed=1).low


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (1, 10), (3, 10), (10, 10), (2, 300), (150, 300)])
def test_the_binomial_bounds_are_where_the_tails_have_a_fortieth(successes: int, trials: int) -> None:
    def tail(p: float, counts: range) -> float:
        return sum(math.comb(trials, i) * p**i * (1 - p) ** (trials - i) for i in counts)

    low, high = binomial_bounds(successes, trials)
    assert tail(low, range(successes, trials + 1)) == pytest.approx(0.025, rel=1e-6) if successes else low == 0
    assert tail(high, range(successes + 1)) == pytest.approx(0.025, rel=1e-6) if successes < trials else high == 1


def test_a_share_at_its_edge_has_the_exact_binomial_bound() -> None:
    assert estimate([1.0] * 10, share=True) == Estimate(1.0, pytest.approx(0.6915029, abs=1e-6), 1.0, 10)
    assert estimate([0.0] * 10, share=True) == Estimate(0.0, 0.0, pytest.approx(0.3084971, abs=1e-6), 10)
    assert estimate([0.1] * 10) == Estimate(pytest.approx(0.1), 0.1, 0.1, 10)
    assert estimate([1.0], share=True).low == pytest.approx(0.025)


@pytest.mark.parametrize("wins", range(1, 10))
def test_the_interval_of_a_rare_share_is_neither_empty_nor_endless(wins: int) -> None:
    found = estimate([1.0] * wins + [0.0] * (300 - wins), share=True)
    low, high = binomial_bounds(wins, 300)
    assert low - 1e-12 <= found.low < wins / 300 < found.high <= high + 1e-12
    assert found.high > 1.5 * wins / 300


def test_without_values_there_is_no_figure() -> None:
    alone, beside = estimates([[NAN, 1.0], [NAN, 2.0]], [False, False])
    for nothing in (alone, estimate([])):
        assert nothing.tasks == 0
        assert all(map(math.isnan, (nothing.mean, nothing.low, nothing.high)))
    assert (beside.mean, beside.tasks) == (1.5, 2)
    assert paired([]).tasks == 0
    assert math.isnan(paired([NAN]).p)


def test_a_matrix_needs_a_column_for_each_metric() -> None:
    with pytest.raises(ValueError, match="column for each of 2"):
        estimates([[1.0]], [True, False])


def test_a_clear_difference_is_significant_and_none_is_not() -> None:
    random = np.random.default_rng(2)
    noise = random.normal(0, 1, 200)
    clear, none = paired_differences(np.column_stack([noise + 0.5, noise - noise.mean()]), [False, False])
    assert clear.low > 0
    assert clear.p < 0.001
    assert none.low < 0 < none.high
    assert none.p > 0.9


def test_the_difference_the_other_way_round_is_its_mirror() -> None:
    differences = np.random.default_rng(4).normal(0.1, 1, 60)
    there, back = paired(differences.tolist()), paired((-differences).tolist())
    assert (there.difference, there.low, there.high, there.p) == pytest.approx(
        (-back.difference, -back.high, -back.low, back.p)
    )


def test_a_few_tasks_that_agree_are_no_certainty() -> None:
    assert paired([1.0] * 3, share=True).p == 0.25
    assert paired([0.5, 0.6, 0.7]).p == 0.25
    assert paired([1.0] + [0.0] * 50).p == 1.0
    three = paired([1.0] * 3, share=True)
    assert (three.low, three.high) == (pytest.approx(-0.415, abs=1e-3), 1.0)
    same = paired([0.0] * 100, share=True)
    assert (same.low, same.high) == pytest.approx((-0.0362, 0.0362), abs=1e-4)
    assert same.p == 1.0


@given(st.lists(st.sampled_from([-1.0, -0.25, 0.0, 0.5, 1.0]), min_size=1, max_size=30))
def test_a_difference_is_significant_where_its_interval_leaves_out_zero(differences: list[float]) -> None:
    found = paired(differences, share=True)
    assert -1 <= found.low <= found.difference <= found.high <= 1
    if not 0.045 < found.p < 0.055:
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_thirds_that_cancel_are_not_taken_for_a_difference() -> None:
    third = 1 / 3
    assert paired([third, third, third, -1.0, 0.1, -0.1] * 5).p > 0.9


def test_holm_corrects_the_smallest_most_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test_with_a_fair_coin(b: int, c: int) -> None:
    tail = sum(Fraction(math.comb(b + c, i), 2 ** (b + c)) for i in range(min(b, c) + 1))
    assert mcnemar(b, c) == pytest.approx(float(min(Fraction(1), 2 * tail)), rel=1e-9)
    assert mcnemar(b, c) == mcnemar(c, b)


def test_mcnemar_takes_large_counts_and_refuses_negative_ones() -> None:
    assert mcnemar(5000, 5000) == 1.0
    assert 0 < mcnemar(4800, 5200) < 1e-4
    with pytest.raises(ValueError, match="counts"):
        mcnemar(-1, 2)


@pytest.mark.parametrize("share", [True, False])
def test_intervals_hold_the_truth_about_as_often_as_they_say(share: bool) -> None:
    random, shape = np.random.default_rng(5), (100, 400)
    if share:
        values, truth = random.binomial(4, random.beta(0.5, 0.5, shape)) / 4, 0.5
    else:
        values, truth = random.exponential(1.0, (4, *shape)).mean(axis=0) * random.exponential(1.0, shape), 1.0
    held = sum(found.low <= truth <= found.high for found in estimates(values, [share] * shape[1]))
    assert 0.93 <= held / shape[1] <= 0.97


def test_a_model_is_seldom_found_to_differ_from_itself() -> None:
    random, shape = np.random.default_rng(6), (100, 400)
    difficulty = random.beta(0.5, 0.5, shape)
    one, other = (random.binomial(4, difficulty) / 4 for _ in range(2))
    found = paired_differences(other - one, [True] * shape[1])
    assert 0.02 <= sum(pair.p < 0.05 for pair in found) / shape[1] <= 0.08
