"""The adapters against the real packages, which are installed in an environment of their own; see README.md."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = importlib.util.find_spec("skyrl_gym") is None
    for item in items:
        if missing and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="the peers are not installed here; make test-peers runs these"))


@pytest.fixture(scope="module")
def verl_without_its_engines() -> Iterator[None]:
    """verl's modules without its `__init__`, which brings torch, tensordict and Ray's workers.

    Two empty packages stand in its place, with its folders: the modules below them are verl's own.
    """
    with pytest.MonkeyPatch.context() as patch:
        spec = importlib.util.find_spec("verl")
        assert spec is not None and spec.submodule_search_locations is not None
        root = Path(next(iter(spec.submodule_search_locations)))
        for name, folder in (("verl", root), ("verl.utils", root / "utils")):
            empty = ModuleType(name)
            empty.__path__ = [str(folder)]
            patch.setitem(sys.modules, name, empty)
        yield
