"""Sending a release to a dataset repository of the Hugging Face Hub: private and gated before the first byte."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from releases.build import release_files
from releases.validation.validate import validate_release
from schema.errors import InvalidReleaseError, MissingPartError, RunError, UsageError

HUB = "https://huggingface.co"
TOKEN_VARIABLE = "HF_TOKEN"
Gating = Literal["manual", "auto"]
"""``manual``: each request for access is answered by a person; ``auto``: whoever agrees to share an address gets it."""
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What was sent."""

    repository: str
    commit: str
    """The Hub's id of the commit: what users pin as ``revision``."""
    files: int
    byte_count: int
    public: bool


def gating_named(name: str) -> Gating:
    """Return the gating of that name; raises ``UsageError`` for another."""
    known: dict[str, Gating] = {"manual": "manual", "auto": "auto"}
    if name in known:
        return known[name]
    raise UsageError(f"--gating: {name!r} must be manual or auto; a release is never pushed without a gate")


def push_release(
    folder: Path, repository: str, *, gating: Gating = "manual", public: bool = False, endpoint: str = HUB
) -> Pushed:
    """Send a release to ``namespace/name`` on the Hub.

    The repository is made private if it is new, and gated, before anything is sent; with ``public`` it becomes visible
    at the end, still gated. Files that the repository holds and the release does not are deleted in the same commit, so
    that one revision is one release.

    Raises:
        UsageError: The repository's name is none, or no token is set.
        InvalidReleaseError: The release is not valid, or it is the part that joins ids to links.
        MissingPartError: The package huggingface-hub is not installed.
        RunError: The Hub refuses or is not to be reached; the same command goes on.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError(f"{repository!r} is no repository: give it as NAMESPACE/NAME")
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        raise UsageError(f"no access token: set the environment variable {TOKEN_VARIABLE} to one that may write")
    files = _checked_files(folder)
    api = _api(endpoint, token)
    _check_card(folder)
    with _hub_errors(repository, endpoint):
        api.create_repo(repository, repo_type="dataset", private=True, exist_ok=True)
        api.update_repo_settings(repository, repo_type="dataset", gated=gating)
        commit = api.upload_folder(
            repo_id=repository,
            repo_type="dataset",
            folder_path=str(folder),
            allow_patterns=[path.relative_to(folder).as_posix() for path in files],
            delete_patterns=["*"],
            commit_message=f"Release {folder.name}",
        )
        if public:
            api.update_repo_settings(repository, repo_type="dataset", private=False)
    return Pushed(
        repository=repository,
        commit=str(commit.oid),
        files=len(files),
        byte_count=sum(path.stat().st_size for path in files),
        public=public,
    )


def _checked_files(folder: Path) -> list[Path]:
    findings = validate_release(folder)
    if findings:
        raise InvalidReleaseError(
            f"{folder.name} is not valid ({findings[0]}; {len(findings)} finding(s)): nothing was sent"
        )
    return release_files(folder)


def _check_card(folder: Path) -> None:
    """Read the card's header as the Hub's own package does; the Hub looks at it again before it takes the commit."""
    from huggingface_hub import DatasetCard

    try:
        DatasetCard((folder / "README.md").read_text(encoding="utf-8"), ignore_metadata_errors=False)
    except ValueError as error:
        raise InvalidReleaseError(f"{folder.name}: the Hub would refuse the card's header: {error}") from error


def _api(endpoint: str, token: str) -> Any:  # noqa: ANN401
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise MissingPartError(
            "pushing to the Hub needs the package huggingface-hub: `uv sync --extra hub` installs it"
        ) from error
    return HfApi(endpoint=endpoint, token=token)


@contextmanager
def _hub_errors(repository: str, endpoint: str) -> Iterator[None]:
    from huggingface_hub.errors import HfHubHTTPError

    # the Hub's package has changed its HTTP library before; its own error is that library's and an OSError
    transport_errors: tuple[type[Exception], ...] = HfHubHTTPError.__bases__

    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code
        why = {401: "the token is not known", 403: "the token may not write there", 404: "there is no such namespace"}
        raise RunError(
            f"{repository}: the Hub answered {status} ({why.get(status, 'see its status page')}); nothing is public "
            "that was not before: correct it and run the same command again"
        ) from error
    except transport_errors as error:
        raise RunError(f"{endpoint} can't be reached ({type(error).__name__}): run the same command again") from error
