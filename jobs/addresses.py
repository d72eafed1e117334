"""URLs that users give: which may be reached, and the one way to reach them.

A name is resolved once, every address it has must be public, and the connection is made to the address that was
checked: a DNS answer that changes in between changes nothing. Each redirect is checked anew. Nothing else in the
system opens a URL of a user's.
"""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from jobs import clock

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection
    from urllib3.response import BaseHTTPResponse

MAX_URL_CHARS = 2048
MAX_REDIRECTS = 3
CHUNK_BYTES = 65_536
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ALWAYS_SENT = {"User-Agent": "revalida-video/1", "Accept-Encoding": "identity", "Connection": "close"}
_LABEL = re.compile(r"^(?!-)[a-z0-9_-]{1,63}(?<!-)$")
_NUMERIC = re.compile(r"^([0-9]+|0x[0-9a-f]*)$")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f\\]")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], list[Address]]

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # RFC 4291; the rest of IPv6 is private, mapped or reserved
# 6to4 relays (RFC 7526) and IETF protocol assignments (RFC 6890), which some Pythons count as global.
_SPECIAL = (ipaddress.IPv4Network("192.88.99.0/24"), ipaddress.IPv4Network("192.0.0.0/24"))
# The metadata and credentials services of AWS: whatever an operator trusts, these hand out the machine's own keys.
_NEVER_TRUSTED = tuple(map(ipaddress.ip_network, ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32")))


class FetchError(Exception):
    """The URL could not be fetched: unreachable, too slow, broken TLS. The message is fit for the URL's giver."""


class AddressRefused(FetchError):
    """The URL must not be reached: its form, its scheme, or an address of its host."""


class TooLarge(FetchError):
    """The answer has more bytes than the caller takes."""


class Target(NamedTuple):
    """A checked URL: connect to `addresses` (public, IPv4 first) and nowhere else. `host` is ASCII."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[Address, ...]


class Fetched(NamedTuple):
    """An answer, whatever its status; header names are in lower case. `url` is the last one after redirects."""

    status: int
    headers: dict[str, str]
    body: bytes
    url: str


def is_public(address: Address) -> bool:
    """Whether the address lies in the public internet: not private, loopback, link-local (the metadata service),
    shared, multicast, reserved, nor an IPv6 form that carries an IPv4 address."""
    if isinstance(address, ipaddress.IPv4Address):
        special = any(address in network for network in _SPECIAL)
        return address.is_global and not address.is_multicast and not special
    if address not in _GLOBAL_UNICAST or address.sixtofour is not None or address.teredo is not None:
        return False
    return address.is_global and not address.is_multicast


def resolve_host(host: str, port: int) -> list[Address]:
    """Every address of a name, by the system's resolver. Raises FetchError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except OSError as error:
        raise FetchError("The URL's host cannot be resolved.") from error
    # A scope ("fe80::1%eth0") belongs to link-local addresses only, which are refused anyway.
    return [ipaddress.ip_address(str(item[4][0]).partition("%")[0]) for item in found]


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Which URLs may be reached. `trusted` networks are the operator's exception, for a receiver of their own
    (plain HTTP is allowed there), which never opens the metadata service; `resolve` is given for tests."""

    trusted: tuple[Network, ...] = ()
    resolve: Resolve = field(default=resolve_host)

    def check(self, url: str) -> Target:
        """Resolve and check. Raises AddressRefused, and FetchError if the name cannot be resolved."""
        scheme, host, port, path = _parts(url)
        literal = _as_literal(host)
        found = self.resolve(host, port) if literal is None else [literal]
        addresses = sorted(set(found), key=lambda each: (each.version, each))
        if not addresses:
            raise FetchError("The URL's host has no address.")
        trusted = all(self._is_trusted(address) for address in addresses)
        if not trusted and not all(is_public(address) for address in addresses):
            raise AddressRefused("The URL's host has an address that is not public.")
        if scheme != "https" and not trusted:
            raise AddressRefused("The URL must begin with 'https://'.")
        return Target(url, scheme, host, port, path, tuple(addresses))

    def fetch(
        self,
        url: str,
        *,
        max_bytes: int,
        timeout_s: float,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_redirects: int = MAX_REDIRECTS,
    ) -> Fetched:
        """Fetch a URL within `timeout_s` seconds in all. Redirects of a GET are followed and checked like the first
        URL; with `max_redirects=0`, or another method, a redirect is the answer.

        Raises AddressRefused, TooLarge, FetchError."""
        until = clock.now() + timeout_s
        for _ in range(max_redirects + 1 if method == "GET" else 1):
            target = self.check(url)
            fetched = _exchange(target, method, body, dict(headers or {}), max_bytes, until)
            location = fetched.headers.get("location")
            if fetched.status not in REDIRECTS or location is None or not max_redirects or method != "GET":
                return fetched
            url = urljoin(target.url, location)
        raise FetchError(f"The URL redirects more than {max_redirects} times.")

    def _is_trusted(self, address: Address) -> bool:
        return _within(address, self.trusted) and not _within(address, _NEVER_TRUSTED)


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


PUBLIC = Gate()
check = PUBLIC.check
fetch = PUBLIC.fetch


def _parts(url: str) -> tuple[str, str, int, str]:
    """Scheme, ASCII host, port and path with query. One parser reads the URL, and the connection uses what it read."""
    if len(url) > MAX_URL_CHARS or _UNPRINTABLE.search(url):
        raise AddressRefused(f"The URL must have at most {MAX_URL_CHARS} characters, and no spaces or backslashes.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressRefused("The URL cannot be read.") from error
    if parts.scheme not in {"https", "http"} or not host:
        raise AddressRefused("The URL must begin with 'https://' and name a host.")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("The URL must not contain a user name or password.")
    path = _ascii(parts.path or "/") + (f"?{_ascii(parts.query)}" if parts.query else "")
    return parts.scheme, _host(host), port or {"https": 443, "http": 80}[parts.scheme], path


def _ascii(text: str) -> str:
    """Percent-encodes what is not ASCII; all else is the caller's own encoding."""
    return quote(text, safe="!#$%&'()*+,/:;=?@[]~")


def _host(host: str) -> str:
    """The host in ASCII. An IPv4 address must be the usual dotted quad: no octal, hexadecimal or short forms."""
    if ":" in host:
        return str(_literal(host))
    try:
        name = host.encode("idna").decode().lower().removesuffix(".")
    except UnicodeError as error:
        raise AddressRefused("The URL's host is no host name.") from error
    labels = name.split(".")
    if _NUMERIC.match(labels[-1]):
        return str(_literal(name))
    if len(name) > 253 or not all(_LABEL.match(label) for label in labels):
        raise AddressRefused("The URL's host is no host name.")
    return name


def _literal(host: str) -> Address:
    address = _as_literal(host)
    if address is None:
        raise AddressRefused("The URL's host is no valid IP address.")
    return address


def _as_literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _exchange(
    target: Target, method: str, body: bytes | None, headers: dict[str, str], max_bytes: int, until: float
) -> Fetched:
    """One request to the first of the target's addresses that takes a connection."""
    from http.client import HTTPException

    from urllib3.exceptions import HTTPError

    for address in target.addresses:
        left_s = until - clock.now()
        if left_s <= 0:
            break
        connection = _connection(target, str(address), left_s)
        try:
            connection.connect()
        except (HTTPError, OSError) as error:
            connection.close()
            failure: Exception = error
            continue
        try:
            return _talk(connection, target, method, body, headers, max_bytes, until)
        except (HTTPError, HTTPException, OSError) as error:
            if clock.now() >= until:
                break
            raise FetchError(f"The URL's server did not answer properly ({type(error).__name__}).") from error
        finally:
            connection.close()
    else:
        raise FetchError(f"The URL's server cannot be reached ({type(failure).__name__}).") from failure
    raise FetchError("The URL's server is too slow.")


def _connection(target: Target, address: str, timeout_s: float) -> "HTTPConnection":
    from urllib3.connection import HTTPConnection, HTTPSConnection

    if target.scheme == "http":
        return HTTPConnection(address, target.port, timeout=timeout_s)
    # TLS is spoken to the host that the URL names, over a connection to the address that was checked.
    return HTTPSConnection(
        address,
        target.port,
        timeout=timeout_s,
        cert_reqs="CERT_REQUIRED",
        server_hostname=target.host,
    )


def _talk(
    connection: "HTTPConnection",
    target: Target,
    method: str,
    body: bytes | None,
    headers: dict[str, str],
    max_bytes: int,
    until: float,
) -> Fetched:
    host = f"[{target.host}]" if ":" in target.host else target.host
    default = {"https": 443, "http": 80}[target.scheme]
    sent = {"Host": host if target.port == default else f"{host}:{target.port}", **_ALWAYS_SENT, **headers}
    # A timeout of the socket is per read; a server that sends a byte a second is cut off by the clock.
    watchdog = threading.Timer(max(0.0, until - clock.now()), _cut_off, (connection.sock,))
    watchdog.daemon = True
    watchdog.start()
    try:
        connection.request(method, target.path, body=body, headers=sent, preload_content=False, decode_content=False)
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.headers.items()}
        content = _read(response, max_bytes)
    finally:
        watchdog.cancel()
    if clock.now() >= until:  # cut off: an answer without a length ends like a whole one
        raise FetchError("The URL's server is too slow.")
    return Fetched(response.status, received, content, target.url)


def _cut_off(sock: socket.socket | None) -> None:
    """`sock` as it was before the request: http.client lets go of it once an answer without a length has begun."""
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # closed by the other side at the same moment: as wanted
            return


def _read(response: "BaseHTTPResponse", max_bytes: int) -> bytes:
    content = bytearray()
    for chunk in response.stream(CHUNK_BYTES, decode_content=False):
        content += chunk
        if len(content) > max_bytes:
            raise TooLarge(f"The URL's answer has more than {max_bytes} bytes.")
    return bytes(content)
