"""Links, handles and e-mail addresses that no release of pressroom writes by itself."""

import re

_LINK = re.compile(
    r"(?P<link>(?:https?|ftp)://[^\s<>\"'`]*)"
    r"|(?<![\w.])www\.\w+\.\w+"
    r"|(?<![\w.-])(?:[a-z]+\.)?(?:youtube\.com|youtu\.be|vimeo\.com|dailymotion\.com|tiktok\.com|instagram\.com"
    r"|facebook\.com|twitter\.com|x\.com|bilibili\.com|t\.me)/\w",
    re.IGNORECASE,
)
_BARE_LINK = re.compile(
    r"(?<![\w./-])(?:[a-z0-9-]+\.)+(?:com|org|net|info|tv|io|me|ly|gl|gg|be|co|app|link|live|to|uk|de|fr|es|it|nl|pl|cn"
    r"|jp|kr|ru|eu|us|ca|au|br|in)/\w",
    re.IGNORECASE,
)
"""A link as people write it, such as example.org/page; documents name files that look like it, tables do not. Endings
are listed: "the neck.Left/right" lacks a space and is no link."""
_E_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+\.\w{2,}")
_HANDLE = re.compile(r"(?<![\w.@])@(?P<name>\w{2,})(?![\w{])")
"""BibTeX's "@misc{" is none."""
_DOCUMENTS_POINT_TO = ("creativecommons.org", "www.apache.org", "doi.org", "arxiv.org", "opendatacommons.org")
"""Hosts that a release's own documents may point to."""
_VOCABULARIES = {
    "croissant.json": (
        "http://mlcommons.org/croissant/",
        "https://mlcommons.org/croissant/",
        "http://schema.org/",
        "https://schema.org/",
        "http://www.w3.org/",
        "https://www.w3.org/",
        "https://w3.org/",
        "http://purl.org/dc/terms/",
        "https://spdx.org/licenses/",
    ),
    ".html": ("http://www.w3.org/", "https://www.w3.org/"),
    ".svg": ("http://www.w3.org/", "https://www.w3.org/", "http://purl.org/dc/"),
}
"""What the names of vocabularies begin with, by the end of the file's name: nobody follows them as links."""
_KEYWORDS = {
    "croissant.json": frozenset({"base", "container", "context", "id", "json", "language", "list", "set", "type",
                                 "value", "vocab", "graph"}),
    ".html": frozenset({"charset", "font", "import", "keyframes", "layer", "media", "page", "supports"}),
    ".svg": frozenset({"font", "import", "keyframes", "media"}),
}  # fmt: skip
"""Words that JSON-LD and CSS write with an @."""


def has_strange_link(text: str, *, file: str, is_prose: bool) -> bool:
    """Tell whether a text holds a link that a release has no reason to hold.

    Args:
        text: What is read.
        file: Name of the file: vocabularies and style sheets have links of their own.
        is_prose: A document may point to licences and papers; a table holds no link at all.
    """
    if "/" not in text and "www." not in text.casefold():
        return False
    prefixes = next((some for end, some in _VOCABULARIES.items() if file.endswith(end)), ()) if is_prose else ()
    if not is_prose and file.endswith(".parquet") and _BARE_LINK.search(text):
        return True
    return any(not is_prose or not _is_allowed(match["link"], prefixes) for match in _LINK.finditer(text))


def _is_allowed(link: str | None, prefixes: tuple[str, ...]) -> bool:
    if link is None:
        return False
    host = re.split(r"[/)>\"'`?#]", link.split("://", 1)[1], maxsplit=1)[0].casefold()
    return host in _DOCUMENTS_POINT_TO or link.startswith(prefixes)


def has_e_mail_address(text: str) -> bool:
    """Tell whether a text holds an e-mail address."""
    return "@" in text and _E_MAIL.search(text) is not None


def has_handle(text: str, *, file: str) -> bool:
    """Tell whether a text holds an account's name such as @somebody."""
    if "@" not in text:
        return False
    keywords = next((some for end, some in _KEYWORDS.items() if file.endswith(end)), frozenset())
    return any(match["name"].casefold() not in keywords for match in _HANDLE.finditer(text))
