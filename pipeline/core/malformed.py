"""Requests that are none, what a server may do with each, and the judgement of what it did.

The rules are RFC 9112's (HTTP/1.1): section 2.2 on invalid request lines, 3 on overlong ones, 5.1 on the space before a
colon, 6.1 and 6.3 on Transfer-Encoding with Content-Length and on invalid lengths, 7.1 on chunks; and RFC 9110's 15.5
and 15.6 on the statuses. A server may refuse with an error of the client's making, say that it does not implement this
(501, 505), or close. It may not fail (any other 5xx), stay silent with the connection open, answer as if all were well,
or see a second request in what belongs to the first, which is how requests are smuggled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.core.wire import Reply

_REFUSALS = frozenset({*range(400, 500), 501, 505})
_WELL = range(200, 400)
_SECOND = b"GET /pipeline-smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
_LONG = b"a" * 70_000
_MANY = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A malformed request in the parts that it is sent in. ``may_succeed``: to read past the fault is allowed too.

    ``gone``: the client closes after sending, so that no answer can be seen; that the service lives on is all.
    """

    name: str
    parts: tuple[bytes, ...]
    may_succeed: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A case, its reply, and the status of an ordinary request right after it (0: no answer)."""

    case: Case
    reply: Reply
    afterwards: int


def cases(path: str) -> tuple[Case, ...]:
    """Every case, aimed at ``path``."""
    target = path.encode("ascii")
    return (*_lines(target), *_fields(target), *_lengths(target), *_chunks(target))


def fault(tried: Tried, well: int) -> str:
    """What was wrong with it, in a few words; empty when nothing was. ``well`` is the status of an ordinary answer."""
    if tried.afterwards != well:
        told = f"status {tried.afterwards}" if tried.afterwards else "no answer"
        return f"{told} to an ordinary request afterwards"
    case, reply = tried.case, tried.reply
    if case.gone:
        return ""
    if len(reply.statuses) > 1:
        return "a second request was seen in it"
    if not reply.status:
        return "" if reply.closed or reply.error else f"neither an answer nor an end within {reply.seconds:.1f} s"
    allowed = reply.status in _REFUSALS or (case.may_succeed and reply.status in _WELL)
    return "" if allowed else f"status {reply.status}"


def stalling(path: str) -> tuple[bytes, ...]:
    """The beginnings of requests whose clients then stall: in the headers, in the body, in a chunk of any size."""
    line = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n".encode("ascii")
    return (
        line,
        line + b"Content-Length: 100\r\n\r\n12345",
        line + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n12345",
    )


def planted_faults() -> tuple[Tried, ...]:
    """A failure, silence, ready obedience, a second answer and a service that is gone: each must be objected to."""
    refused = Reply(text="HTTP/1.1 400 Bad Request\r\n\r\n", closed=True)
    case = Case(name="planted", parts=(b"",))
    replies: Iterable[Reply] = (
        Reply(text="HTTP/1.1 500 Internal Server Error\r\n\r\n", closed=True),
        Reply(seconds=1.0),
        Reply(text="HTTP/1.1 200 OK\r\n\r\n", closed=True),
        Reply(text="HTTP/1.1 400 Bad Request\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n", closed=True),
    )
    return (
        *(Tried(case=case, reply=reply, afterwards=200) for reply in replies),
        Tried(case=case, reply=refused, afterwards=0),
    )


def _lines(path: bytes) -> tuple[Case, ...]:
    host = b"Host: localhost\r\n\r\n"
    return (
        Case(name="overlong request line", parts=(b"GET /" + _LONG + b" HTTP/1.1\r\n" + host,)),
        Case(name="method that is no word", parts=(b"GE(T) " + path + b" HTTP/1.1\r\n" + host,)),
        Case(name="null byte in the method", parts=(b"GE\0T " + path + b" HTTP/1.1\r\n" + host,)),
        Case(name="null byte in the path", parts=(b"POST " + path + b"\0 HTTP/1.1\r\n" + host,)),
        # To refuse it (505) is what a server "can" do (RFC 9110, section 15.6.6).
        Case(name="version that does not exist", parts=(b"GET " + path + b" HTTP/9.9\r\n" + host,), may_succeed=True),
        Case(name="TLS instead of HTTP", parts=(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",)),
        Case(name="close within the request line", parts=(b"GET " + path[:1],), gone=True),
    )


def _fields(path: bytes) -> tuple[Case, ...]:
    def post(fields: bytes) -> tuple[bytes, ...]:
        return (b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n",)

    many = b"".join(b"X-%d: 1\r\n" % number for number in range(_MANY))
    return (
        Case(name="overlong header", parts=post(b"X-Long: " + _LONG + b"\r\n")),
        Case(name="too many headers", parts=post(many)),
        Case(name="null byte in a header", parts=post(b"X-Null: a\0b\r\n")),
        Case(name="space before a header's colon", parts=post(b"Content-Length : 0\r\n")),
        Case(name="close within the headers", parts=(post(b"")[0][:-4],), gone=True),
    )


def _lengths(path: bytes) -> tuple[Case, ...]:
    def post(fields: bytes, body: bytes = b"") -> tuple[bytes, ...]:
        return (b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n", body)

    return (
        Case(name="negative length", parts=post(b"Content-Length: -1\r\n")),
        Case(name="length that is no number", parts=post(b"Content-Length: ten\r\n")),
        Case(name="length with a sign", parts=post(b"Content-Length: +5\r\n", b"12345")),
        Case(name="two different lengths", parts=post(b"Content-Length: 0\r\nContent-Length: 52\r\n", _SECOND)),
        Case(name="list of lengths", parts=post(b"Content-Length: 0, 52\r\n", _SECOND)),
        Case(name="close within the body", parts=post(b"Content-Length: 100\r\n", b"12345"), gone=True),
    )


def _chunks(path: bytes) -> tuple[Case, ...]:
    def post(body: bytes, fields: bytes = b"") -> tuple[bytes, ...]:
        line = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n"
        return (line + fields + b"Transfer-Encoding: chunked\r\n\r\n", body)

    line = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n"
    return (
        # To obey the chunks alone is allowed, and then the connection must be closed: nothing may be read after them.
        Case(
            name="chunks beside a length",
            parts=post(b"0\r\n\r\n" + _SECOND, b"Content-Length: 57\r\n"),
            may_succeed=True,
        ),
        Case(name="encoding that does not exist", parts=(line + b"Transfer-Encoding: xchunked\r\n\r\n", b"0\r\n\r\n")),
        Case(name="chunk size that is no number", parts=post(b"zz\r\nab\r\n0\r\n\r\n")),
        Case(name="negative chunk size", parts=post(b"-1\r\nab\r\n0\r\n\r\n")),
        Case(name="chunk longer than its size", parts=post(b"2\r\nabcdef\r\n0\r\n\r\n")),
        Case(name="close within a chunk", parts=post(b"a\r\nabc"), gone=True),
    )
