"""Local files as sources: their platform is ``file``, their native id is their content's sha256."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256 as new_sha256
from pathlib import Path

from collectors.base import CollectConfig, Offer, SourceEntry, saved_suffix, store_full_error
from collectors.facts import Facts, clean_text
from media.hashes import sha256_of
from schema.errors import DropReason, ItemError

FILE_PLATFORM = "file"
COPIED_BYTES = 1 << 20


class LocalFileCollector:
    """Copies a file of this machine; the config's network settings do not matter to it."""

    def __init__(
        self,
        config: CollectConfig,
        study_folder: Path | None = None,
        on_request: Callable[[str], None] | None = None,
    ) -> None:
        self._config = config

    @contextmanager
    def open(self, entry: SourceEntry) -> Iterator[Offer]:
        """Hash the file; raises ``ItemError`` (missing, empty, unreadable)."""
        path = Path(entry.location)
        try:
            if not path.is_file():
                raise ItemError(DropReason.MISSING, "no such file")
            byte_count = path.stat().st_size
            if byte_count == 0:
                raise ItemError(DropReason.EMPTY, "the file has 0 bytes")
            sha256 = sha256_of(path)
        except OSError as error:
            raise ItemError(DropReason.UNREADABLE, f"the file can't be read: {error.strerror}") from None
        yield Offer(
            platform=FILE_PLATFORM,
            native_id=sha256,
            facts=Facts(title=clean_text(path.name)),
            sha256=sha256,
            byte_count=byte_count,
            format="",
            save=partial(_copy, path, f"{entry.source_id}{saved_suffix(path.name)}", sha256),
        )


def _copy(source: Path, name: str, sha256: str, folder: Path) -> Path:
    """Copy a file, and hash it on the way: it may have changed since it was hashed."""
    target = folder / name
    digest = new_sha256()
    try:
        with source.open("rb") as old, target.open("wb") as new:
            while block := old.read(COPIED_BYTES):
                digest.update(block)
                new.write(block)
    except OSError as error:
        full = store_full_error(error, source.stat().st_size)
        if full is None:
            raise ItemError(DropReason.UNREADABLE, f"the file can't be copied: {error.strerror}") from None
        raise full from error
    if digest.hexdigest() != sha256:
        raise ItemError(DropReason.TRUNCATED, "the file changed while it was copied")
    return target
