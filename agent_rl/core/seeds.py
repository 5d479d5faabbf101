"""One seed, many independent random streams."""

import hashlib


def derive(seed: int, *path: object) -> int:
    """Return a 63-bit seed for the stream named by `path` under `seed`.

    Streams are named, never drawn from each other, so what one part of a run consumes does not move another part:
    a resumed run, or one with another number of evaluations, samples the same tokens.
    """
    text = "/".join([str(seed), *map(str, path)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1
