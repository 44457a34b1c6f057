"""The pseudonym key and the ids made with it: nothing outside ``private/`` can be joined to a name without the key."""

import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path

from schema.errors import DamagedTableError
from schema.questions import QuestionKind
from schema.records import SourceId, SubjectId, VideoId

KEY_BYTES = 32
ID_HEX_DIGITS = 20
"""80 bits: two of a million ids collide with a chance below one in a trillion."""
QUESTION_LETTERS: dict[QuestionKind, str] = {
    QuestionKind.KNOWN: "c",  # as a candidate's: every member of the review server's project can read a task's data
    QuestionKind.EXPERT: "x",
    QuestionKind.BLIND: "b",
    QuestionKind.AUDIT: "w",
}
"""How the ids of questions begin that are no candidate's own."""


def load_pseudonym_key(private_folder: Path, *, create: bool = False) -> bytes:
    """Read the study's key, or make it (mode 0600) when ``create`` is set and the study has none.

    Raises ``DamagedTableError`` where the key is missing or has the wrong length: ids made with another key would
    not join with what the study already holds.
    """
    path = private_folder / "pseudonym.key"
    if create and not path.exists():
        private_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)  # a link refuses to replace a key that another runner made meanwhile
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise DamagedTableError(
            f"{path}: the study's pseudonym key can't be read ({error}); restore it from a backup"
        ) from error
    if len(key) != KEY_BYTES:
        raise DamagedTableError(
            f"{path}: the study's pseudonym key has {len(key)} bytes, not {KEY_BYTES}; restore it from a backup"
        )
    return key


def _keyed_hash(key: bytes, *parts: str) -> str:
    message = b"".join(len(p.encode()).to_bytes(4, "big") + p.encode() for p in parts)
    return hmac.new(key, message, sha256).hexdigest()[:ID_HEX_DIGITS]


def make_source_id(key: bytes, location: str) -> SourceId:
    """Name an entry of the source list."""
    return SourceId("l" + _keyed_hash(key, "source", location))


def make_origin_id(key: bytes, location: str) -> str:
    """Name a channel, playlist, search or feed of the source list by its link or query."""
    return "o" + _keyed_hash(key, "origin", location)


def make_video_id(key: bytes, platform: str, native_id: str) -> VideoId:
    """Name a video by its platform and native id; for a local file: ``file`` and its sha256."""
    return VideoId("v" + _keyed_hash(key, "video", platform, native_id))


def make_imported_video_id(key: bytes, origin: str, native_id: str) -> VideoId:
    """Name a recording of an imported data set by the data set's name and the recording's own."""
    return VideoId("v" + _keyed_hash(key, "imported video", origin, native_id))


def make_imported_segment_id(key: bytes, video_id: str, *about: str) -> str:
    """Name a segment of an imported data set by its recording, track, edges and class."""
    return "g" + _keyed_hash(key, "imported segment", video_id, *about)


def make_subject_id(key: bytes, person_id: str) -> SubjectId:
    """Name a person by the row id in players.csv (not the name, which may be shared or corrected)."""
    return SubjectId("s" + _keyed_hash(key, "subject", person_id))


def make_match_id(key: bytes, match_row: str) -> str:
    """Name a match by the file and line of its result: both players' press conferences share it."""
    return "m" + _keyed_hash(key, "match", match_row)


def make_annotator_id(key: bytes, account: str) -> str:
    """Name the person who answered, by the account's e-mail address on the review server."""
    return "r" + _keyed_hash(key, "annotator", account)


def make_question_id(key: bytes, kind: QuestionKind, *about: str) -> str:
    """Name a question that is not a candidate's own verdict, by what it is about.

    Raises ``KeyError`` for ``VERDICT``: that question has the candidate's id.
    """
    return QUESTION_LETTERS[kind] + _keyed_hash(key, "question", kind, *about)


def keyed_fraction(key: bytes, *parts: str) -> float:
    """Draw a number in [0, 1) that depends on the key and the parts alone: the same draw, whatever else is drawn."""
    return int(_keyed_hash(key, "fraction", *parts)[:13], 16) / 16**13
