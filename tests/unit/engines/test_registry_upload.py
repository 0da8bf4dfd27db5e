"""Uploads against a scripted registry: nothing twice, in pieces, continued or begun anew, and bounded."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.oci_manifest import Descriptor, digest_of
from pipeline.engines.registry_auth import Credentials
from pipeline.engines.registry_transport import ATTEMPTS, Address, RegistryTransport
from pipeline.engines.registry_upload import BlobUploads
from pipeline.errors import RegistryTrouble
from pipeline.testing import FixedClock
from tests.scripted_http import Asked, Reply, scripted_http

PIECE = 1000
CONTENT = bytes(range(256)) * 10
BLOB = Descriptor(digest=digest_of(CONTENT), size=len(CONTENT))


@pytest.fixture(name="pieces", autouse=True)
def pieces_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.engines.registry_upload.PIECE", PIECE)


@dataclass
class Store:
    """A registry's uploads as the specification has them. ``spoil`` may change an answer, or take a part of a body.

    With ``forgets`` an upload that was cut is gone, as in distribution 2.8.
    """

    forgets: bool = False
    least: int = 0
    location: str = "{path}"
    held: dict[str, bytes] = field(default_factory=dict)
    open: dict[str, bytes] = field(default_factory=dict)
    faults: list[tuple[str, Reply, int]] = field(default_factory=list)
    begun: int = 0

    def answer(self, asked: Asked) -> Reply:
        """One request."""
        parts = urlsplit(asked.path)
        name = parts.path.rpartition("/")[2]
        fault = next((item for item in self.faults if item[0] == asked.method), None)
        if fault is not None:
            self.faults.remove(fault)
            if asked.method == "PATCH":
                self.open[name] += asked.body[: fault[2]]
                if self.forgets:
                    del self.open[name]
            if asked.method == "PUT" and fault[2]:
                self._commit(name, asked.body, parts.query)
            return fault[1]
        answers = {"HEAD": self._head, "POST": self._post, "GET": self._get, "PATCH": self._patch, "PUT": self._put}
        return answers[asked.method](name, asked, parts.query)

    def _head(self, name: str, asked: Asked, query: str) -> Reply:
        del asked, query
        body = self.held.get(name)
        return Reply(status=404) if body is None else Reply(body=body)

    def _post(self, name: str, asked: Asked, query: str) -> Reply:
        del asked, query
        self.begun += 1
        name = f"upload-{self.begun}"
        self.open[name] = b""
        return self._here(name, least=str(self.least))

    def _get(self, name: str, asked: Asked, query: str) -> Reply:
        del asked, query
        return self._here(name, status=204) if name in self.open else Reply(status=404)

    def _patch(self, name: str, asked: Asked, query: str) -> Reply:
        del query
        if name not in self.open:
            return Reply(status=404)
        begin = int(asked.headers["content-range"].partition("-")[0])
        if begin != len(self.open[name]):
            return Reply(status=416)
        self.open[name] += asked.body
        return self._here(name)

    def _put(self, name: str, asked: Asked, query: str) -> Reply:
        return Reply(status=201) if self._commit(name, asked.body, query) else Reply(status=400)

    def _commit(self, name: str, body: bytes, query: str) -> bool:
        whole = self.open.pop(name, b"") + body
        (digest,) = parse_qs(query)["digest"]
        if digest_of(whole) == digest:
            self.held[digest] = whole
        return digest in self.held

    def _here(self, name: str, *, status: int = 202, least: str = "") -> Reply:
        path = f"/v2/team/echo/blobs/uploads/{name}?state={len(self.open[name])}"
        end = max(len(self.open[name]) - 1, 0)
        headers = {"Location": self.location.format(path=path), "Range": f"0-{end}", "OCI-Chunk-Min-Length": least}
        return Reply(status=status, headers=headers)


def send(store: Store, content: bytes = CONTENT, blob: Descriptor | None = None) -> tuple[int, list[Asked]]:
    """Upload it; the bytes that were sent, and the requests."""
    with scripted_http(store.answer) as server:
        transport = RegistryTransport(
            Address(host=server.host), Credentials(), clock=FixedClock(), timeout_s=600, hide=lambda secret: None
        )
        wanted = blob or Descriptor(digest=digest_of(content), size=len(content))
        try:
            return BlobUploads(transport, "team/echo").send(wanted, partial(io.BytesIO, content)), server.asked
        finally:
            transport.close()


def methods(asked: list[Asked]) -> str:
    return " ".join(request.method for request in asked)


def test_a_blob_that_is_there_is_not_sent() -> None:
    assert send(Store(held={BLOB.digest: CONTENT}))[0] == 0
    sent, asked = send(Store(held={BLOB.digest: CONTENT}))
    assert (sent, methods(asked)) == (0, "HEAD")


def test_a_blob_that_is_said_to_lie_elsewhere_is_there() -> None:
    class Redirecting(Store):
        """Answers with where it lies."""

        def _head(self, name: str, asked: Asked, query: str) -> Reply:
            return Reply(status=307, headers={"Location": "http://elsewhere.example/"})

    assert send(Redirecting())[0] == 0


def test_a_blob_of_another_size_is_sent() -> None:
    store = Store(held={BLOB.digest: CONTENT[:-1]})
    assert send(store)[0] == BLOB.size
    assert store.held[BLOB.digest] == CONTENT


def test_a_small_blob_goes_in_one_request_and_a_large_one_in_pieces() -> None:
    sent, asked = send(Store(), CONTENT[:PIECE])
    assert (sent, methods(asked)) == (PIECE, "HEAD POST PUT")
    sent, asked = send(Store())
    assert (sent, methods(asked)) == (BLOB.size, "HEAD POST PATCH PATCH PATCH PUT")
    assert [request.headers["content-range"] for request in asked[2:5]] == ["0-999", "1000-1999", "2000-2559"]
    assert methods(send(Store(), b"")[1]) == "HEAD POST PUT"


def test_pieces_are_as_large_as_the_registry_wants_them() -> None:
    assert methods(send(Store(least=1500))[1]) == "HEAD POST PATCH PATCH PUT"
    assert methods(send(Store(least=10))[1]) == "HEAD POST PATCH PATCH PATCH PUT"


@pytest.mark.parametrize("location", ["http://elsewhere.example:1{path}", "{path}", "https://other{path}"])
def test_the_next_piece_goes_to_the_same_registry_wherever_the_answer_points(location: str) -> None:
    store = Store(location=location)
    assert send(store)[0] == BLOB.size
    assert store.held == {BLOB.digest: CONTENT}


@pytest.mark.parametrize("forgets", [False, True])
@settings(max_examples=20)
@example(taken=1, status=500, cut=False)
@given(taken=st.integers(0, PIECE), status=st.sampled_from([500, 429, 416, 404]), cut=st.booleans())
def test_an_upload_that_is_cut_at_any_byte_is_continued_or_begun_anew(
    forgets: bool, taken: int, status: int, cut: bool
) -> None:
    reply = Reply(status=202, body=b"", promised=99) if cut else Reply(status=status)
    store = Store(forgets=forgets, faults=[("PATCH", reply, taken)])
    _, asked = send(store)
    assert store.held == {BLOB.digest: CONTENT}
    # "0-0" stands for no byte and for one; it is taken for none, and the registry then minds.
    anew = forgets or taken == 1
    assert store.begun == 1 + anew
    if not anew:
        ranges = [request.headers["content-range"] for request in asked if request.method == "PATCH"]
        assert ranges[1].startswith(f"{taken}-")


def test_a_finish_whose_answer_is_lost_is_asked_after_and_not_repeated() -> None:
    store = Store(faults=[("PUT", Reply(status=500), 1)])
    _, asked = send(store)
    assert methods(asked) == "HEAD POST PATCH PATCH PATCH PUT HEAD"
    assert store.held == {BLOB.digest: CONTENT}


@pytest.mark.parametrize(
    ("method", "reply", "sentence"),
    [
        ("PATCH", Reply(status=500), "answered 500"),
        ("PUT", Reply(status=400), "answered 400"),
        ("PUT", Reply(status=201, headers={"Docker-Content-Digest": "sha256:0"}), "says that it took sha256:0"),
        ("POST", Reply(status=503), "answered 503"),
        ("POST", Reply(status=202), "did not say where"),
        ("POST", Reply(status=404), "answered 404"),
        ("HEAD", Reply(status=500), "answered 500"),
        ("HEAD", Reply(status=418), "answered 418"),
        ("PATCH", Reply(status=202), "did not take all of it"),
        ("PATCH", Reply(status=202, headers={"Range": "bytes=0-5"}), "did not take all of it"),
    ],
)
def test_a_fault_that_stays_ends_in_trouble_after_a_bounded_number_of_requests(
    method: str, reply: Reply, sentence: str
) -> None:
    store = Store(faults=[(method, reply, 0)] * 1000)
    with pytest.raises(RegistryTrouble, match=sentence):
        send(store)
    assert BLOB.digest not in store.held
    assert 1000 - len(store.faults) <= ATTEMPTS**2


def test_what_the_file_does_not_hold_is_never_there() -> None:
    with pytest.raises(RegistryTrouble, match="answered 400"):
        send(Store(), b"other", Descriptor(digest=BLOB.digest, size=5))


def test_a_registry_that_wants_time_is_given_it() -> None:
    store = Store(faults=[("PATCH", Reply(status=429, headers={"Retry-After": "7"}), 0)])
    clock = FixedClock()
    with scripted_http(store.answer) as server:
        transport = RegistryTransport(
            Address(host=server.host), Credentials(), clock=clock, timeout_s=600, hide=lambda secret: None
        )
        BlobUploads(transport, "team/echo").send(BLOB, partial(io.BytesIO, CONTENT))
        transport.close()
    assert clock.monotonic() == 7
