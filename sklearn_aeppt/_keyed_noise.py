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


class NoKey:
    """What is left of a key that is not of bytes: its type, for the refusal, and nothing of it."""

    def __init__(self, kind):
        self.kind = kind

    def __repr__(self):
        return f"<a key of type {self.kind}, which is refused>"

    def __deepcopy__(self, memo):
        return self  # as of SecretBytes


def masked(key):
    """Return a user's key in a form that no text shows; None stays, and so does what is masked."""
    if key is None or isinstance(key, (SecretBytes, NoKey, float)):
        return key
    if isinstance(key, (bytes, bytearray, memoryview)):
        return SecretBytes(key)
    return NoKey(type(key).__name__)


def with_plain_keys(state):
    """Return the keys of an object's state as plain bytes, a type that any reader knows."""
    return {k: bytes(v) for k, v in state.items() if isinstance(v, SecretBytes)}


def with_masked_keys(state):
    """Return the keys of an object's state as no text shows them."""
    return {k: masked(state[k]) for k in ("key", "_key") if k in state}


def draw_key(key):
    """Return a user's `key` as `SecretBytes`, or 32 from the operating system where it is None.

    Raises
    ------
    ValueError
        If `key` is not bytes, or shorter than 16.
    """
    key = masked(key)
    if key is None:
        return SecretBytes(secrets.token_bytes(32))
    if isinstance(key, NoKey):
        raise ValueError(
            f"key is of type {key.kind}, not bytes: give secrets.token_bytes(32) or the "
            "like, or None for a new key from the operating system."
        )
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(
            f"key has {len(key)} bytes, which can be guessed: give at least {MIN_KEY_BYTES}, such "
            "as secrets.token_bytes(32), or None for a new key from the operating system."
        )
    return key


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
