"""URLs of users, over real sockets: what must not be reached is not, and what is reached is what was checked."""

import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from jobs.addresses import Address, AddressRefused, FetchError, Gate, TooLarge, check, is_public

LOOPBACK = ipaddress.IPv4Network("127.0.0.0/8")
HERE: Address = ipaddress.IPv4Address("127.0.0.1")
PUBLIC: Address = ipaddress.IPv4Address("93.184.215.14")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "192.88.99.1",
        "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "fe80::1", "fec0::1",
        "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:1::1",
        "2001:db8::1", "100::1",
    ],
)  # fmt: skip
def test_given_an_address_that_is_not_of_the_internet_then_it_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "2a00:1450::200e"])
def test_given_an_address_of_the_internet_then_it_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://0/",
        "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/", "https://127.0.0.1./",
        "https://①②⑦.⓪.⓪.①/", "https://169.254.169.254/latest/meta-data", "https://[fd00:ec2::254]/",
        "https://[fe80::1%25eth0]/", "http://8.8.8.8/", "ftp://8.8.8.8/", "file:///etc/passwd", "//8.8.8.8/", "8.8.8.8",
        "", "https://", "https:///x", "https://user@8.8.8.8/", "https://user:pw@8.8.8.8/", "https://8.8.8.8\\@1.1.1.1/",
        "https://8.8.8.8/a b", "https://8.8.8.8/\r\nX: y", "https://8.8.8.8:99999/", "https://8.8.8.8:x/",
        "https://a..b/", "https://-a.org/", "https://a_b.1x2e.0x1/", "https://[8.8.8.8]/", "https://x/" + "a" * 3000,
        "https://" + "a" * 64 + ".org/", "https://a/\x00", "https://exa\u2028mple.org/",
    ],
)  # fmt: skip
def test_given_a_url_that_must_not_be_reached_then_it_is_refused(url: str) -> None:
    with pytest.raises(FetchError) as refused:
        check(url)
    assert isinstance(refused.value, AddressRefused) or "resolved" in str(refused.value)


def test_given_a_name_with_one_private_address_among_public_ones_then_it_is_refused() -> None:
    with pytest.raises(AddressRefused):
        Gate(resolve=lambda host, port: [PUBLIC, ipaddress.ip_address("10.0.0.1")]).check("https://example.org/")


@pytest.mark.parametrize("address", ["169.254.169.254", "169.254.170.2", "fe80::1", "fd00:ec2::254"])
def test_given_an_operator_who_trusts_everything_then_the_metadata_service_is_refused_still(address: str) -> None:
    everything = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    gate = Gate(trusted=everything, resolve=lambda host, port: [ipaddress.ip_address(address)])

    with pytest.raises(AddressRefused):
        gate.check("https://example.org/latest/meta-data/")
    assert gate.check("http://10.0.0.1/hook").addresses


def test_given_an_international_name_then_it_is_asked_for_in_ascii() -> None:
    target = Gate(resolve=lambda host, port: [PUBLIC]).check("https://Ação.example:8443/é?q=ü")

    assert (target.host, target.port, target.path) == ("xn--ao-siap.example", 8443, "/%C3%A9?q=%C3%BC")


class Answers(BaseHTTPRequestHandler):
    """`/redirect?<url>` redirects, `/slow` trickles, `/big` sends a megabyte; all else says what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.command, self.path, self.headers["Host"]))  # type: ignore[attr-defined]
        if self.path.startswith("/redirect?"):
            self.send_response(302)
            self.send_header("Location", self.path.partition("?")[2])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/slow":
            self._trickle()
        else:
            size = 1_000_000 if self.path == "/big" else 2
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.write(b"k" * size)

    do_POST = do_GET

    def _trickle(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(1_500):  # half a minute
                self.wfile.write(b".")
                time.sleep(0.02)
        except OSError:
            self.close_connection = True
            self.server.cut.set()  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: Any) -> None:
        return


class Site:
    """An HTTPS server for `site.test` on loopback, and a resolver that answers from a script."""

    def __init__(self, port: int, seen: list[tuple[str, str, str]], cut: threading.Event) -> None:
        self.port = port
        self.seen = seen
        self.cut = cut
        self.asked: list[str] = []
        self.answers: dict[str, list[Address]] = {
            "site.test": [HERE],
            "inside.test": [ipaddress.ip_address("10.0.0.1")],
        }

    def url(self, path: str, host: str = "site.test") -> str:
        return f"https://{host}:{self.port}{path}"

    def resolve(self, host: str, _port: int) -> list[Address]:
        self.asked.append(host)
        return self.answers[host]

    @property
    def gate(self) -> Gate:
        return Gate(trusted=(LOOPBACK,), resolve=self.resolve)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("site.test").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.seen, server.cut = [], threading.Event()  # type: ignore[attr-defined]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield Site(server.server_address[1], server.seen, server.cut)  # type: ignore[attr-defined]
        server.shutdown()


def test_given_a_name_that_only_the_check_resolved_then_the_connection_goes_to_that_address(site: Site) -> None:
    fetched = site.gate.fetch(site.url("/a?b=c"), max_bytes=10, timeout_s=5)

    assert (fetched.status, fetched.body) == (200, b"kk")
    assert site.asked == ["site.test"]
    assert site.seen == [("GET", "/a?b=c", f"site.test:{site.port}")]


def test_given_a_certificate_for_another_name_then_nothing_is_sent(site: Site) -> None:
    site.answers["other.test"] = [HERE]

    with pytest.raises(FetchError, match="cannot be reached"):
        site.gate.fetch(site.url("/", "other.test"), max_bytes=10, timeout_s=5)
    assert site.seen == []


@pytest.mark.parametrize("inside", ["https://inside.test/", "https://169.254.169.254/", "http://[::1]/", "gopher://x/"])
def test_given_a_redirect_to_the_inside_then_it_is_refused(site: Site, inside: str) -> None:
    with pytest.raises(AddressRefused):
        site.gate.fetch(site.url(f"/redirect?{inside}"), max_bytes=10, timeout_s=5)


def test_given_a_name_that_changes_before_the_redirect_then_it_is_refused(site: Site) -> None:
    first = iter([[HERE], [ipaddress.ip_address("10.0.0.1")]])
    gate = Gate(trusted=(LOOPBACK,), resolve=lambda host, port: next(first))

    with pytest.raises(AddressRefused):
        gate.fetch(site.url("/redirect?/secret"), max_bytes=10, timeout_s=5)
    assert [path for _, path, _ in site.seen] == ["/redirect?/secret"]


def test_given_a_redirect_within_the_site_then_it_is_followed_and_given_a_loop_then_not(site: Site) -> None:
    assert site.gate.fetch(site.url("/redirect?/b"), max_bytes=10, timeout_s=5).url == site.url("/b")

    loop = "/redirect?" * 5 + "/b"
    with pytest.raises(FetchError, match="more than 3"):
        site.gate.fetch(site.url(loop), max_bytes=10, timeout_s=5)


def test_given_a_post_then_a_redirect_is_the_answer(site: Site) -> None:
    fetched = site.gate.fetch(site.url("/redirect?/b"), method="POST", body=b"{}", max_bytes=10, timeout_s=5)

    assert fetched.status == 302
    assert len(site.seen) == 1


def test_given_an_answer_that_is_too_large_then_it_is_not_taken(site: Site) -> None:
    with pytest.raises(TooLarge):
        site.gate.fetch(site.url("/big"), max_bytes=999_999, timeout_s=5)


def test_given_a_server_that_trickles_then_it_is_cut_off(site: Site) -> None:
    with pytest.raises(FetchError, match="too slow"):
        site.gate.fetch(site.url("/slow"), max_bytes=10_000, timeout_s=2)

    assert site.cut.wait(10), "it was still sending"


def test_given_a_server_that_is_not_there_then_the_error_says_so(site: Site) -> None:
    with pytest.raises(FetchError, match="cannot be reached"):
        site.gate.fetch("https://site.test:1/", max_bytes=10, timeout_s=5)
