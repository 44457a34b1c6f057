"""Accounts of scripted reviewers: signed up through the invite link, as a person would be, and plainly named."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotation.service import ReviewServer, write_private
from schema.errors import ServiceError

if TYPE_CHECKING:
    import httpx

SCRIPTED_PREFIX = "script-"
SCRIPTED_DOMAIN = "@example.com"
ACCOUNTS_FILE = "scripted-accounts.json"
TIMEOUT_SECONDS = 60.0


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
    try:
        with httpx.Client(base_url=server.url, timeout=TIMEOUT_SECONDS, trust_env=False) as http:
            invite = http.get("/api/invite", headers=owner).raise_for_status().json()["invite_url"]
            if not _submit(http, invite, email, password) and not _submit(http, "/user/login/", email, password):
                raise ServiceError(f"Label Studio refuses to sign up {email}; delete the account there and run again")
            token = http.get("/api/current-user/token").raise_for_status().json()["token"]
            number = http.get("/api/current-user/whoami").raise_for_status().json()["id"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise ServiceError(
            f"Label Studio at {server.url} does not sign up {email} ({error}); run the command again"
        ) from error
    return str(token), int(number)


def _submit(http: "httpx.Client", form: str, email: str, password: str) -> bool:
    """Send a sign-up or sign-in form with its CSRF token; a form that was taken answers with a redirect."""
    http.get(form).raise_for_status()
    fields = {"csrfmiddlewaretoken": http.cookies.get("csrftoken") or "", "email": email, "password": password}
    return http.post(form, data=fields).is_redirect
