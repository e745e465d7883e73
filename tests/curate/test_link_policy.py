"""Only listed hosts over https, at public addresses; the connection goes where the check was."""

import asyncio
import shutil
import ssl
import subprocess

import pytest

from scripts.common.errors import Rejected
from scripts.curate.downloads import Downloads
from scripts.curate.link_policy import LinkPolicy, Network, is_public
from scripts.curate.partial_files import PartialFile
from tests.curate.candidates import HERE, LINKS, tiny_video
from tests.curate.misbehaving_server import MisbehavingServer

DISCORD = ["cdn.discordapp.com", "media.discordapp.net"]
LINK = "https://cdn.discordapp.com/attachments/1/2/good.mp4"


def download(link, folder, network=None, **changes):
    """Return what became of a link, and the bytes that came."""
    part = PartialFile(folder / "x.part")

    async def run():
        async with Downloads(LINKS | {"hosts": DISCORD} | changes, network) as downloads:
            return await downloads.fetch(link, part)

    return asyncio.run(run()), part.path.read_bytes() if part.path.exists() else None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.127.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "5f00::1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "nonsense",
        "1.2.3",
        "2130706433",
    ],
)
def test_addresses_that_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["162.159.129.233", "2606:4700::1", "64:ff9b::a29f:81e9"])
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("http://cdn.discordapp.com/attachments/1/2/a.mp4", "not_https"),
        ("file:///etc/passwd", "not_https"),
        ("https://evil.example/attachments/1/2/a.mp4", "host_not_allowed"),
        ("https://cdn.discordapp.com.evil.example/a.mp4", "host_not_allowed"),
        ("https://a.cdn.discordapp.com/a.mp4", "host_not_allowed"),
        ("https://cdn.discordapp.com:8443/a.mp4", "host_not_allowed"),
        ("https://127.0.0.1/a.mp4", "host_not_allowed"),
        ("https://[::1]/a.mp4", "host_not_allowed"),
        ("https://2130706433/a.mp4", "host_not_allowed"),
        ("https://cdn.discordapp.com@evil.example/a.mp4", "bad_link"),
        ("https://evil.example\\@cdn.discordapp.com/a.mp4", "host_not_allowed"),
        ("https://ann:pw@cdn.discordapp.com/a.mp4", "bad_link"),
        ("https:///a.mp4", "bad_link"),
        ("https://cdn.discordapp.com:port/a.mp4", "bad_link"),
    ],
)
def test_links_that_are_refused_without_asking(link, reason, tmp_path):
    async def nobody_may_ask(host, port):
        raise AssertionError(f"asked for {host}")

    found, _ = download(link, tmp_path, Network(look_up=nobody_may_ask))
    # Some parsers of links see another host in the one with a backslash: any refusal will do.
    assert found.reason in ({reason, "bad_link"} if "\\" in link else {reason})
    assert found.tries <= 0


def test_hosts_are_compared_as_they_are_looked_up():
    policy = LinkPolicy(DISCORD, Network())
    for host in ("CDN.discordapp.com", "cdn.discordapp.com.", "cdn.discordapp.com:443"):
        assert policy.check(f"https://{host}/a.mp4").host


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["162.159.129.233", "10.0.0.1"], ["::1"]])
def test_the_real_policy_refuses_a_listed_host_at_an_address_inside(addresses, tmp_path):
    async def inside(host, port):
        return addresses

    found, _ = download(LINK, tmp_path, Network(look_up=inside))
    assert (found.reason, found.received_bytes) == ("private_address", 0)


def test_a_name_that_leads_elsewhere_at_the_second_look_is_not_followed(tmp_path):
    """A name is looked up once; the connection goes to the very address that was checked."""
    looks = []

    async def rebinding(host, port):
        looks.append(host)
        return ["127.0.0.1"] if len(looks) == 1 else ["10.0.0.1"]

    with MisbehavingServer(tiny_video()) as server:
        host = f"rebinding.test:{server.port}"  # known to no resolver but ours
        network = Network("http", rebinding, HERE.is_public)
        found, data = download(
            f"http://{host}/attachments/1/2/moved.mp4", tmp_path, network, hosts=[host]
        )
    assert (found.reason, data, looks) == (None, server.video, ["rebinding.test"])
    assert set(server.hosts) == {host}


def test_the_next_address_is_tried_when_one_does_not_answer(tmp_path):
    async def two(host, port):
        return ["127.0.0.2", "127.0.0.1"]

    with MisbehavingServer(tiny_video()) as server:
        network = Network("http", two, lambda address: True)
        host = f"two.test:{server.port}"
        found, data = download(f"http://{host}/1/2/good.mp4", tmp_path, network, hosts=[host])
    assert (found.reason, found.tries, data) == (None, 1, server.video)


def test_a_name_without_an_address_is_unreachable(tmp_path):
    async def nowhere(host, port):
        raise OSError("no such name")

    found, _ = download(LINK, tmp_path, Network(look_up=nowhere))
    assert (found.reason, found.tries) == ("unreachable", LINKS["tries"])


def test_a_proxy_of_the_environment_is_not_used(tmp_path, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with MisbehavingServer(tiny_video()) as server:
        host = f"media.test:{server.port}"
        found, _ = download(f"http://{host}/1/2/good.mp4", tmp_path, HERE, hosts=[host])
    assert found.reason is None


def test_a_proxy_of_the_configuration_is_used_for_listed_hosts_alone(tmp_path):
    with MisbehavingServer(tiny_video()) as proxy:
        reasons = {
            link: download(
                link, tmp_path, HERE, hosts=["far.test"], proxy=f"http://127.0.0.1:{proxy.port}"
            )[0].reason
            for link in ("http://far.test/1/2/good.mp4", "http://near.test/1/2/good.mp4")
        }
    assert list(reasons.values()) == [None, "host_not_allowed"]
    assert [path for path, _ in proxy.asked] == ["http://far.test/1/2/good.mp4"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """An authority and a certificate of cdn.discordapp.com, made on the spot."""
    if shutil.which("openssl") is None:
        pytest.skip("the command openssl, which makes certificates, is not installed")
    folder = tmp_path_factory.mktemp("authority")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl(
        "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test",
        "-days", "2", "-addext", "keyUsage=critical,keyCertSign",
    )  # fmt: skip
    openssl("req", *new_key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=server")
    (folder / "names").write_text("subjectAltName=DNS:cdn.discordapp.com\n")
    openssl(
        "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-out",
        "server.pem", "-days", "2", "-extfile", "names", "-CAcreateserial",
    )  # fmt: skip
    return folder


def test_certificates_are_held_against_the_name_and_not_the_address(tmp_path, authority):
    async def here(host, port):
        return ["127.0.0.1"]

    trusting = ssl.create_default_context(cafile=authority / "ca.pem")
    with MisbehavingServer(
        tiny_video(), (authority / "server.pem", authority / "key.pem")
    ) as server:
        outcomes = {}
        for name, host, certificates in (
            ("right", "cdn.discordapp.com", trusting),
            ("another name", "media.discordapp.net", trusting),
            ("an authority that nobody trusts", "cdn.discordapp.com", None),
        ):
            place = f"{host}:{server.port}"
            network = Network("https", here, lambda address: True, certificates)
            found, data = download(
                f"https://{place}/attachments/1/2/good.mp4", tmp_path, network, hosts=[place]
            )
            outcomes[name] = found.reason
            if not found.reason:
                assert data == server.video
    assert outcomes == {
        "right": None, "another name": "unreachable",
        "an authority that nobody trusts": "unreachable",
    }  # fmt: skip
    assert len(server.asked) == 1


def test_the_client_asks_for_no_compression_and_sends_no_more_than_it_must(tmp_path):
    with MisbehavingServer(tiny_video()) as server:
        host = f"media.test:{server.port}"
        found, _ = download(f"http://{host}/1/2/good.mp4", tmp_path, HERE, hosts=[host])
    assert found.reason is None
    assert server.headers["accept-encoding"] == "identity"
    assert set(server.headers) == {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_a_policy_names_what_it_refuses():
    with pytest.raises(Rejected, match=r"host_not_allowed: evil\.example"):
        LinkPolicy(DISCORD, Network()).check("https://evil.example/a.mp4")
