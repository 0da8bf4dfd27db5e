"""Where packages come from: pip's own index and certificate settings, said again in the words of uv.

uv does not read pip's configuration, so a machine that reaches its packages only through a mirror would find none.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import ConfigurationError


def uv_environment(environ: Mapping[str, str], files: tuple[Path, ...] | None = None) -> dict[str, str]:
    """The ``UV_…`` and certificate variables that say what pip's configuration says; what is set for uv already stays.

    ``files`` are pip's configuration files from the least to the most specific; by default those of this machine.

    Raises:
        ConfigurationError: one of them can't be read (pip would not start either).
    """
    pip = _pip_settings(environ, _pip_files(environ) if files is None else files)
    # pip is built on requests and so follows its variables too.
    bundle = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE", "")
    translated = {
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(map(_whole, pip.get("extra-index-url", "").split())),
        "UV_FIND_LINKS": ",".join(map(_whole, pip.get("find-links", "").split())),
        "UV_NO_INDEX": "1" if pip.get("no-index", "").lower() in ("1", "true", "yes", "on") else "",
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", "").split()),
        "SSL_CERT_FILE": pip.get("cert") or bundle,
        "SSL_CLIENT_CERT": pip.get("client-cert", ""),
        "ALL_PROXY": pip.get("proxy", ""),
    }
    result = {name: value for name, value in translated.items() if value and not environ.get(name)}
    # With a place of links or a further index that is not there uv stops, where pip only warns; pip's meaning is kept.
    for name, separator in (("UV_INDEX", " "), ("UV_FIND_LINKS", ",")):
        present = [place for place in result.get(name, "").split(separator) if place and _is_there(place)]
        result.pop(name, None)
        if present:
            result[name] = separator.join(present)
    if "UV_INDEX" in result:
        # pip looks at all of its indexes for a version, uv at the first that has the package. What is installed is
        # pinned by hash, so the confusion of packages that uv guards against can't happen.
        result["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    result.update({name: value for name, value in environ.items() if name.startswith("UV_")})
    return result


def _whole(place: str) -> str:
    """A local place without the home's short form, and absolute: uv is started in a folder of its own."""
    return place if "://" in place else os.path.abspath(os.path.expanduser(place))


def _is_there(place: str) -> bool:
    if place.startswith("file://"):
        place = unquote(urlsplit(place).path)
    return "://" in place or Path(place).exists()


def _pip_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """pip's configuration files, in the order in which it reads them (pip's documentation, "Configuration files")."""
    if environ.get("PIP_CONFIG_FILE") == os.devnull:
        return ()
    home = Path(environ.get("HOME", "~")).expanduser()
    user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    system = [
        Path(folder) / "pip/pip.conf" for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if folder
    ]
    files = [*system, Path("/etc/pip.conf"), home / ".pip/pip.conf", user / "pip/pip.conf"]
    if environ.get("VIRTUAL_ENV"):
        files.append(Path(environ["VIRTUAL_ENV"]) / "pip.conf")
    if environ.get("PIP_CONFIG_FILE"):
        files.append(Path(environ["PIP_CONFIG_FILE"]))
    return tuple(files)


def _pip_settings(environ: Mapping[str, str], files: tuple[Path, ...]) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read([str(path) for path in files], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        # Only the first line: the next ones may quote a file that holds credentials.
        what = str(error).partition("\n")[0]
        raise ConfigurationError(f"pip's configuration can't be read: {what}", advice="Mend the file.") from error
    values: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            values.update({name.replace("_", "-"): value for name, value in parser.items(section)})
    for variable, value in environ.items():
        if variable.startswith("PIP_") and value:
            values[variable.removeprefix("PIP_").lower().replace("_", "-")] = value
    return values
