"""Chance, keyed by name: the same key gives the same draws whatever ran before it."""

import hashlib

import numpy as np


def keyed_generator(random_seed: int, *key: str | int) -> np.random.Generator:
    """The random generator that belongs to `key` under `random_seed` (counter-based Philox)."""
    return np.random.Generator(np.random.Philox(key=key_bits(random_seed, *key)))


def key_bits(random_seed: int, *key: str | int) -> int:
    """128 bits that depend on every part of the key and on where one part ends."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (random_seed, *key):
        data = str(part).encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return int.from_bytes(digest.digest(), "little")
