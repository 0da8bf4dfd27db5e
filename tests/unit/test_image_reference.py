"""What names an image, where it is looked for, and to whom a login goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.engines.registry_auth import PASSWORD as PASSWORD_VARIABLE
from pipeline.engines.registry_auth import USERNAME
from pipeline.engines.registry_client import RegistryClient
from pipeline.errors import ConfigurationError
from pipeline.execution.oci_layout import OciLayout
from pipeline.execution.redaction import SecretRedactor
from pipeline.image_reference import ImageReference, check_tag, opened, read_reference, settings_without_checkout
from pipeline.settings_push import Push
from tests.support import PASSWORD, write_files

DIGEST = "sha256:" + "a" * 64
OURS = Push(registry="registry.example", repository="team/echo")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("host.example/a/b:1.0", ("host.example", "a/b", "1.0")),
        ("host:5000/a:1.0", ("host:5000", "a", "1.0")),
        ("localhost/a:1.0", ("localhost", "a", "1.0")),
        ("[::1]:5000/a:1.0", ("[::1]:5000", "a", "1.0")),
        (f"host.example/a@{DIGEST}", ("host.example", "a", DIGEST)),
        (f"host.example/a:1.0@{DIGEST}", ("host.example", "a", DIGEST)),
        ("1.0", ("registry.example", "team/echo", "1.0")),
        (DIGEST, ("registry.example", "team/echo", DIGEST)),
    ],
)
def test_an_image_in_a_registry_is_named(text: str, expected: tuple[str, str, str]) -> None:
    named = read_reference(text, OURS)
    assert (named.host, named.repository, named.reference) == expected


@pytest.mark.parametrize(("text", "reference"), [("oci:some/dir:1.0", "1.0"), (f"oci:some/dir@{DIGEST}", DIGEST)])
def test_an_image_in_a_folder_is_named(text: str, reference: str) -> None:
    assert read_reference(text, Push()) == ImageReference(folder="some/dir", reference=reference)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host.example/a",
        "a/b:1.0",
        "host.example/A:1.0",
        "host.example/a@sha256:ab",
        "https://h.example/a:1",
        "oci:x",
    ],
)
def test_what_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="does not name an image"):
        read_reference(text, OURS)


def test_a_mere_tag_needs_a_registry_of_the_settings() -> None:
    with pytest.raises(ConfigurationError, match="does not name an image"):
        read_reference("1.0", Push(repository="team/echo"))


@pytest.mark.parametrize("tag", ["", "a b", "-x", "x" * 129, "sha256-" + "a" * 64, "sha256-" + "a" * 64 + ".sig"])
def test_what_can_not_be_a_tag_is_refused(tag: str) -> None:
    with pytest.raises(ConfigurationError, match="can't be the tag"):
        check_tag(tag)


def test_a_login_goes_to_the_registry_of_the_settings_and_to_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    environ, redact = {USERNAME: "somebody", PASSWORD_VARIABLE: PASSWORD}, SecretRedactor({})
    for host, expected in (("registry.example", {"username": "somebody", "password": PASSWORD}), ("other.example", {})):
        holder = opened(ImageReference(host=host, repository="a", reference="1"), OURS, environ, redact)
        assert isinstance(holder, RegistryClient)
        assert holder.credentials == expected
        holder.close()
    assert PASSWORD not in redact(PASSWORD)


def test_a_folder_is_opened_without_any_registry(tmp_path: Path) -> None:
    write_files(tmp_path, {"index.json": '{"manifests": []}'})
    holder = opened(ImageReference(folder=str(tmp_path), reference="1"), Push(), {}, SecretRedactor({}))
    assert isinstance(holder, OciLayout)


def test_without_a_project_the_environment_says_how_a_private_registry_is_reached() -> None:
    push = settings_without_checkout({"PIPELINE_PUSH_CA_FILE": "ca.pem", "PIPELINE_PUSH_INSECURE": "True"})
    assert (push.ca_file, push.insecure) == ("ca.pem", True)
    assert settings_without_checkout({}) == Push()
