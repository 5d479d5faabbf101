"""The page as one file: its style and its modules stand in it, and it may run nothing else."""

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path

from agent_rl.evaluation.viewer.server import PAGE

_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)
_STYLE = '<link rel="stylesheet" href="style.css">'
_SCRIPT = '<script type="module" src="app.js"></script>'


def one_page(data: bytes) -> bytes:
    """Return the page with the answers that it shows.

    Args:
        data: A JSON object, the answers by their addresses.
    """
    page, style, script = _text("index.html"), _text("style.css"), bundle()
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>{style}</style>'
    begin, end = page.replace(_STYLE, head).split(_SCRIPT)
    # `<` would end the script where a model has written its end.
    safe = data.replace(b"<", b"\\u003c")
    embedded = b'<script type="application/json" id="embedded">' + safe + b"</script>\n"
    return begin.encode() + embedded + f'<script type="module">{script}</script>'.encode() + end.encode()


@lru_cache(maxsize=1)
def bundle() -> str:
    """Return all modules of the page as one, each in a scope of its own, those that others need first."""
    written: dict[str, str] = {}
    _write("app", written)
    return "\n".join(written.values())


def _write(name: str, written: dict[str, str]) -> None:
    """Add a module, after those that it imports, which form no circle."""
    if name in written:
        return
    source = _text(f"{name}.js")
    for _, needed in _IMPORT.findall(source):
        _write(needed, written)
    exported = ", ".join(_EXPORT.findall(source))
    body = _EXPORT.sub("", _IMPORT.sub(r"const \1 = module_\2;\n", source))
    written[name] = f"const module_{name} = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();"


def _digest(text: str) -> str:
    """Return how a Content-Security-Policy names a text that it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return Path(PAGE, name).read_text(encoding="utf-8")
