"""One question to an OpenAI-compatible endpoint (``POST <base>/chat/completions``), and what can become of it."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from releases.config import DescriptionsConfig

LARGEST_ANSWER_BYTES = 1_000_000
"""An answer of two sentences takes some hundred bytes; what is longer than this is none."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of a question."""

    content: str | None = None
    """The model's words; None where there was no answer."""
    why: str = ""
    """Why there was none, in words, without the address and the key."""


def ask_endpoint(document: Mapping[str, Any], config: DescriptionsConfig, *, key: str) -> Reply:
    """Send a request; whatever goes wrong is a reply without content, never an exception.

    No redirect is followed, so the key goes nowhere else; the whole answer must be there after
    ``config.timeout_seconds``.

    Args:
        document: The body of the request.
        config: Where to.
        key: Sent as a bearer token; empty: none is sent.
    """
    found = _fetched(f"{config.endpoint.rstrip('/')}/chat/completions", document, config, key)
    if isinstance(found, str):
        return Reply(why=found)
    status, body = found
    if status in (401, 403):
        return Reply(why=f"it refuses the key ({status}): check the variable {config.api_key_variable}")
    return _reply(body) if status == 200 else Reply(why=f"it answers {status}")


def _fetched(
    address: str, document: Mapping[str, Any], config: DescriptionsConfig, key: str
) -> tuple[int, bytes] | str:
    """Return status and body of the answer, or why there is none."""
    import httpx

    deadline = time.monotonic() + config.timeout_seconds
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = bytearray()
    try:
        with (
            httpx.Client(timeout=config.timeout_seconds, trust_env=urlsplit(address).hostname not in _LOOPBACK) as http,
            http.stream("POST", address, json=dict(document), headers=headers) as response,
        ):
            for piece in response.iter_bytes():
                body += piece
                if time.monotonic() > deadline:
                    return f"no whole answer within {config.timeout_seconds:g} s"
                if len(body) > LARGEST_ANSWER_BYTES:
                    return "the answer is too long to be one"
            return response.status_code, bytes(body)
    except httpx.TimeoutException:
        return f"no answer within {config.timeout_seconds:g} s"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return f"it can't be reached ({type(error).__name__})"


def _reply(body: bytes) -> Reply:
    try:
        message = json.loads(body)["choices"][0]["message"]
        content = message["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return Reply(why="it answers something else than a chat completion")
    if content is not None and not isinstance(content, str):
        return Reply(why="it answers something else than a chat completion")
    return Reply(content=(content or "").strip())
