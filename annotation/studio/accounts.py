"""Accounts on the review server, signed up through the invite link: those of people, and of scripted reviewers.

A person's password is made here, told once and kept nowhere. Those of scripts lie in a file beside the server's own
credentials, and the accounts are plainly named.
"""

import json
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotation.studio.service import REVIEWER, ReviewServer, write_private
from schema.errors import ServiceError, UsageError

if TYPE_CHECKING:
    import httpx

SCRIPTED_PREFIX = "script-"
SCRIPTED_DOMAIN = "@example.com"
ACCOUNTS_FILE = "scripted-accounts.json"
TIMEOUT_SECONDS = 60.0
PASSWORD_BYTES = 12
_EMAIL = re.compile(r"[a-z0-9._+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedAccount:
    """An account that a script answers with; its address says so."""

    email: str
    password: str = field(repr=False)
    token: str = field(repr=False)
    user_number: int
    """The server's number for the account."""


def is_scripted(account: str) -> bool:
    """Tell by its e-mail address whether a script answers with an account."""
    return account.startswith(SCRIPTED_PREFIX) and account.endswith(SCRIPTED_DOMAIN)


def account_for(name: str, *, email: str = "") -> str:
    """Return the account of a person: the e-mail address given, or one made of the name on a domain that gets no mail.

    Raises:
        UsageError: The address is none, is one of a script's, or no address can be made of the name.
    """
    if not email:
        letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        words = re.findall(r"[a-z0-9]+", letters)
        if not words:
            raise UsageError(f"no address can be made of the name {name!r}; give one with --email")
        email = ".".join(words) + SCRIPTED_DOMAIN
    account = email.strip().lower()  # the server takes capitals for small letters
    if not _EMAIL.fullmatch(account):
        raise UsageError(f"{email!r} is no e-mail address; give another with --email")
    if is_scripted(account) or account == REVIEWER:
        raise UsageError(f"{account} belongs to the study itself; give another address with --email")
    return account


def sign_up(server: ReviewServer, account: str) -> str | None:
    """Make an account for a person and return its password; None where the account is there already.

    The password is not kept: the caller shows it once.

    Raises:
        ServiceError: The server does not answer, or refuses the sign-up.
    """
    import httpx

    with _asked(server, account):
        owner = {"Authorization": f"Token {server.token}"}
        rows = httpx.get(f"{server.url}/api/users/", headers=owner, timeout=TIMEOUT_SECONDS, trust_env=False)
        if account in {str(row["email"]).lower() for row in rows.raise_for_status().json()}:
            return None
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    _enter(server, account, password)
    return password


def ensure_scripted_accounts(server: ReviewServer, *, count: int = 3) -> list[ScriptedAccount]:
    """Return the first ``count`` scripted reviewers, signing up those that are missing.

    They are kept in a file that only its owner can read, beside the server's credentials. The password is written
    before the sign-up, so that a run killed between the two can sign in.

    Raises:
        ServiceError: The server does not answer, or refuses the sign-up.
    """
    path = server.data_folder / ACCOUNTS_FILE
    kept = _read(path, server.server_id)
    for number in range(1, count + 1):
        email = f"{SCRIPTED_PREFIX}{number}{SCRIPTED_DOMAIN}"
        row = kept.get(email)
        if row is None or not row.get("token"):
            row = row or {"email": email, "password": secrets.token_urlsafe(16), "token": "", "user_number": 0}
            kept[email] = row
            _write(path, server.server_id, kept.values())
            row["token"], row["user_number"] = _enter(server, email, row["password"])
            _write(path, server.server_id, kept.values())
    return [ScriptedAccount(**kept[f"{SCRIPTED_PREFIX}{n}{SCRIPTED_DOMAIN}"]) for n in range(1, count + 1)]


def _read(path: Path, server_id: str) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {row["email"]: row for row in document["accounts"]} if document["server_id"] == server_id else {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ServiceError(f"{path}: the scripted accounts can't be read ({error}); restore the file") from error


def _write(path: Path, server_id: str, rows: Iterable[dict[str, Any]]) -> None:
    write_private(path, json.dumps({"server_id": server_id, "accounts": list(rows)}, indent=1))


def _enter(server: ReviewServer, email: str, password: str) -> tuple[str, int]:
    """Sign in, after signing up where the account does not exist yet; return its API token and number."""
    import httpx

    owner = {"Authorization": f"Token {server.token}"}
    with _asked(server, email), httpx.Client(base_url=server.url, timeout=TIMEOUT_SECONDS, trust_env=False) as http:
        invite = http.get("/api/invite", headers=owner).raise_for_status().json()["invite_url"]
        if not _submit(http, invite, email, password) and not _submit(http, "/user/login/", email, password):
            raise ServiceError(f"Label Studio refuses to sign up {email}; delete the account there and run again")
        token = http.get("/api/current-user/token").raise_for_status().json()["token"]
        number = http.get("/api/current-user/whoami").raise_for_status().json()["id"]
    return str(token), int(number)


@contextmanager
def _asked(server: ReviewServer, email: str) -> Iterator[None]:
    """Turn what goes wrong on the way to the server into one line."""
    import httpx

    try:
        yield
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise ServiceError(
            f"Label Studio at {server.url} does not sign up {email} ({_why(error)}); run the command again"
        ) from error


def _why(error: Exception) -> str:
    """Tell an error without the address that was asked: the invite link lets anybody in."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return f"it answers {error.response.status_code}"
    return type(error).__name__


def _submit(http: "httpx.Client", form: str, email: str, password: str) -> bool:
    """Send a sign-up or sign-in form with its CSRF token; a form that was taken answers with a redirect."""
    http.get(form).raise_for_status()
    fields = {"csrfmiddlewaretoken": http.cookies.get("csrftoken") or "", "email": email, "password": password}
    return http.post(form, data=fields).is_redirect
