"""Secret keys, and random numbers that follow from a key alone; numpy and hashlib only."""

import hashlib
import secrets

import numpy as np

MIN_KEY_BYTES = 16

# Odd constants of the splitmix64 generator (Steele, Lea, Flood 2014).
_GAMMA, _MIX1, _MIX2 = (
    np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


class SecretBytes(bytes):
    """Bytes that no repr, log line or HTML page shows.

    Examples
    --------
    >>> from sklearn_aeppt._keyed_noise import SecretBytes
    >>> print([SecretBytes(b"sixteen bytes ...")])
    [<secret key>]
    """

    def __repr__(self):
        return "<secret key>"

    __str__ = __repr__

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self  # sklearn.clone asks for the very object


def draw_key(key):
    """Return the bytes of a user's `key`, or 32 from the operating system where it is None.

    Raises
    ------
    ValueError
        If `key` is not bytes, or shorter than 16.
    """
    if key is None:
        return secrets.token_bytes(32)
    if not isinstance(key, (bytes, bytearray)):
        raise ValueError(
            f"key is of type {type(key).__name__}, not bytes: give secrets.token_bytes(32) or the "
            "like, or None for a new key from the operating system."
        )
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(
            f"key has {len(key)} bytes, which can be guessed: give at least {MIN_KEY_BYTES}, such "
            "as secrets.token_bytes(32), or None for a new key from the operating system."
        )
    return bytes(key)


def sub_key(key, purpose):
    """Return 32 bytes that follow from `key` for one purpose and tell nothing of another's."""
    return hashlib.blake2b(purpose.encode(), key=hashlib.sha256(key).digest()).digest()[:32]


def generator(key, purpose):
    """Return a numpy Generator seeded by `key` for one purpose."""
    return np.random.default_rng(list(sub_key(key, purpose)))


def keyed_seeds(items, key):
    """Return one uint64 for each byte string: a hash that nobody can tell without `key`."""
    keyed = hashlib.blake2b(key=key[:64], digest_size=8)
    digests = bytearray()
    for item in items:
        hashed = keyed.copy()
        hashed.update(item)
        digests += hashed.digest()
    return np.frombuffer(bytes(digests), dtype=np.uint64)


def uniform_from_seeds(seeds, n_draws):
    """Return float64 draws from U(0, 1), shape (len(seeds), n_draws), fixed by `seeds`."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is what is wanted
        x = seeds[:, None] + np.arange(1, n_draws + 1, dtype=np.uint64) * _GAMMA
        x ^= x >> np.uint64(30)
        x *= _MIX1
        x ^= x >> np.uint64(27)
        x *= _MIX2
        x ^= x >> np.uint64(31)
    return ((x >> np.uint64(40)).astype(np.float64) + 0.5) * 2.0**-24
