"""The registry client's part in signatures: conditional tags, small blobs, and indexes of referrers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import TypeVar

import pytest

from pipeline.core.containers import Manifest, ManifestChanged
from pipeline.core.oci_manifest import INDEX_TYPES, Descriptor, digest_of
from pipeline.engines.registry_auth import Credentials
from pipeline.engines.registry_client import RegistryClient
from pipeline.engines.registry_transport import ATTEMPTS, Address, RegistryTransport
from pipeline.errors import RegistryTrouble
from pipeline.testing import FixedClock
from tests.scripted_http import Asked, Reply, scripted_http

T = TypeVar("T")
BODY = json.dumps({"manifests": []}).encode()
INDEX = Manifest(digest=digest_of(BODY), media_type=INDEX_TYPES[0], body=BODY)
BLOB = Descriptor(digest=digest_of(b"a blob"), size=6)


def ask(answer: Callable[[Asked], Reply], use: Callable[[RegistryClient], T]) -> tuple[T, list[Asked]]:
    with scripted_http(answer) as server:
        transport = RegistryTransport(
            Address(host=server.host), Credentials(), clock=FixedClock(), timeout_s=60, hide=lambda secret: None
        )
        one = RegistryClient(transport, "team/echo", rehearsal=False, credentials={})
        try:
            return use(one), server.asked
        finally:
            one.close()


@pytest.mark.parametrize(
    ("replacing", "header", "value"),
    [("sha256:old", "if-match", '"sha256:old"'), ("", "if-none-match", "*"), (None, "if-match", None)],
)
def test_a_tag_is_replaced_on_condition(replacing: str | None, header: str, value: str | None) -> None:
    _, asked = ask(lambda _: Reply(status=201), lambda one: one.put_manifest("tag", INDEX, replacing=replacing))
    assert asked[0].headers.get(header) == value
    if value is None:
        assert "if-none-match" not in asked[0].headers


def test_a_condition_that_does_not_hold_is_told_apart_from_trouble() -> None:
    with pytest.raises(ManifestChanged, match="the tag latest is not what it was"):
        ask(lambda _: Reply(status=412), lambda one: one.put_manifest("latest", INDEX, replacing=""))


def test_a_tag_whose_bytes_were_spoilt_on_the_way_is_written_again_whatever_stands_there() -> None:
    replies = [digest_of(b"spoilt"), INDEX.digest]
    _, asked = ask(
        lambda _: Reply(status=201, headers={"Docker-Content-Digest": replies.pop(0)}),
        lambda one: one.put_manifest("latest", INDEX, replacing="sha256:old"),
    )
    assert [request.body for request in asked] == [BODY, BODY]
    assert ["if-match" in request.headers for request in asked] == [True, False]


DOUBT = Reply(status=400, body=b'{"errors": [{"code": "DIGEST_INVALID", "message": "x"}]}')


def test_a_registry_that_doubts_a_digest_is_asked_again_under_the_same_condition() -> None:
    """As one does where several clients bring it the same manifest at the same moment."""
    replies = [DOUBT, DOUBT, Reply(status=201)]
    _, asked = ask(lambda _: replies.pop(0), lambda one: one.put_manifest("latest", INDEX, replacing="sha256:old"))
    assert [request.headers.get("if-match") for request in asked] == ['"sha256:old"'] * 3


def test_a_registry_that_goes_on_doubting_a_digest_is_trouble() -> None:
    replies = [DOUBT] * ATTEMPTS
    with pytest.raises(RegistryTrouble, match=r"answered 400 \(DIGEST_INVALID\)"):
        ask(lambda _: replies.pop(0), lambda one: one.put_manifest(INDEX.digest, INDEX))
    assert not replies


def test_a_manifest_goes_there_by_its_digest() -> None:
    _, asked = ask(lambda _: Reply(status=201), lambda one: one.put_manifest(INDEX.digest, INDEX))
    assert asked[0].path == f"/v2/team/echo/manifests/{INDEX.digest}"
    with pytest.raises(RegistryTrouble, match="PUT manifest sha256:"):
        ask(lambda _: Reply(status=400), lambda one: one.put_manifest(INDEX.digest, INDEX))


def test_a_small_blob_is_given_whole_also_after_a_cut() -> None:
    replies = [Reply(body=b"a bl", promised=6), Reply(body=b"a blob")]
    assert ask(lambda _: replies.pop(0), lambda one: one.blob(BLOB))[0] == b"a blob"


@pytest.mark.parametrize("body", [b"a blog", b"a", b"a blob and more"])
def test_another_blob_is_trouble(body: bytes) -> None:
    with pytest.raises(RegistryTrouble, match=r"manifest says|more than"):
        ask(lambda _: Reply(body=body), lambda one: one.blob(BLOB))


def test_an_index_of_referrers_is_asked_for_by_digest() -> None:
    sound = Reply(body=BODY, headers={"Content-Type": INDEX_TYPES[0]})
    found, asked = ask(lambda _: sound, lambda one: one.referrers(INDEX.digest))
    assert found == INDEX
    assert asked[0].path == f"/v2/team/echo/referrers/{INDEX.digest}"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=404),
        Reply(status=400),
        Reply(status=405),
        Reply(body=b"<html>", headers={"Content-Type": "text/html"}),
    ],
)
def test_a_registry_without_such_an_index_has_none(reply: Reply) -> None:
    assert ask(lambda _: reply, lambda one: one.referrers(INDEX.digest))[0] is None


def test_an_index_that_can_not_be_had_is_trouble() -> None:
    with pytest.raises(RegistryTrouble, match="GET referrers of"):
        ask(lambda _: Reply(status=500), lambda one: one.referrers(INDEX.digest))
    with pytest.raises(RegistryTrouble, match="answered 418"):
        ask(lambda _: Reply(status=418), lambda one: one.referrers(INDEX.digest))


def test_a_small_blob_can_be_uploaded_through_the_client() -> None:

    answers = {"HEAD": Reply(), "POST": Reply(status=500)}
    sent, asked = ask(
        lambda asked: answers[asked.method], lambda one: one.upload(Descriptor(digest=BLOB.digest, size=0), io.BytesIO)
    )
    assert sent == 0 and [item.method for item in asked] == ["HEAD"]
