"""The adapters against the real packages, which are installed in an environment of their own; see README.md."""

import importlib.util
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = importlib.util.find_spec("skyrl_gym") is None
    for item in items:
        if missing and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="the peers are not installed here; make test-peers runs these"))
