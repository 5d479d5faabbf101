"""Several configurations from one command line: by Hydra's grammar, and by suites."""

import pytest

from agent_rl.config import combinations, compose, validate
from agent_rl.core.errors import UserError
from agent_rl.evaluation.settings import EvalConfig


def test_words_with_one_value_each_are_one_configuration_as_they_are_written():
    words = ["env=search", "env.x=[a,b]", "engine.model='a,b'", "tasks=3"]
    assert list(combinations(words).values()) == [tuple(words)]


def test_every_combination_is_named_by_what_differs():
    found = combinations(["env=search,guess", "model=tiny,runs/a/", "tasks=3"])
    assert list(found) == ["search-tiny", "search-a", "guess-tiny", "guess-a"]
    assert found["guess-a"] == ("env=guess", "model=runs/a/", "tasks=3")
    assert list(combinations(["env=search", "temperature=0,1"])) == ["temperature_0", "temperature_1"]
    assert list(combinations(["seed=range(1,3)", "env.results=2,3"])) == [
        "seed_1-results_2",
        "seed_1-results_3",
        "seed_2-results_2",
        "seed_2-results_3",
    ]


def test_labels_are_unlike_each_other_and_stay_in_their_folder():
    assert list(combinations(["model=a/x,b/x,/,..,../.."])) == ["x", "x-2", "_", "_-2", "_-3"]
    assert list(combinations(["env=my.py:Shop,'a b/c d'"])) == ["my.py_Shop", "c_d"]


def test_a_value_keeps_its_meaning_when_it_is_one_of_several():
    paths = ["my.py:Shop", "it's", "a,b", "tab\\le"]
    quoted = ["my.py:Shop", "'it\\'s'", "'a,b'", "'tab\\le'"]
    chosen = combinations([f"model={','.join(quoted)}"])
    assert [compose("eval", words)["model"]["path"] for words in chosen.values()] == paths


def test_a_suite_adds_its_words_and_the_command_line_has_the_last_word(tmp_path):
    suite = tmp_path / "mine.yaml"
    suite.write_text("- env=search,guess tasks=9 n=2\n- env=search engine=openai engine.model=gpt tasks=7\n")
    found = combinations(["tasks=3"], str(suite))
    assert found == {
        "search": ("env=search", "n=2", "tasks=3"),
        "guess": ("env=guess", "n=2", "tasks=3"),
        "search-openai-gpt": ("env=search", "engine=openai", "engine.model=gpt", "tasks=3"),
    }
    assert len(combinations(["env=search", "tasks=3", "n=1"], "quick")) == 1  # nothing is measured twice


def test_the_shipped_suite_plays_every_environment_that_has_a_model():
    configs = [validate(EvalConfig, compose("eval", words)) for words in combinations([], "quick").values()]
    assert {config.env.name: config.measured for config in configs} == {
        "search": "tiny",
        "countdown": "tiny_countdown",
        "countdown_code": "tiny_countdown_code",
        "frozen_lake": "tiny_frozen_lake",
        "guess": "tiny_guess",
    }


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, r"there is no suite '.*suite.yaml' \(there are: quick, and files\)"),
        ("env=search", "is not a list of texts"),
        ("- env: search", "is not a list of texts"),
        ("[]", "is not a list of texts"),
        ("- 'a", "cannot be read"),
        ("- env='a", "cannot be read"),
    ],
)
def test_a_suite_that_is_none_is_told_in_one_line(tmp_path, content, told):
    if content is not None:
        (tmp_path / "suite.yaml").write_text(content)
    with pytest.raises(UserError, match=told):
        combinations([], str(tmp_path / "suite.yaml"))


def test_values_that_cannot_be_listed_are_refused():
    with pytest.raises(UserError, match="has no list of values"):
        combinations(["temperature=interval(0,1)"])
