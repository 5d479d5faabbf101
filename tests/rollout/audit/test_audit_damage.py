"""What is damaged is found: by the check that it concerns, at the place where it is, and by no other check."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_rl.rollout.audit import Check, Verdict
from agent_rl.tracking.run_folder import RunFolder
from tests.rollout.audit.conftest import Lines, audit, episode, refuted, twice

pytestmark = pytest.mark.slow

Damage = Callable[..., RunFolder]
Line = dict[str, Any]


def move(source: Line, index: int, goal: Line, place: int, fill: float = -0.5) -> None:
    """Move a token between two segments; in an action it has a log-probability and a version."""
    token = source["tokens"].pop(index)
    logprob = source["logprobs"].pop(index) if source["logprobs"] else fill
    version = source["weight_versions"].pop(index) if source["weight_versions"] else 1
    goal["tokens"].insert(place, token)
    if goal["origin"] == "action":
        goal["logprobs"].insert(place, logprob)
        goal["weight_versions"].insert(place, version)


def change_observation(line: Line) -> None:
    line["segments"][2]["tokens"][5] += 1


def change_prompt(line: Line) -> None:
    line["segments"][0]["tokens"][7] += 1


def drop_separator(line: Line) -> None:
    del line["segments"][2]["tokens"][0]


def repeat_observation(line: Line) -> None:
    line["segments"][2]["tokens"] *= 2


def repeat_observation_segment(line: Line) -> None:
    line["segments"].insert(3, twice(line["segments"][2]))


def train_a_prompt_token(line: Line) -> None:
    move(line["segments"][0], -1, line["segments"][1], 0)


def leave_out_the_first_sampled_token(line: Line) -> None:
    move(line["segments"][1], 0, line["segments"][0], len(line["segments"][0]["tokens"]))


def train_an_observation_token(line: Line) -> None:
    move(line["segments"][2], 0, line["segments"][1], len(line["segments"][1]["tokens"]))


def shift_the_mask_by_one(line: Line) -> None:
    for left, right in zip(line["segments"], line["segments"][1:], strict=False):
        move(right, 0, left, len(left["tokens"]))


def swap_segments(line: Line) -> None:
    line["segments"][1], line["segments"][2] = line["segments"][2], line["segments"][1]


def say_something_else(line: Line) -> None:
    at = next(i for i, message in enumerate(line["messages"]) if message["role"] == "assistant")
    line["messages"][at]["content"] += "!"


def drop_a_turn(line: Line) -> None:
    line["turns"].pop()


def drop_stop_token(line: Line) -> None:
    for part in ("tokens", "logprobs", "weight_versions"):
        line["segments"][1][part].pop()


def stop_token_in_observation(line: Line) -> None:
    move(line["segments"][1], -1, line["segments"][2], 0)


def claim_a_cut(line: Line) -> None:
    line["stop"] = "turn_length"


def perturb_logprob(line: Line) -> None:
    line["segments"][1]["logprobs"][3] -= 0.01


def version_of_the_future(line: Line) -> None:
    line["segments"][-1]["weight_versions"][-1] = 2


def version_that_goes_back(line: Line) -> None:
    line["segments"][-1]["weight_versions"][-1] = 0


def at_prompt(line: Line) -> int:
    return len(line["segments"][0]["tokens"])


def at_observation(line: Line) -> int:
    return at_prompt(line) + len(line["segments"][1]["tokens"])


def at_end(line: Line) -> int:
    return sum(len(segment["tokens"]) for segment in line["segments"])


@pytest.mark.parametrize(
    ("harm", "check", "turn", "position"),
    [
        (change_observation, "render", 0, lambda line: at_observation(line) + 5),
        (change_prompt, "render", None, lambda line: 7),
        (drop_separator, "render", 0, at_observation),
        (repeat_observation, "render", 0, lambda line: at_observation(line) + len(line["segments"][2]["tokens"])),
        (
            repeat_observation_segment,
            "render",
            0,
            lambda line: at_observation(line) + len(line["segments"][2]["tokens"]),
        ),
        (train_a_prompt_token, "mask", 0, lambda line: at_prompt(line) - 1),
        (leave_out_the_first_sampled_token, "mask", 0, at_prompt),
        (train_an_observation_token, "mask", 0, at_observation),
        (shift_the_mask_by_one, "mask", 0, at_prompt),
        (swap_segments, "mask", 0, at_prompt),
        (say_something_else, "mask", 0, at_prompt),
        (drop_a_turn, "mask", None, lambda line: None),
        (drop_stop_token, "stop", 0, lambda line: at_observation(line) - 2),
        (stop_token_in_observation, "stop", 0, lambda line: at_observation(line) - 1),
        (claim_a_cut, "stop", 1, lambda line: at_end(line) - 1),
        (perturb_logprob, "logprobs", 0, lambda line: at_prompt(line) + 3),
        (version_of_the_future, "versions", 1, lambda line: at_end(line) - 1),
        (version_that_goes_back, "versions", 1, lambda line: at_end(line) - 1),
    ],
)
def test_damage_to_an_episode_is_found_by_its_check_at_its_place(
    damage: Damage, harm: Callable[[Line], object], check: str, turn: int | None, position: Callable[[Line], int | None]
) -> None:
    hurt: list[tuple[int, Line]] = []

    def change(lines: Lines) -> None:
        number, line = next(
            (n, one) for n, one in enumerate(lines) if len(one["turns"]) == 2 and "answered" in one["stop"]
        )
        hurt.append((number, twice(line)))
        harm(line)

    found = audit(damage(change))
    assert refuted(found) == {check}
    number, before = hurt[0]
    violation = found.results[Check(check)].first[0]
    place = (violation.place.step, violation.place.line, violation.place.task_id, violation.place.sample)
    assert place == (2, number + 1, before["task_id"], before["sample"])
    assert violation.place.file == "trajectories/step_000002.jsonl.zst"
    assert violation.finding.turn == turn
    assert violation.finding.position == position(before)
    assert violation.finding.expected or violation.finding.found or turn is None


def test_both_texts_of_a_difference_are_shown(damage: Damage) -> None:
    def change(lines: Lines) -> None:
        line = episode(lines)[1]
        line["messages"][3]["content"] = "quite another text"

    finding = audit(damage(change)).results[Check.RENDER].first[0].finding
    assert "quite" in finding.expected and "quite" not in finding.found


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.25])
def test_a_log_probability_that_is_none_is_a_violation_with_or_without_a_checkpoint(
    damage: Damage, value: float
) -> None:
    def change(lines: Lines) -> None:
        episode(lines)[1]["segments"][1]["logprobs"][2] = value

    folder = damage(change)
    assert refuted(audit(folder)) == {"logprobs"}
    shutil.rmtree(folder.checkpoints / "step_000001")
    assert refuted(audit(folder)) == {"logprobs"}


def test_a_token_that_the_model_cannot_know_is_a_violation_and_no_crash(damage: Damage) -> None:
    def change(lines: Lines) -> None:
        episode(lines)[1]["segments"][1]["tokens"][2] = 10**12

    found = audit(damage(change))
    assert refuted(found) == {"mask", "logprobs"}
    assert "10000000000" in found.results[Check.LOGPROBS].first[0].finding.what


def test_another_temperature_is_found(damage: Damage) -> None:
    folder = damage(lambda lines: None)
    config = yaml.safe_load(folder.config_yaml.read_text())
    config["sampling"]["temperature"] = 0.9
    folder.config_yaml.write_text(yaml.safe_dump(config))
    assert refuted(audit(folder)) == {"logprobs"}


def test_weights_of_another_step_are_found(damage: Damage) -> None:
    folder = damage(lambda lines: None)
    shutil.rmtree(folder.checkpoints / "step_000001")
    (folder.checkpoints / "step_000002").rename(folder.checkpoints / "step_000001")
    found = audit(folder)
    assert refuted(found) == {"logprobs"}
    assert {violation.place.step for violation in found.results[Check.LOGPROBS].first} == {2}


def test_a_missing_member_of_a_group_is_named(damage: Damage) -> None:
    gone: list[Line] = []
    found = audit(damage(lambda lines: gone.append(lines.pop(6))))
    assert refuted(found) == {"groups"}
    violation = found.results[Check.GROUPS].first[0]
    assert violation.place.task_id == gone[0]["task_id"]
    assert f"sample {gone[0]['sample']}" in violation.finding.what


def test_a_missing_group_is_found(damage: Damage) -> None:
    def change(lines: Lines) -> None:
        del lines[4:8]

    found = audit(damage(change))
    assert refuted(found) == {"groups"}
    assert "3 groups, not 4" in found.results[Check.GROUPS].first[0].finding.what


@pytest.mark.parametrize("renumbered", [False, True])
def test_an_episode_that_is_saved_twice_is_found(damage: Damage, renumbered: bool) -> None:
    def change(lines: Lines) -> None:
        again = twice(lines[4])
        if renumbered:  # as if it were another sample of its group
            again["sample"] = lines[5]["sample"]
            lines[5] = again
        else:
            lines.append(again)

    found = audit(damage(change))
    assert refuted(found) == {"groups"}
    violation = found.results[Check.GROUPS].first[-1]
    assert "line 5 of step 2" in violation.finding.what
    assert violation.place.line == (6 if renumbered else 17)


def test_an_episode_of_another_step_is_found(damage: Damage, sound: RunFolder) -> None:
    first: Lines = []
    damage(lambda lines: first.extend(lines), step=1)

    def change(lines: Lines) -> None:
        lines[0:4] = first[0:4]

    found = audit(damage(change))
    assert "groups" in refuted(found)
    assert "line 1 of step 1" in found.results[Check.GROUPS].first[0].finding.what


def test_a_reward_on_an_infrastructure_failure_is_found(damage: Damage) -> None:
    hurt: list[int] = []

    def change(lines: Lines) -> None:
        number, line = next((n, one) for n, one in enumerate(lines) if one["reward"])
        hurt.append(number)
        line["failure"] = {"cause": "infrastructure", "source": "engine", "message": "gone"}
        line["stop"] = "failed"

    found = audit(damage(change))
    assert refuted(found) == {"rewards"}
    assert {v.place.line for v in found.results[Check.REWARDS].first} == {hurt[0] + 1, None}  # the episode and the mean


def test_a_failed_episode_in_the_mean_reward_is_found(damage: Damage) -> None:
    def change(lines: Lines) -> None:
        line = next(one for one in lines if not one["reward"] and any(o["reward"] for o in lines))
        line["failure"] = {"cause": "infrastructure", "source": "engine", "message": "gone"}
        line["stop"] = "failed"

    found = audit(damage(change))
    assert refuted(found) == {"rewards"}
    assert "mean reward" in found.results[Check.REWARDS].first[0].finding.what


def shorten(line: Line) -> None:
    line["segments"][1]["logprobs"].pop()


def forget(line: Line) -> None:
    for key in line.keys() - {"reward"}:
        del line[key]


@pytest.mark.parametrize("harm", [shorten, forget])
def test_a_line_that_is_no_trajectory_is_found(damage: Damage, harm: Callable[[Line], None]) -> None:
    def change(lines: Lines) -> None:
        harm(lines[3])

    found = audit(damage(change))
    assert refuted(found) == {"files"}
    assert found.results[Check.FILES].first[0].place.line == 4


def test_a_file_that_breaks_off_is_found_and_the_rest_is_read(damage: Damage) -> None:
    folder = damage(lambda lines: None)
    path = folder.trajectories_file(1)
    path.write_bytes(path.read_bytes()[:-200])
    found = audit(folder)
    assert "files" in refuted(found)
    assert found.steps == [1, 2]


def test_a_tampered_message_and_a_tampered_token_are_told_apart(damage: Damage) -> None:
    def change_message(lines: Lines) -> None:
        episode(lines)[1]["messages"][3]["content"] += " Or so."

    notes = audit(damage(change_message)).results[Check.LOGPROBS].notes
    assert any("the engine saw these tokens" in note for note in notes)

    def change_tokens(lines: Lines) -> None:
        tokens = episode(lines)[1]["segments"][2]["tokens"]
        tokens[6:10] = reversed(tokens[6:10])

    notes = audit(damage(change_tokens)).results[Check.LOGPROBS].notes
    assert any("did not see these tokens" in note for note in notes)


def test_every_check_of_a_sound_run_holds(sound: RunFolder) -> None:
    found = audit(sound)
    assert {result.verdict for result in found.results.values()} == {Verdict.HOLDS}
    assert found.violations == 0
    assert found.trajectories == 32
    assert found.results[Check.LOGPROBS].looked_at["tokens"] == found.results[Check.MASK].looked_at["tokens"]
    assert 0 < (found.gaps.largest or 0) < 1e-4


def test_what_has_no_checkpoint_is_counted_and_not_refuted(damage: Damage) -> None:
    folder = damage(lambda lines: None)
    shutil.rmtree(folder.checkpoints / "step_000001")
    found = audit(folder)
    assert not refuted(found)
    assert any("left out: 16 trajectories of version 1;" in note for note in found.results[Check.LOGPROBS].notes)
    config = yaml.safe_load(folder.config_yaml.read_text())
    config["model"]["path"] = str(Path("/nowhere/to/be/found"))
    folder.config_yaml.write_text(yaml.safe_dump(config))
    assert audit(folder).results[Check.LOGPROBS].verdict is Verdict.NOT_CHECKED


def test_prompts_without_their_tools_are_left_out(damage: Damage, sound: RunFolder) -> None:
    def change(lines: Lines) -> None:
        for line in lines:
            del line["tools"]

    found = audit(damage(change))
    assert not refuted(found)
    assert "prompts of 16 trajectories" in found.results[Check.RENDER].notes[0]
    assert found.results[Check.RENDER].looked_at["tokens"] < audit(sound).results[Check.RENDER].looked_at["tokens"]


def test_a_part_of_the_run_can_be_audited(sound: RunFolder) -> None:
    assert audit(sound, steps="2").trajectories == 16
    few = audit(sound, steps="1-2", limit=5)
    assert (few.trajectories, few.steps, refuted(few)) == (5, [1], set())
    assert few.results[Check.LOGPROBS].looked_at["trajectories"] == 5
    assert "cuts the step short" in few.results[Check.GROUPS].notes[0]
    assert not audit(sound, limit=32).results[Check.GROUPS].notes[1:]
    assert refuted(audit(sound, tolerance=0.0)) == {"logprobs"}


def test_a_moved_boundary_hides_no_missing_stop_token(damage: Damage) -> None:
    def change(lines: Lines) -> None:
        line = episode(lines)[1]
        train_a_prompt_token(line)
        for part in ("tokens", "logprobs", "weight_versions"):
            line["segments"][-1][part].pop()

    assert refuted(audit(damage(change))) == {"mask", "stop"}
