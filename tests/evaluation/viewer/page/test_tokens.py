"""The token view in a real browser: colours, values, and the way to the worst."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent_rl.core.message import assistant, user
from agent_rl.core.trajectory import Origin, Trajectory, Turn
from agent_rl.rollout.learned import Arrays, write_learned
from agent_rl.rollout.store import write_trajectories
from tests.evaluation.viewer.page import made
from tests.evaluation.viewer.page.conftest import Open, Opened, serving

pytestmark = pytest.mark.slow  # a browser is started

LIKELY, UNLIKELY, GAP = -0.05, -6.0, 0.75
WORST, WIDEST = 3, 1  # of the sampled tokens: the least likely, and that with the largest gap


def trajectory() -> Trajectory:
    spoken = played("the country of the city", "the answer is\n\tthe city")
    at = next(place for place, one in enumerate(spoken.segments) if one.origin is Origin.ACTION)
    logprobs = [LIKELY] * len(spoken.segments[at].tokens)
    logprobs[WORST] = UNLIKELY
    versions = [3] * (len(logprobs) - 2) + [4] * 2  # new weights came while it spoke
    spoken.segments[at] = replace(spoken.segments[at], logprobs=tuple(logprobs), weight_versions=tuple(versions))
    return spoken


def played(asked: str, said: str) -> Trajectory:
    return made.played([user(asked), assistant(said)], [Turn(reward=1.0)], task_id="task")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = made.begin_run(tmp_path_factory.mktemp("tokens") / "run")
    one = trajectory()
    long = played("word " * 3000, "said " * 5000)
    made.add_step(folder, 1, [one, long])
    write_trajectories(folder.trajectories_file(1), [one, long])
    trainer = [np.array(each.action_logprobs, np.float32) for each in (one, long)]
    trainer[0][WIDEST] -= GAP
    advantages = [np.full_like(each, 0.5) for each in trainer]
    trainer[1][-1], advantages[1][-1] = np.nan, 0.0  # as of a group without signal
    write_learned(folder.learned_file(1), Arrays.of(list(zip(trainer, advantages, strict=True))))
    with serving(folder.path) as address:
        yield f"{address}#/run/trajectories%2Fstep_000001"


def actions(page: Opened) -> Opened:
    return page.locator(".of-action .t")


def colour(box: Opened) -> str:
    return str(box.evaluate("one => getComputedStyle(one).backgroundColor"))


def fact(page: Opened, name: str) -> str:
    return str(page.locator(f"[data-fact='{name}']").inner_text())


def by(page: Opened, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_tokens_are_coloured_by_who_wrote_them_and_white_space_is_seen(url: str, look: Open) -> None:
    page = look(f"{url}/0?view=tokens")
    prompt, action = page.locator(".of-prompt .t").first, actions(page).first
    assert colour(prompt) != colour(action)
    assert colour(prompt) == colour(page.locator(".scale .prompt")) and colour(action) == colour(
        page.locator(".scale .action")
    )
    shown = "".join(actions(page).all_text_contents())
    assert "the·answer·is↵\n⇥\tthe·city" in shown


def test_pointing_at_a_token_tells_all_of_it(url: str, look: Open) -> None:
    page = look(f"{url}/0?view=tokens")
    actions(page).nth(WIDEST).hover()
    assert fact(page, "origin") == "action, turn 1" and fact(page, "in the loss") == "yes"
    assert fact(page, "engine") == "−0.05  (95.1 %)"
    assert fact(page, "trainer") == "−0.8  (44.9 %)"
    assert fact(page, "gap").startswith("−0.75  (ratio 0.4724")
    assert fact(page, "advantage") == "+0.5" and fact(page, "version") == "3"
    page.locator(".of-prompt .t").first.hover()
    assert (fact(page, "origin"), fact(page, "engine"), fact(page, "in the loss")) == ("prompt", "–", "no")
    assert fact(page, "id") == str(made.segment(Origin.PROMPT, "the country of the city").tokens[0])


def test_each_way_of_colouring_shows_what_stands_out(url: str, look: Open) -> None:
    page = look(f"{url}/0?view=tokens")
    for name, odd in (("Engine", WORST), ("Trainer", WORST), ("Gap", WIDEST)):
        by(page, name)
        usual = colour(actions(page).nth(0))
        assert colour(actions(page).nth(odd)) != usual
        assert page.locator(".scale .ramp i").count() == 9
    assert "0.75" in page.locator(".scale").inner_text()
    by(page, "Version")
    assert colour(actions(page).first) != colour(actions(page).last)
    assert "version 3" in page.locator(".scale").inner_text() and "version 4" in page.locator(".scale").inner_text()
    by(page, "Mask")
    assert colour(page.locator(".of-prompt .t").first) != colour(actions(page).first)
    by(page, "Advantage")
    assert "by=advantage" in page.url
    page.reload()
    page.locator(".segmented [aria-pressed=true]", has_text="Advantage").wait_for()


def test_the_worst_tokens_are_gone_to_one_after_another(url: str, look: Open) -> None:
    page = look(f"{url}/0?view=tokens&by=gap")
    first = int(actions(page).first.get_attribute("data-index"))
    page.keyboard.press("w")
    assert page.locator(".t.selected").get_attribute("data-index") == str(first + WIDEST)
    by(page, "Engine")
    page.keyboard.press("w")
    assert page.locator(".t.selected").get_attribute("data-index") == str(first + WORST)
    assert page.locator(".worst button").first.get_attribute("aria-current") == "true"
    page.keyboard.press("w")
    assert page.locator(".worst button").nth(1).get_attribute("aria-current") == "true"
    page.keyboard.press("W")
    page.keyboard.press("ArrowRight")
    assert page.locator(".t.selected").get_attribute("data-index") == str(first + WORST + 1)
    assert f"token={first + WORST + 1}" in page.url


def test_a_sequence_of_thousands_is_whole_and_its_ribbon_leads_through_it(url: str, look: Open) -> None:
    page = look(f"{url}/1?view=tokens")
    total = page.locator(".tokentext .t").count()
    assert total >= 8000
    ribbon = page.locator(".ribbon canvas")
    box = ribbon.bounding_box()
    ribbon.click(position={"x": box["width"] - 1, "y": 15})
    chosen = page.locator(".t.selected")
    assert int(chosen.get_attribute("data-index")) > 0.99 * total
    view = page.locator("main").bounding_box()
    place = chosen.bounding_box()
    assert view["y"] < place["y"] < view["y"] + view["height"]
    by(page, "Mask")
    assert "sampled, but not computed" in page.locator(".scale").inner_text()


def test_a_hosted_model_has_no_tokens_to_show(tmp_path: Path, serve: object, look: Open) -> None:
    hosted = Trajectory("task", messages=[user("Hello?"), assistant("Hello.")], turns=[Turn(completion_tokens=2)])
    page = look(f"{serve(made.evaluation(tmp_path / 'eval', [hosted]))}#/eval/episodes/0")
    assert "not known: the model was hosted" in page.locator("aside").inner_text()
    page.keyboard.press("t")
    page.get_by_text("a hosted model speaks by messages").wait_for()


def test_an_evaluation_knows_no_trainer(tmp_path: Path, serve: object, look: Open) -> None:
    page = look(f"{serve(made.evaluation(tmp_path / 'eval', made.episodes(1, 1)))}#/eval/episodes/0?view=tokens")
    assert page.get_by_role("button", name="Gap").is_disabled()
    assert re.search("least likely under the engine", page.locator(".inspector").inner_text())
