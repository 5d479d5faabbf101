"""Packed batches: no sequence sees another, and only what is trained has logits."""

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_rl.models import attention, packed
from agent_rl.models.packed import common, fresh_logprobs, hidden, pack, predict, predict_from
from agent_rl.models.scratch import new_model
from tests.double import in_double


@pytest.fixture(scope="module")
def model():
    made = new_model(300, 2, 0, seed=5).eval()
    made.set_attn_implementation(attention.NAME)
    return made


def sequences(seed: int = 0) -> list[tuple[list[int], list[bool]]]:
    generator = torch.Generator().manual_seed(seed)
    lengths = [7, 1, 12, 2, 30]
    tokens = [torch.randint(0, 300, (length,), generator=generator).tolist() for length in lengths]
    return [(row, [i > 0 and i % 3 != 1 for i in range(len(row))]) for row in tokens]


def shared(seed: int = 0) -> list[tuple[list[int], list[bool]]]:
    """Return sequences of two prompts that begin alike: some go on alike, one ends with its prompt, two are equal."""
    generator = torch.Generator().manual_seed(seed)

    def words(count: int) -> list[int]:
        return torch.randint(0, 300, (count,), generator=generator).tolist()

    first = words(20)
    prompts = [first + words(18), first + words(25)]
    turn = words(17)
    ends = [
        (0, words(9)),
        (1, words(5)),
        (0, turn + words(30)),
        (0, []),
        (1, words(40)),
        (0, turn + words(3)),
        (0, turn),
    ]
    rows = [(prompts[which] + end, len(prompts[which])) for which, end in [*ends, ends[0]]]
    return [(row, [i >= size and i % 3 != 1 for i in range(len(row))]) for row, size in rows]


def each_alone(model, sequences, temperature: float = 1.0) -> torch.Tensor:
    return torch.cat([predict(model, pack([one]), temperature).logprobs for one in sequences])


def gradient(model, logprobs: torch.Tensor) -> torch.Tensor:
    weights = torch.randn(len(logprobs), generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    return torch.cat([g.flatten() for g in torch.autograd.grad((logprobs * weights).sum(), list(model.parameters()))])


@pytest.mark.parametrize("made", [sequences, shared])
def test_packing_gives_what_each_sequence_gives_alone(model, made):
    together = fresh_logprobs(model, pack(made()))
    with torch.no_grad():
        assert (together - each_alone(model, made())).abs().max() < 1e-5


def test_what_sequences_share_is_computed_once():
    size = len(pack(shared()).tokens[0])
    assert size == 20 + 18 + 25 + 17 + 9 + 5 + 30 + 40 + 3


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_sharing_changes_the_gradient_by_rounding_only(model, dtype, tolerance):
    model = in_double(model) if dtype is torch.float64 else model
    together, alone = predict(model, pack(shared())).logprobs, each_alone(model, shared())
    assert (together - alone).norm() < tolerance * alone.norm()
    expected = gradient(model, alone)
    assert (gradient(model, together) - expected).norm() < tolerance * expected.norm()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 1), max_size=9), min_size=1, max_size=8), st.sampled_from([1, 2, 4]))
def test_each_token_stands_behind_those_before_it(rows, worth):
    with patch.object(packed, "_WORTH", worth):
        made = pack([(row, [False] + [True] * (len(row) - 1) if row else []) for row in rows])
    ends = torch.tensor(made.segments).cumsum(0).tolist()
    run_of = [run for run, length in enumerate(made.segments) for _ in range(length)]
    sources = iter(made.sources.tolist())
    targets = iter(made.targets.tolist())
    for row in rows:
        before = None
        for at, token in enumerate(row[:-1]):
            source = next(sources)
            assert (made.tokens[0, source], made.positions[0, source]) == (token, at)
            assert next(targets) == row[at + 1]
            if before is not None:  # the token before it is in its run, or ends a run that its own continues
                own, other = run_of[source], run_of[before]
                assert before == source - 1 if own == other else before + 1 == ends[other] <= source
                assert source < ends[other] + made.behind[other]
            before = source
    assert len(made.tokens[0]) == sum(made.segments) <= sum(map(len, rows))


@pytest.mark.parametrize("at_once", [1, 5, 1000])
def test_logits_in_chunks_give_the_same(model, at_once):
    made = pack(shared())
    whole, parts = (
        torch.cat(predict_from(model, hidden(model.get_decoder(), made), made.targets, 0.7, True, count))
        for count in (None, at_once)
    )
    assert (whole - parts).abs().max() < 1e-5
    expected = gradient(model, whole)
    assert (gradient(model, parts) - expected).norm() < 1e-5 * expected.norm()


def test_no_more_logits_exist_than_a_chunk_has(model):
    seen = []
    handle = model.get_output_embeddings().register_forward_hook(lambda *call: seen.append(call[2].shape[0]))
    with patch.object(packed, "_LOGITS", 300 * 8):
        predict(model, pack(shared())).logprobs.sum().backward()
    handle.remove()
    model.zero_grad()
    assert max(seen) == 8 and sum(seen) == 2 * len(pack(shared()).targets)  # once more in the backward


def test_log_probabilities_without_a_gradient_have_none(model):
    assert not fresh_logprobs(model, pack(sequences())).requires_grad
    assert not predict(model, pack(sequences())).entropies.requires_grad


def test_changing_one_sequence_changes_nothing_in_another(model):
    for made in (sequences(), shared()):
        sizes = [sum(mask) for _, mask in made]
        before = fresh_logprobs(model, pack(made)).split(sizes)
        for changed in range(len(made)):
            tokens, mask = made[changed]
            other = [(token + 1) % 300 if flag else token for token, flag in zip(tokens, mask, strict=True)]
            after = fresh_logprobs(model, pack([*made[:changed], (other, mask), *made[changed + 1 :]])).split(sizes)
            for place, (old, new) in enumerate(zip(before, after, strict=True)):
                assert (torch.dist(old, new) < 1e-5) == (place != changed or not any(mask))


def test_the_attention_agrees_with_transformers_own(model):
    tokens = torch.tensor([sequences()[4][0]])
    with torch.no_grad():
        ours = model(input_ids=tokens, use_cache=False, segments=[tokens.shape[1]]).logits
        model.set_attn_implementation("eager")
        theirs = model(input_ids=tokens, use_cache=False).logits
        model.set_attn_implementation(attention.NAME)
    assert (ours - theirs).abs().max() < 1e-5


def test_predictions_are_those_of_the_tokens_before_the_trained_ones(model):
    tokens, mask = sequences()[2]
    said = predict(model, pack([(tokens, mask)]), temperature=0.5)
    with torch.no_grad():
        whole = model(input_ids=torch.tensor([tokens]), use_cache=False, segments=[len(tokens)]).logits[0] / 0.5
    wanted = [i for i, flag in enumerate(mask) if flag]
    expected = [torch.distributions.Categorical(logits=whole[i - 1]) for i in wanted]
    assert said.entropies.tolist() == pytest.approx([one.entropy().item() for one in expected], abs=1e-5)
    chosen = [one.log_prob(torch.tensor(tokens[i])).item() for one, i in zip(expected, wanted, strict=True)]
    assert said.logprobs.tolist() == pytest.approx(chosen, abs=1e-5)


def test_what_is_common_ends_at_the_first_difference():
    assert [common([1, 2, 3], other) for other in ([1, 2, 4], [1, 2, 3], [1], [], [2, 2, 3])] == [2, 3, 1, 0, 0]


@pytest.mark.parametrize(("tokens", "mask"), [([1, 2], [False]), ([1, 2], [True, False])])
def test_a_mask_that_does_not_fit_is_refused(tokens, mask):
    with pytest.raises(ValueError, match="mask"):
        pack([(tokens, mask)])


def test_attention_refuses_a_mask_and_needs_to_know_the_segments(model):
    tokens = torch.tensor([[1, 2, 3]])
    with pytest.raises(ValueError, match="segments"):
        model(input_ids=tokens, use_cache=False)
