"""The guard on the network: only http and https, only yt-dlp's own client, and no address inside somebody's network.

A link comes from a stranger, and so do redirects, manifests and names: any of them may lead to a router's page, a
cloud's metadata service or a database on this machine. So the address is judged where nothing can come between: when
the connection is made, after the name was resolved, for every request that yt-dlp sends.
"""

# mypy: disallow-subclassing-any=False
# types-yt-dlp does not describe yt-dlp's urllib handler, which is subclassed here

import ipaddress
import socket
from functools import cache
from http.client import HTTPConnection
from http.cookiejar import CookieJar
from ipaddress import IPv4Address, IPv6Address
from ssl import SSLContext
from typing import NoReturn
from urllib.parse import urlsplit
from urllib.request import (
    BaseHandler,
    HTTPCookieProcessor,
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    OpenerDirector,
    Request,
)
from weakref import WeakSet

from yt_dlp.networking._helper import make_ssl_context
from yt_dlp.networking._urllib import HTTPHandler, ProxyHandler, RedirectHandler, UrllibRH
from yt_dlp.networking.exceptions import RequestError, UnsupportedRequest

WEB_SCHEMES = ("http", "https")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv6 addresses that stand for an IPv4 one behind a translator (RFC 6052)."""
COMPATIBLE = ipaddress.IPv6Network("::/96")
"""IPv6 addresses whose last 32 bits are an IPv4 one, by a rule that was given up (RFC 4291)."""
TEREDO = ipaddress.IPv6Network("2001::/32")
SOCKS_HEADER = "Ytdl-socks-proxy"
"""Where yt-dlp's proxy handler leaves a SOCKS proxy for its http handler."""
SocketSet = WeakSet[socket.socket]


class ForbiddenAddressError(RequestError):
    """A request leads to an address that the study does not allow; yt-dlp neither retries it nor gets over it."""


def is_forbidden(address: str) -> bool:
    """Tell whether an IP address lies anywhere but in the public network, or hides one that does."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    hidden = _hidden_address(ip)
    if hidden is not None:
        return is_forbidden(str(hidden))
    is_site_local = isinstance(ip, IPv6Address) and ip.is_site_local
    return not ip.is_global or ip.is_multicast or ip.is_reserved or is_site_local


def _hidden_address(ip: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(ip, IPv4Address):
        return None
    if ip.ipv4_mapped or ip.sixtofour:
        return ip.ipv4_mapped or ip.sixtofour
    if ip in NAT64 or (ip in COMPATIBLE and int(ip) > 1):
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.teredo[1] if ip in TEREDO and ip.teredo else None


def names_forbidden_address(host: str) -> bool:
    """Tell whether a link's host is itself a forbidden address, in any spelling, or a name of this machine.

    It is all that can be judged where a proxy resolves the name.
    """
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return is_forbidden(name)
    except ValueError:
        pass
    try:
        return is_forbidden(socket.inet_ntoa(socket.inet_aton(name)))  # 2130706433, 0x7f.1 and 127.1 are 127.0.0.1
    except OSError:
        return False


def connect_to_public(
    address: tuple[str, int], timeout: float | None, source_address: tuple[str, int] | None
) -> socket.socket:
    """Connect as ``socket.create_connection`` does, to an address that was judged after the name was resolved.

    Raises ``ForbiddenAddressError`` where any address of the name is forbidden, ``OSError`` as sockets do.
    """
    host, port = address
    found = list(dict.fromkeys(row[4][0] for row in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)))
    if any(is_forbidden(str(ip)) for ip in found):
        raise ForbiddenAddressError("the address is private")
    failed = OSError("the name has no address")
    for ip in found:
        try:
            return socket.create_connection((str(ip), port), timeout, source_address)
        except OSError as error:
            failed = error
    raise failed


class GuardedRH(UrllibRH):
    """yt-dlp's urllib handler for http and https alone, whose connections are judged."""

    _SUPPORTED_URL_SCHEMES = WEB_SCHEMES

    def __init__(self, *, allowed_hosts: frozenset[str], open_sockets: SocketSet, **settings: object) -> None:
        super().__init__(**settings)
        self._allowed_hosts = allowed_hosts
        self._open_sockets = open_sockets

    def _create_instance(
        self, proxies: dict[str, str | None], cookiejar: CookieJar, legacy_ssl_support: bool | None = None
    ) -> OpenerDirector:
        """Build an opener like yt-dlp's own, less its handlers for ftp, file and data links."""
        opener = OpenerDirector()
        web = GuardedHTTPHandler(
            allowed_hosts=self._allowed_hosts,
            open_sockets=self._open_sockets,
            context=_tls_context(bool(legacy_ssl_support), self.verify),
            source_address=self.source_address,
        )
        for handler in (
            ProxyHandler(proxies),
            web,
            HTTPCookieProcessor(cookiejar),
            OtherLinksHandler(),
            HTTPDefaultErrorHandler(),
            HTTPErrorProcessor(),
            RedirectHandler(),
        ):
            opener.add_handler(handler)
        opener.addheaders = []
        return opener


@cache
def _tls_context(legacy_support: bool, verify: bool) -> SSLContext:
    """Make yt-dlp's TLS settings once a process: reading the certificates takes 30 ms."""
    return make_ssl_context(verify=verify, legacy_support=legacy_support)


class GuardedHTTPHandler(HTTPHandler):
    """Opens judged connections, also after each redirect."""

    def __init__(self, *, allowed_hosts: frozenset[str], open_sockets: SocketSet, **settings: object) -> None:
        super().__init__(**settings)
        self._allowed_hosts = allowed_hosts
        self._open_sockets = open_sockets

    def _make_conn_class(self, base: type[HTTPConnection], req: Request) -> type[HTTPConnection]:
        host = (urlsplit(req.full_url).hostname or "").lower()
        is_allowed = host in self._allowed_hosts
        has_proxy = bool(req.has_proxy() or getattr(req, "_tunnel_host", None) or SOCKS_HEADER in req.headers)
        if has_proxy and not is_allowed and names_forbidden_address(host):
            raise ForbiddenAddressError("the address is private")
        kind = super()._make_conn_class(base, req)
        judge = {"goes_anywhere": has_proxy or is_allowed, "open_sockets": self._open_sockets}
        return type("Connection", (JudgedConnection, kind), judge)


class OtherLinksHandler(BaseHandler):
    """Refuses redirects to anything but http and https."""

    def unknown_open(self, req: Request) -> NoReturn:
        """Refuse a request; raises ``UnsupportedRequest``."""
        raise UnsupportedRequest("only http and https links are followed")


class JudgedConnection(HTTPConnection):
    """A connection that judges where it leads, and that can be cut off."""

    goes_anywhere: bool
    """Leads to a host that the study allows by name, or to its proxy."""
    open_sockets: SocketSet

    def connect(self) -> None:
        """Connect; raises ``ForbiddenAddressError``."""
        if not self.goes_anywhere:
            self._create_connection = connect_to_public
        super().connect()
        self.open_sockets.add(self.sock)


def cut_off(open_sockets: SocketSet) -> None:
    """End every transfer that is under way, from another thread: the reader sees the end of its stream."""
    for sock in list(open_sockets):
        try:
            # of the plain class: an SSL socket's own shutdown takes its state away from the thread that reads
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        except OSError:  # it is closed already
            continue
