"""The study's opt-out list: links, channels and players that are never collected."""

import csv
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from collectors.facts import Facts
from schema.errors import ConfigError

HEADER = ("kind", "value")
KINDS = ("url", "channel", "player")
UNTELLING_PARAMETERS = frozenset({"app", "feature", "index", "list", "pp", "si", "start", "t"})
"""Query parameters that say how a link was shared or where to start, not which video it is."""
_YOUTUBE_HOSTS = frozenset({"youtube.com", "youtu.be", "youtube-nocookie.com"})
_YOUTUBE_PATH = re.compile(r"/(?:shorts|embed|live|v)/(?P<id>[\w-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOuts:
    """What must not be collected, in the forms that are compared."""

    links: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    players: frozenset[str] = frozenset()
    """Row ids of players.csv and names, as they stand in the list."""

    @property
    def digest(self) -> str:
        """Digest of the list: an entry that it passed over is looked at again once the list changed."""
        return sha256(repr([sorted(self.links), sorted(self.channels), sorted(self.players)]).encode()).hexdigest()[:12]

    def forbid(self, *, location: str, person_id: str | None, facts: Facts | None, names: frozenset[str]) -> str | None:
        """Tell which kind of entry forbids a video, None where none does.

        ``names`` are the names and aliases of the players on the list, of whom a title may speak. A name in the title
        is enough: to leave out one video too many is the smaller harm.
        """
        if plain_link(location) in self.links:
            return "url"
        if facts is not None and self.channels & set(_channel_keys(facts)):
            return "channel"
        if person_id is not None and person_id in self.players:
            return "player"
        title = plain_words((facts.title if facts else None) or "")
        return "player" if any(f" {plain_words(name)} " in f" {title} " for name in names) else None


def read_opt_outs(path: Path) -> OptOuts:
    """Read a list with the header ``kind,value``; further columns are the user's own. No file is no opt-out.

    Raises ``ConfigError`` naming the line: an opt-out that is not understood must not be passed by.
    """
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for line, kind, value in _rows(path):
        if kind not in KINDS or not value:
            raise ConfigError(f"{path.name}, line {line}: needs a kind ({', '.join(KINDS)}) and a value")
        if kind == "player":
            found[kind].add(value)
        else:
            found[kind].add(plain_link(value) if "://" in value else plain_words(value))
    return OptOuts(
        links=frozenset(found["url"]), channels=frozenset(found["channel"]), players=frozenset(found["player"])
    )


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            if tuple(header[:2]) != HEADER:
                raise ConfigError(f"{path.name}: the opt-out list's first line must begin with {','.join(HEADER)}")
            for row in rows:
                if any(cell.strip() for cell in row):
                    kind, value = (*(cell.strip() for cell in row), "", "")[:2]
                    yield rows.line_num, kind.lower(), value
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path.name}: the opt-out list can't be read: {type(error).__name__}") from error


def plain_link(link: str) -> str:
    """Bring the many spellings of one link into one: host without www, no fragment, only telling parameters."""
    try:
        parts = urlsplit(link.strip())
        host = re.sub(r"^(www|m|music)\.", "", (parts.hostname or "").lower())
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return link.strip()
    parameters = [(name, value) for name, value in parse_qsl(parts.query) if name not in UNTELLING_PARAMETERS]
    parameters = [(name, value) for name, value in parameters if not name.startswith("utm_")]
    path = parts.path.rstrip("/")
    if host in _YOUTUBE_HOSTS:
        short = _YOUTUBE_PATH.fullmatch(path)
        video = short["id"] if short else path[1:] if host == "youtu.be" else dict(parameters).get("v", "")
        if video:
            return f"youtube.com/watch?v={video}"
        host = "youtube.com"
    query = f"?{urlencode(sorted(parameters))}" if parameters else ""
    return f"{host}{port}{path}{query}"


def plain_words(text: str) -> str:
    """Return a text's words in lower case without accents and punctuation."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", bare))


def _channel_keys(facts: Facts) -> Iterator[str]:
    if facts.channel:
        yield plain_words(facts.channel)
    if facts.channel_link:
        yield plain_link(facts.channel_link)
