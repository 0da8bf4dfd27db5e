"""What is a secret, what is an ordinary word, and that no form of a secret is forgotten."""

from __future__ import annotations

import base64
import html
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.finding_tools import FINDING_TOOLS
from pipeline.core.secret_forms import credentials_of, forms, is_ordinary, is_secret_name, parts_of, values_of

SCHEMA = Path(__file__).parents[3] / "pipeline/reporters/pipeline-report.schema.json"
FIXTURES = Path(__file__).parents[2] / "fixtures"
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=8, max_size=30)
# Of nobody, and put together here so that this file is no finding itself.
SECRET = "-".join(("S3cr3t+/=", 'with "all" <kinds> & sorts', "of\\signs'ä"))


@pytest.mark.parametrize(
    "name",
    ["TOKEN", "GITHUB_TOKEN", "my_secret", "DB_PASSWORD", "PGPASSWD", "GPG_PASSPHRASE", "AWS_SECRET_KEY", "API_KEY",
     "AWS_ACCESS_KEY", "apiKey", "KEY_PROD", "SIGNING_KEY", "KEY", "NPM_AUTH", "GOOGLE_CREDENTIALS", "PRIVATE_KEY_PEM",
     "DB_PASS", "MYSQL_PWD", "SESSION_COOKIE", "JWT", "dbPassword"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "KEYBOARD",
        "MONKEY",
        "AUTHOR",
        "PATH",
        "HOME",
        "BUILD_NUMBER",
        "KEYS",
        "PWD",
        "OLDPWD",
        "COMPASS",
        "PASSAGE",
        "BYPASSED",
    ],
)
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "word",
    ["", "short", "1234567", "password", "Production", "CHANGEME", "development", "localhost", "disabled", "true",
     "username", "********", "xxxxxxxxxxxx", "--------", "authorization", "client_secret", "x-api-key",
     "administrator"],
)  # fmt: skip
def test_ordinary_words(word: str) -> None:
    assert is_ordinary(word)


@pytest.mark.parametrize(
    "secret", ["correct-horse", "12345678", "hunter2hunter2", "supersecretvalue", "PASSWORD1", "aaaaaaab"]
)
def test_no_ordinary_words(secret: str) -> None:
    assert not is_ordinary(secret)


def test_names_in_reports_and_outputs_of_tools_are_ordinary_words() -> None:
    # A raw output in which a name were masked could not be read again.
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    names = set(_names_in_schema(schema)) | {
        name for stages in FINDING_TOOLS.items() for name in (stages[0], *stages[1])
    }
    for path in FIXTURES.glob("*/*.json"):
        recorded = json.loads(path.read_text(encoding="utf-8"))
        for text in recorded.values() if isinstance(recorded, dict) else ():
            names |= set(_names(_parsed(text)))
    assert not sorted(name for name in names if len(name) >= 8 and not is_ordinary(name))


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None


def _names(value: Any) -> Any:
    if isinstance(value, dict):
        for name, item in value.items():
            # What is no word is the name of a file or a package.
            yield from [name] if name.replace("_", "").isalpha() and name[0].islower() else []
            yield from _names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _names(item)


def _names_in_schema(value: Any) -> Any:
    if isinstance(value, dict):
        yield from value.get("properties", ())
        for item in value.values():
            yield from _names_in_schema(item)
    elif isinstance(value, list):
        for item in value:
            yield from _names_in_schema(item)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://user:p%40ss§example.org/x", {"p%40ss", "p@ss"}),
        ("https://token§example.org", {"token"}),
        ("https://:pass§example.org", {"pass"}),
        ("https://user:§example.org", {"user"}),
        ("https://user:p§ss§example.org", {"p@ss"}),
        ("https://example.org/a§b", set[str]()),
        ("https://[x/", set[str]()),
    ],
)
def test_the_credentials_of_an_address(address: str, found: set[str]) -> None:
    # The sign is put in here: written out, each would be a finding of the repository's own secrets stage.
    assert set(credentials_of(address.replace("§", "@"))) == {text.replace("§", "@") for text in found}


def test_what_a_variable_holds() -> None:
    address = "https://user:hidden-one§example.org/simple,redis://:hidden-two§cache".replace("§", "@")
    assert set(values_of("PIP_INDEX_URL", address)) == {"hidden-one", "hidden-two"}
    assert not list(values_of("PATH", "/usr/bin"))
    key = "\n".join(("hidden", "key"))
    account = json.dumps({"type": "service_account", "private_key": key, "client_email": "a", "number": 1})
    assert list(values_of("GOOGLE_CREDENTIALS", account)) == [account, key]
    assert list(values_of("MY_TOKEN", "{not json")) == ["{not json"]
    assert list(values_of("MY_TOKEN", '{"a": [[')) == ['{"a": [[']


def test_a_secret_of_several_lines_counts_line_by_line() -> None:
    kind = " ".join(("PRIVATE", "KEY"))
    key = f"-----BEGIN {kind}-----\n  MIIEvQIBADANBgkqhki\n-----END {kind}-----\n"
    assert set(parts_of(key)) == {key, key.strip(), "MIIEvQIBADANBgkqhki", ""} - {""}
    assert list(parts_of(" one ")) == [" one ", "one"]


@given(TEXTS)
def test_every_form_is_known(secret: str) -> None:
    raw, known, quoted = secret.encode(), forms(secret), shlex.quote(secret)
    in_shell = quoted if quoted == secret else quoted[1:-1]
    written = [
        secret, quote(secret), quote(secret, safe=""), quote_plus(secret), urlencode({"": secret})[1:],
        quote(secret, safe="!'()*"), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(),
        base64.b64encode(raw).decode().rstrip("="), json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(json.dumps(secret))[3:-3], repr(secret)[1:-1],
        escape(secret), quoteattr(secret)[1:-1],
        html.escape(secret), in_shell, "".join(f"%{byte:02x}" for byte in raw),
    ]  # fmt: skip
    assert set(written) <= known


@given(TEXTS, st.binary(max_size=7), st.binary(max_size=7))
def test_within_a_longer_text_in_base64_all_but_the_edges_is_known(secret: str, before: bytes, behind: bytes) -> None:
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        whole = encode(before + secret.encode() + behind).decode()
        found = max((form for form in forms(secret) if form in whole), key=len, default="")
        # Of the six bits of a character at either end, up to four may belong to the secret.
        assert 8 * len(secret.encode()) - 6 * len(found.rstrip("=")) <= 8


def test_percent_encoding_in_lower_case_is_known() -> None:
    assert {"a%2fb%c3%a4+%3d", "a%2Fb%C3%A4+%3D"} <= forms("a/bä =")


def test_a_shell_writes_it_in_a_known_form() -> None:
    script = 'printf "%q\\n" "$1"; set -x; : "$1"'
    shell = subprocess.run(["bash", "-c", script, "-", SECRET], capture_output=True, check=True, encoding="utf-8")
    lines = [shell.stdout.strip(), shell.stderr.splitlines()[0].removeprefix("+ : ")]
    assert all(any(form in line for form in forms(SECRET)) for line in lines), lines


@pytest.mark.parametrize("secret", ["caf\udce9-credential", "\ud800-credential"])
def test_what_is_no_text_has_forms_too(secret: str) -> None:
    assert secret in forms(secret)
