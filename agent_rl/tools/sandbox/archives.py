"""Files as tar archives, for sandboxes that take them so."""

import io
import tarfile
from collections.abc import Mapping


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of files by path; anybody may read and run them."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    """Return the regular files of an archive, nothing that links to others; of a damaged one what comes before."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for entry in archive:
                if entry.isreg() and (file := archive.extractfile(entry)) is not None:
                    files[entry.name.removeprefix("./")] = file.read()
    except tarfile.TarError:
        pass
    return files
