"""The promised interface, as any client sees it; against both kinds of target."""

import time
from urllib.parse import quote

import pytest

from service.tests.target import Target

pytestmark = pytest.mark.acceptance


@pytest.mark.smoke
def test_the_index_points_to_the_echo(target: Target) -> None:
    """Key by key what was agreed, and a time that is now."""
    answer = target.get("/")
    body = answer.json()
    assert answer.status == 200
    assert body.keys() == {"msg", "tstamp", "endpoints"}
    assert body["msg"] == "this is index endpoint"
    assert body["endpoints"] == {"url_echo": f"{target.base_url}/echo"}
    assert isinstance(body["tstamp"], float)
    assert abs(body["tstamp"] - time.time()) < 60


@pytest.mark.smoke
def test_an_item_and_a_language_come_back(target: Target) -> None:
    """Key by key what was agreed."""
    answer = target.post("/echo/hello?lang=en")
    body = answer.json()
    assert answer.status == 200
    assert isinstance(body.pop("tstamp"), float)
    assert body == {
        "msg": "this is an echo endpoint",
        "namespace_params": {"content_received": "hello", "language": "en"},
        "endpoints": {"url_index": f"{target.base_url}/"},
    }


@pytest.mark.smoke
def test_the_service_is_alive_and_ready(target: Target) -> None:
    """What orchestrators ask."""
    assert target.get("/healthz").json() == {"status": "ok"}
    assert target.get("/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize("path", ["/echo", "/echo?lang=", "/echo?language=en&item=x"])
def test_nothing_given_is_said_to_be_none(target: Target, path: str) -> None:
    """Parameters that do not exist are ignored."""
    assert target.post(path).json()["namespace_params"] == {
        "content_received": "none",
        "language": "none",
    }


def test_the_first_language_counts(target: Target) -> None:
    """And the second is no error."""
    given = target.post("/echo?lang=en&lang=de").json()["namespace_params"]
    assert given["language"] == "en"


def test_a_body_is_taken_and_ignored(target: Target) -> None:
    """Whatever it claims to be."""
    headers = {"Content-Type": "application/json"}
    answer = target.request("POST", "/echo/x", headers=headers, body=b'{"item": "y"')
    assert answer.json()["namespace_params"]["content_received"] == "x"


@pytest.mark.parametrize("text", ["{{7*7}}", "<script>", "..", "%s%n", "${HOME}", "' OR 1=1 --"])
def test_what_looks_like_code_comes_back_as_it_was(target: Target, text: str) -> None:
    """Data is repeated, never interpreted."""
    encoded = quote(text, safe="")
    given = target.post(f"/echo/{encoded}?lang={encoded}").json()["namespace_params"]
    assert given == {"content_received": text, "language": text}


@pytest.mark.parametrize("path", ["/nope", "/echo/", "/echo/a/b", "/echo/x/../../nope"])
def test_an_unknown_path_gets_404_as_json(target: Target, path: str) -> None:
    """With the agreed keys, "true" being a string."""
    answer = target.post(path)
    assert answer.status == 404
    assert answer.json() == {"error": "true", "msg": "there is no such endpoint"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("POST", "/", {"GET", "HEAD"}), ("GET", "/echo", {"POST"}), ("DELETE", "/echo/x", {"POST"})],
)
def test_a_wrong_method_gets_405_and_the_right_ones(target: Target, method: str, path: str, allowed: set[str]) -> None:
    """JSON, and the header that RFC 9110 requires."""
    answer = target.request(method, path)
    assert answer.status == 405
    assert answer.json()["error"] == "true"
    assert set(answer.headers["allow"].split(", ")) == allowed


def test_an_item_of_the_longest_length_comes_back(target: Target) -> None:
    """Up to 1024 bytes, also where each needs three characters on the way."""
    text = "\N{GRINNING FACE}" * 256
    answer = target.post(f"/echo/{quote(text)}?lang={'x' * 64}")
    assert answer.json()["namespace_params"] == {"content_received": text, "language": "x" * 64}


@pytest.mark.parametrize("path", ["/echo/" + "x" * 1025, "/echo?lang=" + "x" * 65])
def test_one_byte_too_many_gets_414_as_json(target: Target, path: str) -> None:
    """The limits are exact."""
    answer = target.post(path)
    assert answer.status == 414
    assert answer.json()["error"] == "true"


def test_a_body_at_the_limit_is_taken_and_one_byte_more_gets_413(target: Target) -> None:
    """The limits are exact."""
    assert target.request("POST", "/echo", body=b"x" * 65536).status == 200
    answer = target.request("POST", "/echo", body=b"x" * 65537)
    assert answer.status == 413
    assert answer.json()["error"] == "true"


def test_head_answers_like_get_without_a_body(target: Target) -> None:
    """Probes use it."""
    answer = target.request("HEAD", "/")
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("path", ["/", "/healthz", "/nope"])
def test_every_answer_carries_the_security_headers(target: Target, path: str) -> None:
    """Errors included."""
    headers = target.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


def test_a_good_request_id_is_kept(target: Target) -> None:
    """So that a caller can follow its request."""
    answer = target.request("GET", "/", headers={"X-Request-ID": "caller-1.A_b"})
    assert answer.headers["x-request-id"] == "caller-1.A_b"


@pytest.mark.parametrize("offered", ["a b", "x" * 65, 'a"b', "a\tb", "<b>", "é"])
def test_a_bad_request_id_is_replaced(target: Target, offered: str) -> None:
    """By one that is fresh each time."""
    made = {target.request("GET", "/", headers={"X-Request-ID": offered}).headers["x-request-id"] for _ in range(2)}
    assert len(made) == 2
    assert all(len(name) == 32 and name.isalnum() for name in made)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1@evil", "x y"])
def test_an_untrusted_host_gets_400_and_no_address_of_its_own(target: Target, host: str) -> None:
    """Absolute addresses believe no Host."""
    answer = target.request("GET", "/", headers={"Host": host})
    assert answer.status == 400
    assert answer.json()["error"] == "true"
    assert b"evil" not in answer.body


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded"])
def test_forwarded_headers_are_not_believed_without_a_proxy(target: Target, header: str) -> None:
    """The default is no proxy."""
    answer = target.request("GET", "/", headers={header: "https"})
    assert answer.json()["endpoints"] == {"url_echo": f"{target.base_url}/echo"}


@pytest.mark.regression
def test_doubled_slashes_are_no_redirect_page(target: Target) -> None:
    """Werkzeug merges slashes by default, and answers 308 with HTML."""
    answer = target.post("/echo//x")
    assert answer.status == 404
    assert answer.json()["error"] == "true"


@pytest.mark.regression
def test_an_encoded_slash_is_a_slash(target: Target) -> None:
    """WSGI hands the path over decoded, so the item can't contain one; the language can."""
    assert target.post("/echo/a%2Fb").status == 404
    given = target.post("/echo/a%252Fb?lang=a%2Fb").json()["namespace_params"]
    assert given == {"content_received": "a%2Fb", "language": "a/b"}


@pytest.mark.regression
def test_options_is_answered_as_described(target: Target) -> None:
    """Flask answers OPTIONS by itself, with an empty page that no description mentions."""
    answer = target.request("OPTIONS", "/echo")
    assert answer.status == 405
    assert answer.json()["error"] == "true"


@pytest.mark.regression
def test_broken_percent_encoding_is_still_one_string(target: Target) -> None:
    """Bytes that are no UTF-8 once ended in a 500 in many a service."""
    answer = target.post("/echo/%FF%zz?lang=%FF")
    assert answer.status == 200
    assert answer.json()["namespace_params"]["content_received"] == "\N{REPLACEMENT CHARACTER}%zz"
