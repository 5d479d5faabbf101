"""Packed batches: no sequence sees another, and only what is trained has logits."""

import pytest
import torch

from agent_rl.models import attention
from agent_rl.models.packed import chosen_logprobs, entropies, fresh_logprobs, pack, target_logits
from agent_rl.models.scratch import new_model


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


def test_packing_gives_what_each_sequence_gives_alone(model):
    packed = pack(sequences())
    with torch.no_grad():
        together = chosen_logprobs(target_logits(model, packed), packed)
        alone = [chosen_logprobs(target_logits(model, one), one) for one in (pack([s]) for s in sequences())]
    assert (together - torch.cat(alone)).abs().max() < 1e-5


@pytest.mark.parametrize("at_once", [1, 5, 1000])
def test_log_probabilities_without_a_gradient_are_the_same_in_parts(model, at_once):
    packed = pack(sequences())
    whole = chosen_logprobs(target_logits(model, packed, 0.7), packed)
    parts = fresh_logprobs(model, packed, 0.7, at_once)
    assert not parts.requires_grad
    assert (parts - whole).abs().max() < 1e-5


def test_changing_one_sequence_changes_nothing_in_another(model):
    first, changed = sequences(), sequences()
    changed[0] = ([(token + 1) % 300 for token in changed[0][0]], changed[0][1])
    outputs = []
    for made in (first, changed):
        packed = pack(made)
        with torch.no_grad():
            outputs.append(chosen_logprobs(target_logits(model, packed), packed))
    own = sum(first[0][1])
    assert torch.equal(outputs[0][own:], outputs[1][own:])
    assert not torch.equal(outputs[0][:own], outputs[1][:own])


def test_the_attention_agrees_with_transformers_own(model):
    tokens = torch.tensor([sequences()[4][0]])
    with torch.no_grad():
        ours = model(input_ids=tokens, use_cache=False, segments=[tokens.shape[1]]).logits
        model.set_attn_implementation("eager")
        theirs = model(input_ids=tokens, use_cache=False).logits
        model.set_attn_implementation(attention.NAME)
    assert (ours - theirs).abs().max() < 1e-5


def test_logits_are_those_that_predict_the_trained_tokens(model):
    tokens, mask = sequences()[2]
    packed = pack([(tokens, mask)])
    with torch.no_grad():
        logits = target_logits(model, packed, temperature=0.5)
        whole = model(input_ids=torch.tensor([tokens]), use_cache=False, segments=[len(tokens)]).logits[0] / 0.5
    wanted = [i for i, flag in enumerate(mask) if flag]
    assert (logits - whole[[i - 1 for i in wanted]]).abs().max() < 1e-5
    assert chosen_logprobs(logits, packed) == pytest.approx(
        [whole[i - 1].log_softmax(-1)[tokens[i]].item() for i in wanted], abs=1e-5
    )


def test_entropies_are_those_of_the_distributions():
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [100.0, 0.0, 0.0, 0.0]])
    assert entropies(logits).tolist() == pytest.approx([torch.tensor(4.0).log().item(), 0.0], abs=1e-5)


@pytest.mark.parametrize(("tokens", "mask"), [([1, 2], [False]), ([1, 2], [True, False])])
def test_a_mask_that_does_not_fit_is_refused(tokens, mask):
    with pytest.raises(ValueError, match="mask"):
        pack([(tokens, mask)])


def test_attention_refuses_a_mask_and_needs_to_know_the_segments(model):
    tokens = torch.tensor([[1, 2, 3]])
    with pytest.raises(ValueError, match="segments"):
        model(input_ids=tokens, use_cache=False)
