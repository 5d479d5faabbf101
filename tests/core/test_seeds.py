"""Seeds of named streams: stable for ever, and different for every name."""

from hypothesis import given
from hypothesis import strategies as st

from agent_rl.core.seeds import derive


def test_the_values_never_change():
    assert [derive(0), derive(0, "turn", 3), derive(12, "search/questions", "train")] == [
        4246866556266386882,
        6006154259958596442,
        6457314496662261273,
    ]


def test_streams_differ_by_seed_by_name_by_order_and_by_depth():
    paths = [(place, f"task-{task}", sample) for place in range(20) for task in range(20) for sample in range(5)]
    seeds = [derive(seed, *path) for seed in range(3) for path in paths]
    assert len(set(seeds)) == len(seeds)
    assert derive(0, "a", "b") != derive(0, "b", "a") != derive(0, "b")


@given(st.integers(), st.lists(st.text() | st.integers(), max_size=4))
def test_a_seed_fits_into_63_bits(seed, path):
    assert 0 <= derive(seed, *path) < 2**63
