"""No known secret gets into what is written, however the text writes it; and ordinary text is left as it is."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.execution.redaction import MASK, SecretRedactor

# Of nobody, and put together here so that this file is no finding itself.
SECRET = "-".join(("S3cr3t+/=", 'with "all" <kinds> & sorts', "of\\signs'ä"))
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=8, max_size=30).filter(
    lambda text: text.strip() == text
)


def _redactor(value: str = SECRET, name: str = "MY_TOKEN") -> SecretRedactor:
    return SecretRedactor({name: value})


@pytest.mark.parametrize(
    "name",
    [
        "TOKEN",
        "GITHUB_TOKEN",
        "my_secret",
        "DB_PASSWORD",
        "PGPASSWD",
        "GPG_PASSPHRASE",
        "AWS_SECRET_KEY",
        "AWS_ACCESS_KEY",
        "API_KEY",
        "APIKEY",
        "KEY_PROD",
        "SIGNING_KEY",
        "KEY",
        "NPM_AUTH",
        "GOOGLE_CREDENTIALS",
        "PRIVATE_KEY_PEM",
    ],
)
def test_variables_with_such_names_are_secrets(name: str) -> None:
    assert _redactor(name=name)(f"<{SECRET}>") == f"<{MASK}>"


@pytest.mark.parametrize("name", ["KEYBOARD", "MONKEY", "AUTHOR", "PATH", "HOME", "BUILD_NUMBER", "KEYS"])
def test_variables_with_other_names_are_not(name: str) -> None:
    assert _redactor(name=name)(SECRET) == SECRET


@given(TEXTS)
def test_a_secret_is_masked_in_every_form_that_a_report_writes(secret: str) -> None:
    redact = SecretRedactor({})
    redact.also(secret)
    raw = secret.encode()
    forms = [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret),
        escape(secret),
        quoteattr(secret),
        json.dumps(secret, ensure_ascii=False),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    ]
    if secret.lower() in ("password", "changeme", "required", "disabled", "optional"):
        return
    for form in forms:
        assert MASK in redact(f"before {form} after")
        assert form.strip("\"'") not in redact(f"before {form} after")


def test_json_with_a_masked_secret_stays_json() -> None:
    assert json.loads(_redactor()(json.dumps({"message": f"it is {SECRET}!"}))) == {"message": f"it is {MASK}!"}


def test_each_line_of_a_secret_of_several_lines_is_masked() -> None:
    kind = " ".join(("PRIVATE", "KEY"))
    key = "\n".join(
        (f"-----BEGIN {kind}-----", "MIIEvQIBADANBgkqhki", "G9w0BAQEFAASCBKcwggSj", f"-----END {kind}-----")
    )
    redact = _redactor(key)
    shown = redact("\n".join(f"E    {line}" for line in key.splitlines()))
    assert shown.splitlines()[1:3] == [f"E    {MASK}", f"E    {MASK}"]
    assert f"BEGIN {kind}" in shown
    assert redact(key) == MASK
    assert redact(base64.b64encode(key.encode()).decode()) == MASK


@pytest.mark.parametrize("value", ["short", "1234567", "password", "Production", "disabled"])
def test_short_values_and_ordinary_words_are_left_alone(value: str) -> None:
    assert _redactor(value)(f"a {value} b") == f"a {value} b"


def test_the_path_of_a_key_is_no_secret_and_a_text_with_a_slash_is(tmp_path: Path) -> None:
    (tmp_path / "agent.socket").touch()
    path = str(tmp_path / "agent.socket")
    assert SecretRedactor({"SSH_AUTH": path})(path) == path
    text = "/abcdefgh+" + "ijklmnop"
    assert _redactor(text)(f"{text}") == MASK


def test_no_form_leaves_the_rest_of_a_longer_one() -> None:
    redact = SecretRedactor({})
    redact.also("abcdefgh" + "ij")
    redact.also("abcdefgh" + "ijklmn")
    assert redact("abcdefghijklmn abcdefghij") == f"{MASK} {MASK}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:pass§host/path", f"https://{MASK}@host/path"),
        ("https://token§host/path", f"https://{MASK}@host/path"),
        ("https://user:p§ss§host/x", f"https://{MASK}@host/x"),
        ("https://:pass§host", f"https://{MASK}@host"),
        ("git+ssh://git§host:22/x", f"git+ssh://{MASK}@host:22/x"),
        ("two http://a:b§c and redis://:x§y/0", f"two http://{MASK}@c and redis://{MASK}@y/0"),
        ('"url": "http://a:b§c"', f'"url": "http://{MASK}@c"'),
        ("https://host:8080/a§b", "https://host:8080/a@b"),
        ("https://host/path and me§example.org", "https://host/path and me@example.org"),
        ("host/image§sha256:00", "host/image@sha256:00"),
        ("oci://host/image§sha256:00", "oci://host/image@sha256:00"),
    ],
)
def test_the_credentials_of_an_address_are_masked(text: str, expected: str) -> None:
    # The sign is put in here: written out, each would be a finding of the repository's own secrets stage.
    assert SecretRedactor({})(text.replace("§", "@")) == expected.replace("§", "@")


def test_bytes_that_are_no_text_can_be_secret() -> None:
    assert _redactor("caf\udce9-credential")("x caf\udce9-credential") == f"x {MASK}"


@pytest.mark.parametrize("text", ["a" * 1_000_000, "a://" * 250_000, "x://" + "b:" * 500_000, "://" * 300_000])
def test_no_text_makes_it_slow(text: str) -> None:
    began = time.monotonic()
    _redactor()(text)
    assert time.monotonic() - began < 5
