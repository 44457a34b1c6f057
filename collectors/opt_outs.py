"""The study's opt-out list: links, channels and players that are never collected."""

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from collectors.facts import Facts
from collectors.manners import site_of
from schema.errors import ConfigError

HEADER = ("kind", "value")
KINDS = ("url", "channel", "player")
SHARING_PARAMETERS = frozenset({"ab_channel", "app", "fbclid", "feature", "gclid", "igsh", "igshid", "pp", "si", "t"})
"""Query parameters that say how a link was shared or where to start, not which video it is."""
_YOUTUBE_HOSTS = frozenset({"youtube.com", "youtu.be", "youtube-nocookie.com"})
_YOUTUBE_PATH = re.compile(r"/(?:shorts|embed|live|v|e|watch)/(?!videoseries$)(?P<id>[\w-]+)")
_TAB = re.compile(r"/(?:videos|streams|shorts|live|playlists|featured|community|about|podcasts|posts)$")
_LINK = re.compile(r"https?://[^\s/]+(?:[/?]\S*)?|[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:[/?]\S*)?", re.IGNORECASE)
"""A link; one without its scheme has a host with a dot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOuts:
    """What must not be collected, in the forms that are compared."""

    links: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    """Channels by link, by the last word of it (a handle or an id) and by name."""
    players: Mapping[str, int] = field(default_factory=dict)
    """Row ids and names as they stand in the list, with their line."""
    items: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The words of the links, with the sites that they are of: one of them is the site's own id of the video."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Lines of each kind."""

    def forbids_link(self, location: str, *, platform: str = "", native_id: str = "") -> bool:
        """Tell whether a video is on the list by its link, or by its site's id of it, however the link is written."""
        if not self.links:
            return False
        if plain_link(location) in self.links:
            return True
        site = site_of(location)
        return bool(native_id) and any(
            listed == site or (platform and platform in listed) for listed in self.items.get(native_id, ())
        )

    def forbids_channel(self, facts: Facts) -> bool:
        """Tell whether the channel is on the list by its link, handle, id or name."""
        return bool(self.channels) and not self.channels.isdisjoint(_channel_keys(facts))

    def forbids_place(self, location: str) -> bool:
        """Tell whether a place that lists videos is on the list, such as a channel that the study names."""
        return plain_channel(location) in self.channels

    @property
    def digest(self) -> str:
        """Digest of the list: an entry that it passed over is looked at again once the list changed."""
        return sha256(repr([sorted(self.links), sorted(self.channels), sorted(self.players)]).encode()).hexdigest()


def read_opt_outs(path: Path) -> OptOuts:
    """Read a list with the header ``kind,value``; further columns are the user's own. No file is no opt-out.

    Raises ``ConfigError`` naming the line: an opt-out that is not understood must not be passed by.
    """
    links: set[str] = set()
    channels: set[str] = set()
    players: dict[str, int] = {}
    items: dict[str, set[str]] = {}
    counts = dict.fromkeys(KINDS, 0)
    for line, kind, value in _rows(path):
        where = f"{path.name}, line {line}"
        if kind not in KINDS or not value:
            raise ConfigError(f"{where}: needs a kind ({', '.join(KINDS)}) and a value")
        counts[kind] += 1
        if kind == "player":
            players[_checked_name(value, where)] = line
        elif _LINK.fullmatch(value):
            # a link is understood under either kind: people send the link that they have
            link = value if "://" in value else f"https://{value}"
            links.add(plain_link(link))
            channels.add(plain_channel(link))
            for word in _words_of(plain_link(link)):
                items.setdefault(word, set()).add(site_of(link))
        elif kind == "url" or "://" in value:
            raise ConfigError(f"{where}: a url must be an http or https link, such as https://example.org/watch?v=abc")
        if kind == "channel" and "://" not in value:  # a name may look like a host, too
            channels |= {value.casefold(), plain_words(_checked_name(value, where))}
    return OptOuts(
        links=frozenset(links),
        channels=frozenset(channels),
        players=players,
        items={word: frozenset(sites) for word, sites in items.items()},
        counts=counts,
    )


def _checked_name(name: str, where: str) -> str:
    if not plain_words(name):
        raise ConfigError(f"{where}: the value has neither letters nor digits")
    return name


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip().lower() for name in next(rows, [])]
            if tuple(header[:2]) != HEADER:
                raise ConfigError(f"{path.name}: the opt-out list's first line must begin with {','.join(HEADER)}")
            for row in rows:
                if any(cell.strip() for cell in row):
                    kind, value = (*(cell.strip() for cell in row), "", "")[:2]
                    yield rows.line_num, kind.lower(), value
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path.name}: the opt-out list can't be read as CSV in UTF-8") from error


def plain_link(link: str) -> str:
    """Bring the many spellings of one link into one: host without www, no fragment, only telling parameters."""
    try:
        parts = urlsplit(link.strip())
        host = re.sub(r"^(www|m|music|mobile)\.", "", (parts.hostname or "").lower())
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    except ValueError:
        return link.strip()
    path = unquote(parts.path).rstrip("/")
    parameters = [
        (name, value)
        for name, value in parse_qsl(parts.query)
        if name not in SHARING_PARAMETERS and not name.startswith("utm_")
    ]
    if host in _YOUTUBE_HOSTS:
        short = _YOUTUBE_PATH.fullmatch(path)
        video = short["id"] if short else path[1:] if host == "youtu.be" else dict(parameters).get("v", "")
        if video:
            return f"youtube.com/watch?v={video}"
        host = "youtube.com"
    query = f"?{urlencode(sorted(parameters))}" if parameters else ""
    return f"{host}{port}{path}{query}"


def plain_channel(link: str) -> str:
    """Bring the spellings of a channel's link into one: also without the tab, and in small letters as handles are."""
    return _TAB.sub("", plain_link(link)).casefold()


def plain_words(text: str) -> str:
    """Return a text's words in lower case without accents and punctuation."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", bare))


def _words_of(plain: str) -> Iterator[str]:
    """Yield what stands between the slashes of a link, and the values of its parameters."""
    place, _, query = plain.partition("?")
    yield from place.split("/")[1:]
    yield from (value for _, value in parse_qsl(query))


def _channel_keys(facts: Facts) -> Iterator[str]:
    if facts.channel:
        yield plain_words(facts.channel)
    for link in facts.channel_links:
        plain = plain_channel(link)
        yield plain
        if "/" in plain:
            yield plain.rpartition("/")[2]


class NameFinder:
    """Finds the names of opted-out players in titles."""

    def __init__(self, people: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        """Take each player's name and aliases."""
        self._known: dict[tuple[str, bool], bool] = {}
        self._people = tuple(people)
        self._whole: set[frozenset[str]] = set()
        self._family: set[tuple[str, ...]] = set()
        if not self._people:
            return
        from collectors.catalogue.people import Person, name_forms
        from collectors.catalogue.spelling import name_spellings

        for name, aliases in self._people:
            self._whole |= {frozenset(words) for one in (name, *aliases) for words in name_spellings(one)}
            self._family |= {form.family for form in name_forms(Person(person_id="", name=name)) if not form.whole}

    @property
    def names(self) -> list[str]:
        """Every name and alias, sorted."""
        return sorted({one for name, aliases in self._people for one in (name, *aliases)})

    def is_named(self, title: str, *, certainly: bool = False) -> bool:
        """Tell whether a title speaks of one of the players.

        All words of a name or alias, in any order and spelling, are certain. A family name that stands alone is enough
        where nothing is lost: to leave out one video too many is the smaller harm.
        """
        if not self._people or not title:
            return False
        if (title, certainly) not in self._known:
            self._known[(title, certainly)] = self._look_for(title, certainly=certainly)
        return self._known[(title, certainly)]

    def _look_for(self, title: str, *, certainly: bool) -> bool:
        from collectors.catalogue.mentions import beside_a_name, may_be_name
        from collectors.catalogue.spelling import Text

        text = Text(title)
        there = frozenset(spelling for word in text.words for spelling in word.spellings)
        if any(words and words <= there for words in self._whole):
            return True
        if certainly:
            return False
        nobody: frozenset[int] = frozenset()
        for family in self._family:
            for start in range(len(text.words) - len(family) + 1):
                end = start + len(family)
                said = all(part in text.words[start + n].spellings for n, part in enumerate(family))
                if said and may_be_name(text, start, nobody) and not beside_a_name(text, start, end, nobody):
                    return True
        return False
