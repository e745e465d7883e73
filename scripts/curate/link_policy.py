"""Which links may be asked for: allow-listed hosts over https, at public addresses, pinned.

Exports are hostile input. A link may name a host inside the network of who runs this, a name may
lead to another address at each look, and a server may send its reader elsewhere. Hence: a host is
looked up once, every address is checked, and the connection goes to a checked address, while the
certificate is still held against the name.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import httpx

from scripts.common.errors import Rejected

_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NOT_PUBLIC = [
    ipaddress.ip_network("192.0.0.0/24"),  # protocol assignments
    ipaddress.ip_network("192.88.99.0/24"),  # relays to 6to4
    ipaddress.ip_network("2001::/23"),  # protocol assignments, Teredo
    ipaddress.ip_network("2002::/16"),  # 6to4: hides an IPv4 address
    ipaddress.ip_network("3fff::/20"),  # documentation; newer than Python 3.11's own list
]
_REMEMBERED_S = 60.0
_PORTS = {"https": 443, "http": 80}


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet.

    Not: private, shared (carrier-grade NAT), loopback, link-local (clouds' metadata services),
    multicast, reserved, documentation, unspecified, and IPv6 forms that hide an IPv4 address; of
    these, NAT64's, which networks without IPv4 need, is judged by the address inside.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    is_odd = (ip.version == 6 and ip not in _UNICAST) or any(ip in each for each in _NOT_PUBLIC)
    return ip.is_global and not (is_odd or ip.is_multicast or ip.is_reserved or ip.is_unspecified)


async def look_up(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the order of the system's preference.

    Raises:
        OSError: the name leads nowhere.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(entry[4][0] for entry in found))


@dataclass(frozen=True)
class Network:
    """How hosts are reached; only tests, whose servers are on this machine, differ from it.

    Attributes:
        scheme: of allowed links.
        look_up: host, port -> addresses.
        is_public: whether an address may be connected to.
        certificates: whom to trust; by default certifi's authorities, or those of SSL_CERT_FILE.
    """

    scheme: str = "https"
    look_up: Callable[[str, int], Awaitable[list[str]]] = look_up
    is_public: Callable[[str], bool] = is_public
    certificates: ssl.SSLContext | None = field(default=None, repr=False)


class LinkPolicy:
    """Says of a link whether it may be asked for, and where."""

    def __init__(self, hosts: Sequence[str], network: Network):
        """Allow ``hosts``: names, or ``name:port``; subdomains are hosts of their own."""
        self._hosts = {host.lower().rstrip(".") for host in hosts}
        self._network = network
        self._addresses: dict[tuple[str, int], tuple[float, list[str]]] = {}
        self._lock = asyncio.Lock()

    def check(self, link: str | httpx.URL) -> httpx.URL:
        """Return the parsed link, if it may be asked for.

        Raises:
            Rejected: bad_link, not_https, host_not_allowed.
        """
        try:
            url = httpx.URL(link)
            host = host_of(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise Rejected("bad_link", str(error)) from None
        if url.scheme != self._network.scheme:
            raise Rejected("not_https", url.scheme)
        if url.userinfo or not host:
            raise Rejected("bad_link", "no host, or a name and password before it")
        name = host if url.port is None else f"{host}:{url.port}"
        if name not in self._hosts:
            raise Rejected("host_not_allowed", name)
        return url

    async def addresses(self, url: httpx.URL) -> list[str]:
        """Return the checked addresses of a link's host.

        They are looked up again after a minute. What is returned is what was checked.

        Raises:
            Rejected: private_address, if any address is not public.
            OSError: the name leads nowhere.
        """
        host, port = host_of(url), url.port or _PORTS[url.scheme]
        now = asyncio.get_running_loop().time()
        async with self._lock:
            known = self._addresses.get((host, port))
            if known is None or now - known[0] > _REMEMBERED_S:
                known = (now, await self._network.look_up(host, port))
                self._addresses[host, port] = known
        if not known[1]:
            raise OSError(f"{host} has no address")
        for address in known[1]:
            if not self._network.is_public(address):
                raise Rejected("private_address", f"{host} is at {address}")
        return known[1]


class PinnedTransport(httpx.AsyncBaseTransport):
    """Connects to the address that was checked, and holds the certificate against the name.

    Each host has a pool of its own: two names at one address (a content network's) must not share
    a connection, whose certificate was checked for one of them.
    """

    def __init__(self, policy: LinkPolicy, network: Network, limits: httpx.Limits):
        self._policy, self._limits = policy, limits
        self._certificates = network.certificates or httpx.create_ssl_context()
        self._pools: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the first checked address of its host that answers."""
        host = host_of(self._policy.check(request.url))
        if host not in self._pools:
            self._pools[host] = httpx.AsyncHTTPTransport(
                verify=self._certificates, trust_env=False, limits=self._limits
            )
        try:
            addresses = await self._policy.addresses(request.url)
        except OSError as error:
            raise httpx.ConnectError(f"{host}: {error}", request=request) from None
        for address in addresses:
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,  # Host among them: the name
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return await self._pools[host].handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        raise AssertionError("unreachable")

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.aclose()


def host_of(url: httpx.URL) -> str:
    """Return a link's host as it is looked up: ASCII, lower case, no final dot."""
    return url.raw_host.decode("ascii").lower().rstrip(".")
