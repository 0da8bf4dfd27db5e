"""The registry client against a scripted server: logins, redirects, repetition, bounds, and answers that lie."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.core.containers import Manifest
from pipeline.core.oci_manifest import IMAGE_TYPES, LARGEST_MANIFEST, digest_of
from pipeline.engines.registry_auth import Credentials
from pipeline.engines.registry_client import RegistryClient
from pipeline.engines.registry_transport import ATTEMPTS, Address, RegistryTransport, is_loopback
from pipeline.errors import RegistryTrouble
from pipeline.testing import FixedClock
from tests.scripted_http import Asked, Reply, ScriptedHttp, scripted_http

LAYER = b"a layer" * 100
CONFIGURATION = b"{}"
BODY = json.dumps(
    {
        "schemaVersion": 2,
        "config": {"digest": digest_of(CONFIGURATION), "size": len(CONFIGURATION)},
        "layers": [{"digest": digest_of(LAYER), "size": len(LAYER)}],
    }
).encode()
MANIFEST = Manifest(digest=digest_of(BODY), media_type=IMAGE_TYPES[1], body=BODY)
SOUND = Reply(body=BODY, headers={"Content-Type": IMAGE_TYPES[1], "Docker-Content-Digest": MANIFEST.digest})
NOBODY = Credentials()
LOGIN = Credentials(username="somebody", password="-".join(("not", "to", "be", "seen")))


def client(
    host: str,
    credentials: Credentials = NOBODY,
    *,
    clock: FixedClock | None = None,
    hidden: list[str] | None = None,
) -> RegistryClient:
    transport = RegistryTransport(
        Address(host=host),
        credentials,
        clock=clock or FixedClock(),
        timeout_s=60,
        hide=(hidden if hidden is not None else []).append,
    )
    return RegistryClient(transport, "team/echo", rehearsal=False, credentials=credentials.for_engine)


def store(asked: Asked) -> Reply:
    """A registry that holds the manifest and its blobs."""
    if "/manifests/" in asked.path:
        return SOUND
    for blob in (LAYER, CONFIGURATION):
        if asked.path.endswith(digest_of(blob)):
            return Reply(body=blob)
    return Reply(status=404)


def ask(
    answer: Callable[[Asked], Reply], credentials: Credentials = NOBODY, clock: FixedClock | None = None
) -> tuple[Manifest | None, ScriptedHttp]:
    with scripted_http(answer) as server:
        one = client(server.host, credentials, clock=clock)
        try:
            return one.manifest(MANIFEST.digest), server
        finally:
            one.close()


def test_a_manifest_and_its_blobs_are_read_and_verified() -> None:
    with scripted_http(store) as server:
        one = client(server.host)
        manifest = one.manifest("1.0")
        assert manifest == MANIFEST
        assert one.verify_blobs(MANIFEST) == len(LAYER) + len(CONFIGURATION)
        assert one.reference == f"{server.host}/team/echo"
        assert server.asked[0].path == "/v2/team/echo/manifests/1.0"
        assert all(media_type in server.asked[0].headers["accept"] for media_type in IMAGE_TYPES)
        assert server.asked[0].headers["accept-encoding"] == "identity"
        assert server.connections == 1
        one.close()


def test_what_is_not_there_is_none() -> None:
    assert ask(lambda asked: Reply(status=404))[0] is None


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(body=BODY + b" ", headers={"Content-Type": IMAGE_TYPES[1]}), "asked for"),
        (Reply(body=BODY, headers={"Docker-Content-Digest": digest_of(b"other")}), "its header says"),
        (Reply(body=BODY, headers={"Docker-Content-Digest": "md5:abc"}), "names a digest that is none"),
        (Reply(body=b"x" * (LARGEST_MANIFEST + 1)), "more than the"),
        (Reply(status=418), "answered 418"),
        (Reply(status=400, body=b'{"errors":[{"code":"NAME_INVALID","message":"<secret>"}]}'), r"400 \(NAME_INVALID\)"),
    ],
)
def test_an_answer_that_is_not_the_manifest_is_trouble(reply: Reply, sentence: str) -> None:
    with pytest.raises(RegistryTrouble, match=sentence) as caught:
        ask(lambda asked: reply)
    assert "<secret>" not in str(caught.value)


@pytest.mark.parametrize(
    ("spoilt", "sentence"),
    [
        (Reply(body=LAYER[:-1] + b"X"), "the manifest says 700 bytes"),
        (Reply(body=LAYER[:-1]), "has 699 bytes"),
        (Reply(body=LAYER + b"X"), "more than the 700 bytes"),
        (Reply(body=LAYER[:100], promised=700), "closed the connection half-way"),
        (Reply(status=404), "does not hold a blob"),
        (Reply(status=500), "answered 500"),
    ],
)
def test_a_blob_that_is_not_what_the_manifest_names_is_trouble(spoilt: Reply, sentence: str) -> None:
    def answer(asked: Asked) -> Reply:
        return spoilt if asked.path.endswith(digest_of(LAYER)) else store(asked)

    with scripted_http(answer) as server:
        one = client(server.host)
        with pytest.raises(RegistryTrouble, match=sentence):
            one.verify_blobs(MANIFEST)
        one.close()


def test_tagging_sends_the_same_bytes_and_believes_no_other_digest() -> None:
    said = digest_of(b"other")
    with scripted_http(lambda asked: Reply(status=201, headers={"Docker-Content-Digest": said})) as server:
        one = client(server.host)
        with pytest.raises(RegistryTrouble, match="It says that it took"):
            one.put_manifest("1.0", MANIFEST)
        said = MANIFEST.digest
        one.put_manifest("1.0", MANIFEST)
        assert server.asked[-1].body == BODY
        assert server.asked[-1].headers["content-type"] == IMAGE_TYPES[1]
        one.close()


def test_a_redirected_tagging_is_not_followed() -> None:
    with scripted_http(lambda asked: Reply(status=307, headers={"Location": "/elsewhere"})) as server:
        one = client(server.host)
        with pytest.raises(RegistryTrouble, match="answered 307"):
            one.put_manifest("1.0", MANIFEST)
        assert len(server.asked) == 1
        one.close()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_trouble_that_passes_is_waited_for_and_trouble_that_stays_is_told(status: int) -> None:
    replies = [Reply(status=status, headers={"Retry-After": "3"}), Reply(status=status), SOUND]
    clock = FixedClock()
    assert ask(lambda asked: replies.pop(0), clock=clock)[0] == MANIFEST
    assert clock.monotonic() == 3 + 1
    clock = FixedClock()
    count: list[Asked] = []

    def failing(asked: Asked) -> Reply:
        count.append(asked)
        return Reply(status=status)

    with pytest.raises(RegistryTrouble, match=f"answered {status}.*tried {ATTEMPTS} times"):
        ask(failing, clock=clock)
    assert len(count) == ATTEMPTS
    assert clock.monotonic() == 0.5 + 1 + 2


def test_nobody_waits_for_an_hour() -> None:
    with pytest.raises(RegistryTrouble, match="asked again in 3600 seconds"):
        ask(lambda asked: Reply(status=429, headers={"Retry-After": "3600"}))


def test_a_connection_that_is_cut_once_is_no_trouble() -> None:
    replies = [Reply(body=BODY[:9], promised=len(BODY)), SOUND]
    assert ask(lambda asked: replies.pop(0))[0] == MANIFEST


def test_the_whole_exchange_ends_in_time() -> None:
    clock = FixedClock()
    with scripted_http(store) as server:
        one = client(server.host, clock=clock)
        clock.sleep(61)
        with pytest.raises(RegistryTrouble, match="within 60 seconds"):
            one.manifest("1.0")
        one.close()


def test_nobody_listens() -> None:
    with scripted_http(store) as server:
        host = server.host
    with pytest.raises(RegistryTrouble, match="connection refused"):
        client(host).manifest("1.0")


def basic(asked: Asked) -> Reply:
    if asked.headers.get("authorization") == "Basic c29tZWJvZHk6bm90LXRvLWJlLXNlZW4=":
        return store(asked)
    return Reply(status=401, headers={"WWW-Authenticate": 'Basic realm="registry"'})


def test_a_password_is_sent_when_it_is_asked_for_and_is_hidden_everywhere() -> None:
    hidden: list[str] = []
    with scripted_http(basic) as server:
        one = client(server.host, LOGIN, hidden=hidden)
        assert one.manifest("1.0") == MANIFEST
        assert one.verify_blobs(MANIFEST)
        assert "authorization" not in server.asked[0].headers
        assert hidden == ["c29tZWJvZHk6bm90LXRvLWJlLXNlZW4="]
        assert LOGIN.password not in repr(LOGIN) + repr(one)
        assert one.credentials == {"username": "somebody", "password": LOGIN.password}
        one.close()


def test_a_refused_login_says_who_and_what_to_do_and_no_password() -> None:
    for credentials, sentence in (
        (Credentials(username="somebody", password=LOGIN.password[::-1]), "refuses the login of 'somebody'"),
        (Credentials(), "no credentials were found"),
    ):
        with pytest.raises(RegistryTrouble, match=f"{sentence}.*docker login") as caught:
            ask(basic, credentials)
        assert "wrong-password" not in str(caught.value)
    with pytest.raises(RegistryTrouble, match="refuses anonymous access"):
        ask(lambda asked: Reply(status=403))
    with pytest.raises(RegistryTrouble, match="kind that is not known"):
        ask(lambda asked: Reply(status=401, headers={"WWW-Authenticate": "Negotiate"}), LOGIN)


def token_service(asked: Asked) -> Reply:
    """A registry and its token service in one."""
    if asked.path.startswith("/token"):
        query = parse_qs(urlsplit(asked.path).query) or parse_qs(asked.body.decode())
        if query["scope"] != ["repository:team/echo:pull,push"] or query["service"] != ["reg, istry"]:
            return Reply(status=400)
        known = asked.headers.get("authorization") == "Basic c29tZWJvZHk6bm90LXRvLWJlLXNlZW4="
        if known or query.get("refresh_token") == ["an-identity-token"]:
            return Reply(body=json.dumps({"token": "a-bearer-token"}).encode())
        return Reply(status=401)
    if asked.headers.get("authorization") == "Bearer a-bearer-token":
        return store(asked)
    realm = f"http://{asked.headers['host']}/token"
    challenge = f'Bearer realm="{realm}",service="reg, istry",scope="repository:team/echo:pull,push"'
    return Reply(status=401, headers={"WWW-Authenticate": challenge})


@pytest.mark.parametrize("credentials", [LOGIN, Credentials(identity_token="an-identity-token")])
def test_a_token_is_fetched_once_and_used_from_then_on(credentials: Credentials) -> None:
    hidden: list[str] = []
    with scripted_http(token_service) as server:
        one = client(server.host, credentials, hidden=hidden)
        assert one.manifest("1.0") == MANIFEST
        assert one.verify_blobs(MANIFEST)
        assert sum(asked.path.startswith("/token") for asked in server.asked) == 1
        assert "a-bearer-token" in hidden
        one.close()


def test_a_token_service_that_refuses_or_answers_nonsense_is_trouble() -> None:
    with pytest.raises(RegistryTrouble, match="refuses the login of 'x'"):
        ask(token_service, Credentials(username="x", password="y" * 8))

    def nonsense(asked: Asked) -> Reply:
        return Reply(body=b"[]") if asked.path.startswith("/token") else token_service(asked)

    with pytest.raises(RegistryTrouble, match="without a token"):
        ask(nonsense, LOGIN)


def test_a_password_goes_to_no_token_service_without_encryption() -> None:
    challenge = 'Bearer realm="http://tokens.example.org/token",service="s"'
    with pytest.raises(RegistryTrouble, match=re.escape("without encryption, to tokens.example.org")):
        ask(lambda asked: Reply(status=401, headers={"WWW-Authenticate": challenge}), LOGIN)


def test_a_redirect_to_another_place_takes_no_login_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login from-netrc password from-netrc\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with scripted_http(lambda asked: Reply(body=LAYER)) as elsewhere:

        def answer(asked: Asked) -> Reply:
            login = basic(asked)
            if login.status == 401 or not asked.path.endswith(digest_of(LAYER)):
                return login
            return Reply(status=307, headers={"Location": f"http://{elsewhere.host}/storage?signature=abc"})

        with scripted_http(answer) as server:
            one = client(server.host, LOGIN)
            assert one.verify_blobs(MANIFEST) == len(LAYER) + len(CONFIGURATION)
            one.close()
        assert [asked.path for asked in elsewhere.asked] == ["/storage?signature=abc"]
        assert "authorization" not in elsewhere.asked[0].headers


def test_what_lies_elsewhere_is_verified_too_and_its_signed_address_is_never_told() -> None:
    with scripted_http(lambda asked: Reply(status=403)) as elsewhere:
        target = f"http://{elsewhere.host}/storage?signature=abc"
        with pytest.raises(RegistryTrouble, match="answered 403") as caught:
            ask(lambda asked: Reply(status=307, headers={"Location": target}), LOGIN)
    assert "signature" not in str(caught.value)
    with pytest.raises(RegistryTrouble) as caught:
        ask(lambda asked: Reply(status=307, headers={"Location": target}), LOGIN)
    assert "signature" not in str(caught.value)
    with pytest.raises(RegistryTrouble, match="can't be followed"):
        ask(lambda asked: Reply(status=307, headers={"Location": asked.path}), LOGIN)


def test_tags_are_read_page_by_page_from_the_same_registry() -> None:
    def answer(asked: Asked) -> Reply:
        if "last=b" in asked.path:
            return Reply(body=b'{"name": "team/echo", "tags": ["c"]}')
        link = '<http://elsewhere.example/v2/team/echo/tags/list?last=b&n=2>; rel="next"'
        return Reply(body=b'{"name": "team/echo", "tags": ["b", "a"]}', headers={"Link": link})

    with scripted_http(answer) as server:
        one = client(server.host)
        assert one.tags() == ("a", "b", "c")
        assert server.asked[1].path == "/v2/team/echo/tags/list?last=b&n=2"
        one.close()
    for reply, expected in ((Reply(status=404), ()), (Reply(body=b'{"tags": null}'), ())):
        with scripted_http(lambda asked, reply=reply: reply) as server:  # type: ignore[misc]  # a default in a lambda
            assert client(server.host).tags() == expected


def test_tags_that_never_end_or_are_none_are_trouble() -> None:
    endless = Reply(body=b'{"tags": ["a"]}', headers={"Link": '</v2/team/echo/tags/list?last=a>; rel="next"'})
    with scripted_http(lambda asked: endless) as server, pytest.raises(RegistryTrouble, match="does not end"):
        client(server.host).tags()
    with (
        scripted_http(lambda asked: Reply(body=b"<html>")) as server,
        pytest.raises(RegistryTrouble, match="not a list"),
    ):
        client(server.host).tags()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1:5000", True), ("localhost:5000", True), ("[::1]:5000", True), ("127.1.2.3", True),
        ("localhost.example.org", False), ("registry.example.org", False), ("10.0.0.1:5000", False),
        ("127.0.0.1.nip.io", False),
    ],
)  # fmt: skip
def test_plain_http_is_for_this_machine(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
    address = Address(host=host)
    assert address.base.startswith("http:" if loopback else "https:")
    assert address.may_send(address.base)
    assert address.may_send("http://tokens.example.org/") is False
    assert Address(host=host, insecure=True).base.startswith("http:")
    assert Address(host=host, ca_file="/ca.pem").base.startswith("https:")


def test_docker_hub_has_another_host_for_its_interface() -> None:
    assert Address(host="docker.io").base == "https://registry-1.docker.io"
