"""Bytes that only the study's key opens: a stream of HMAC-SHA-256 blocks over a counter, laid over them."""

import hmac
import secrets

import numpy as np

NONCE_BYTES = 16
BLOCK_BYTES = 32
_COUNTER_BYTES = 8


def seal(content: bytes, *, key: bytes) -> bytes:
    """Return the content so that nobody can read it without the key; longer by ``NONCE_BYTES``."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + _laid_over(content, key=key, nonce=nonce)


def unseal(sealed: bytes, *, key: bytes) -> bytes:
    """Return what ``seal`` was given with the same key; with another key it is noise."""
    return _laid_over(sealed[NONCE_BYTES:], key=key, nonce=sealed[:NONCE_BYTES])


def _laid_over(content: bytes, *, key: bytes, nonce: bytes) -> bytes:
    # the key that names videos must not be the one that seals: a name would then be a block of the stream
    own_key = hmac.digest(key, b"pressroom seal", "sha256")
    blocks = range(-(-len(content) // BLOCK_BYTES))
    stream = b"".join(hmac.digest(own_key, nonce + n.to_bytes(_COUNTER_BYTES, "big"), "sha256") for n in blocks)
    return (np.frombuffer(content, np.uint8) ^ np.frombuffer(stream, np.uint8)[: len(content)]).tobytes()
