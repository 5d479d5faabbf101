"""Python files that people bring, run as modules."""

import functools
import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType


@functools.cache
def run_file(file: Path) -> ModuleType:
    """Run a Python file once, as a module that sees its neighbours; `file` is absolute and ends in `.py`.

    Raises:
        Exception: Whatever the file's own code raises.
    """
    place = hashlib.sha256(str(file).encode()).hexdigest()[:8]  # two files may have one name
    spec = importlib.util.spec_from_file_location(f"agent_rl_user_{file.stem}_{place}", file)
    assert spec is not None and spec.loader is not None  # the file ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    see(file.parent)
    spec.loader.exec_module(module)
    return module


def see(folder: Path) -> None:
    """Let modules in `folder` be imported, after all others of their name."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
