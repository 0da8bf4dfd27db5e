"""What is surely no secret, and what must not be taken for none."""

from __future__ import annotations

import hashlib

import pytest

from pipeline.tools.secret_scanner_filters import Candidate, harmless
from tests.support import KEY_ID, PASSWORD

DIGEST = hashlib.sha256(b"").hexdigest()[:32]


def keyword(value: str, name: str = "db_password", *, quoted: bool = True, renamed: bool = False) -> bool:
    return harmless(Candidate(kind="KeywordDetector", value=value, name=name, quoted=quoted, renamed=renamed))


@pytest.mark.parametrize(
    "value",
    [PASSWORD, "hunter2", "123456", "$ecret!pass word"[1:], "changeme", "550e8400-e29b-41d4-a716-446655440000x"],
)
def test_a_hard_coded_password_is_one(value: str) -> None:
    assert not keyword(value)


@pytest.mark.parametrize(
    "value",
    [
        "", "abc", "None", "null", "true", "****", "....", "${DB_PASSWORD}", "$DB_PASSWORD", "$(cat file)",
        "{{ password }}", "<password>", "%(password)s", "%PASSWORD%", "[redacted]", "...", "xxxxx", "!vault x",
        "/run/secrets/db", "~/.netrc", "https://host/login",
        "db_password", "SERVICE_DB_PASSWORD", "1.5.0", "v2.0",
    ],
)  # fmt: skip
def test_a_reference_or_a_placeholder_is_no_password(value: str) -> None:
    assert keyword(value)


@pytest.mark.parametrize(
    "name", ["password_file", "SECRET_NAME", "tokenUrl", "password_min", "secretKeyRef", "secret_type"]
)
def test_a_name_that_speaks_of_a_secret_holds_none(name: str) -> None:
    assert keyword("anything-at-all-1", name)


def test_without_quotes_an_expression_a_number_or_prose_is_no_password() -> None:
    for value in ("get_secret(1)", "os.environ['X']", "3600", "at least eight characters"):
        assert keyword(value, quoted=False)
        assert not keyword(value, quoted=True)
    assert not keyword("12345678", quoted=False)


def test_a_token_of_a_language_is_none_and_one_with_a_digit_or_of_some_length_is() -> None:
    assert keyword("elif", "token", renamed=True)
    assert keyword("quoted value", "token", renamed=True)
    assert not keyword(PASSWORD, "token", renamed=True)
    assert not keyword("abcdefghijklmnopqrstuvwx", "token", renamed=True)


@pytest.mark.parametrize(
    ("value", "name", "is_none"),
    [
        ("0123456789abcdef", "x", True),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "x", True),
        ("550e8400-e29b-41d4-a716-446655440000", "x", True),
        ("550e8400-e29b-41d4-a716-446655440000-and-more", "x", False),
        (f"sha512-{DIGEST}==", "x", True),
        (DIGEST, "sha256", True),
        (DIGEST, "content-hash", True),
        (DIGEST, "key", False),
        (DIGEST[:-2], "sha256", False),
        ("z" + DIGEST[1:], "sha256", False),
        ("Zm9vYmFyYmF6cXV4MTIzNDU2", "client_id", True),
        ("Zm9vYmFyYmF6cXV4MTIzNDU2", "NetworkID", True),
        ("Zm9vYmFyYmF6cXV4MTIzNDU2", "client_key", False),
        ("Zm9vYmFyYmF6cXV4MTIzNDU2", "liquid", False),
    ],
)
def test_a_digest_an_identifier_or_an_alphabet_is_no_key(value: str, name: str, is_none: bool) -> None:
    kind = "HexHighEntropyString"
    assert harmless(Candidate(kind=kind, value=value, name=name)) is is_none


def test_what_has_a_form_of_its_own_is_always_one_but_a_reference_in_an_address() -> None:
    assert not harmless(Candidate(kind="AWSKeyDetector", value=KEY_ID, name="example_id"))
    assert harmless(Candidate(kind="BasicAuthDetector", value="${PASSWORD}"))
    assert not harmless(Candidate(kind="BasicAuthDetector", value=PASSWORD))
