"""A connection to the review server that outlives restarts, server errors and lost connections, for a bounded time."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

import httpx

from annotation.studio.service import ReviewServer
from schema.errors import ServiceError

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 8.0
PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that say nothing about the request: the server, or what stands before it, is not itself at the moment."""
DETAIL_CHARACTERS = 300
Decoded = TypeVar("Decoded", bound=dict[str, Any] | list[dict[str, Any]])
Made = TypeVar("Made")


class MayHaveArrivedError(ServiceError):
    """A request that makes something got no answer: it was carried out, or it was not. Read back before repeating."""


class Connection:
    """Requests to one study's review server, with the study's own token; threads may share it.

    Reading, and setting something to a value, is repeated with growing pauses until the server answers or
    ``retry_seconds`` have passed since the first failure. A request that makes something is repeated only when it
    can't have arrived. What fails for good raises ``ServiceError`` in one line.
    """

    def __init__(self, server: ReviewServer, *, timeout_seconds: float = 60.0, retry_seconds: float = 90.0) -> None:
        """Connect to ``server``; nothing is sent yet.

        Args:
            server: The review server.
            timeout_seconds: How long one request may take.
            retry_seconds: How long a server that does not answer is asked again; 0 gives up at once.
        """
        self._url = server.url
        self._server_id = server.server_id
        self._retry_seconds = retry_seconds
        self._closing = threading.Event()
        self._http = httpx.Client(
            base_url=server.url,
            headers={"Authorization": f"Token {server.token}"},
            timeout=timeout_seconds,
            trust_env=False,  # a proxy of the environment must not see the token, nor stand before loopback
        )

    def __enter__(self) -> Self:
        """Return the connection itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; requests that wait for the server end."""
        self._closing.set()
        self._http.close()

    def _get(self, path: str, params: Mapping[str, Any] | None = None, *, accept: int | None = None) -> httpx.Response:
        """Read; a status other than ``accept`` that is no success raises ``ServiceError``."""
        return self._until_answered("GET", path, params=params, accept=accept)

    def _set(self, path: str, body: object, *, accept: int | None = None) -> httpx.Response:
        """Change something to a given value (PATCH): doing it twice is doing it once, so it is repeated."""
        return self._until_answered("PATCH", path, body=body, accept=accept)

    def _delete(self, path: str, *, accept: int | None = None) -> httpx.Response:
        """Delete something: doing it twice is doing it once, so it is repeated."""
        return self._until_answered("DELETE", path, accept=accept)

    def _make(
        self, path: str, body: object, *, params: Mapping[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Make something (POST).

        Raises:
            MayHaveArrivedError: No answer came, or one that does not tell: the caller reads back first.
            ServiceError: The server refuses it, or can't be reached for ``retry_seconds``.
        """
        pauses = Pauses(self._retry_seconds)
        while True:
            try:
                response = self._http.request("POST", path, params=params, json=body, headers=headers)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:  # nothing was sent
                if not pauses.wait(self._closing):
                    raise self._silent(error) from error
                continue
            except httpx.HTTPError as error:
                raise MayHaveArrivedError(str(self._silent(error))) from error
            if response.is_success:
                return response
            refusal = self._refused(response)
            raise MayHaveArrivedError(str(refusal)) if response.status_code in PASSING_STATUSES else refusal

    def _made_once(
        self, make: Callable[[], Made], already: Callable[[], Made | None], *, look_first: bool = True
    ) -> Made:
        """Make something exactly once: look whether it is ``already`` there, ``make`` it if not, and so on."""
        pauses = Pauses(self._retry_seconds)
        while True:
            if look_first and (found := already()) is not None:
                return found
            try:
                return make()
            except MayHaveArrivedError:
                if not pauses.wait(self._closing):
                    raise
            look_first = True

    def _until_answered(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: object = None,
        accept: int | None = None,
    ) -> httpx.Response:
        pauses = Pauses(self._retry_seconds)
        while True:
            try:
                response = self._http.request(method, path, params=params, json=body)
            except httpx.HTTPError as error:
                if not pauses.wait(self._closing):
                    raise self._silent(error) from error
                continue
            if response.is_success or response.status_code == accept:
                return response
            if response.status_code not in PASSING_STATUSES or not pauses.wait(self._closing):
                raise self._refused(response)

    def _silent(self, error: httpx.HTTPError) -> ServiceError:
        return ServiceError(
            f"Label Studio at {self._url} does not answer ({one_line(str(error)) or type(error).__name__}); "
            "start it with `pressroom up` and run the command again"
        )

    def _refused(self, response: httpx.Response) -> ServiceError:
        asked = f"{response.request.method} {response.request.url.path}"
        return ServiceError(
            f"Label Studio at {self._url} answers {asked} with {response.status_code}: {_refusal(response)}"
        )


class Pauses:
    """Growing pauses between tries, for a bounded time from the first one on."""

    def __init__(self, seconds: float) -> None:
        """Allow tries for ``seconds`` after the first pause is asked for."""
        self._seconds = seconds
        self._deadline: float | None = None
        self._next_seconds = FIRST_WAIT_SECONDS

    def wait(self, ended: threading.Event) -> bool:
        """Pause, and return True; return False at once when the time is over or ``ended`` is set."""
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._seconds
        if now >= self._deadline or ended.wait(min(self._next_seconds, self._deadline - now)):
            return False
        self._next_seconds = min(2 * self._next_seconds, LONGEST_WAIT_SECONDS)
        return True


def as_object(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object that the server sent; raises ``ServiceError`` for anything else."""
    return _decode(response, dict)


def as_rows(response: httpx.Response) -> list[dict[str, Any]]:
    """Return the list of JSON objects that the server sent; raises ``ServiceError`` for anything else."""
    return _decode(response, list)


def _decode(response: httpx.Response, kind: type[Decoded]) -> Decoded:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, kind):
        raise ServiceError(
            f"Label Studio answers {response.request.url.path} with something else than it should; "
            "look whether another program has its port"
        )
    return answer


def _refusal(response: httpx.Response) -> str:
    try:
        answer = response.json()
        return one_line(json.dumps(answer.get("validation_errors") or answer.get("detail") or answer))
    except (ValueError, AttributeError):
        return one_line(response.reason_phrase)


def one_line(text: str) -> str:
    """Return the beginning of a text as one line."""
    return " ".join(text.split())[:DETAIL_CHARACTERS]
