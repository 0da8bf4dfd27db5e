"""Where packages come from: pip's own index and certificate settings, said again in the words of uv.

uv does not read pip's configuration, so a machine that reaches its packages only through a mirror would find none.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path


def uv_environment(environ: Mapping[str, str], files: tuple[Path, ...] | None = None) -> dict[str, str]:
    """The ``UV_…`` and certificate variables that say what pip's configuration says; what is set for uv already stays.

    ``files`` are pip's configuration files from the least to the most specific; by default those of this machine.
    """
    pip = _pip_settings(environ, _pip_files(environ) if files is None else files)
    translated = {
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": " ".join(pip.get("extra-index-url", "").split()),
        "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split()),
        "UV_INSECURE_HOST": " ".join(pip.get("trusted-host", "").split()),
        "SSL_CERT_FILE": pip.get("cert", ""),
    }
    result = {name: value for name, value in translated.items() if value and not environ.get(name)}
    # With a place of links or a further index that is not there uv stops, where pip only warns; pip's meaning is kept.
    for name, separator in (("UV_INDEX", " "), ("UV_FIND_LINKS", ",")):
        present = [place for place in result.get(name, "").split(separator) if place and _is_there(place)]
        result.pop(name, None)
        if present:
            result[name] = separator.join(present)
    if "UV_INDEX" in result:
        # pip looks at all of its indexes for a version, uv at the first that has the package. What is installed is pinned by hash,
        # so the confusion of packages that uv guards against can't happen.
        result["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    result.update({name: value for name, value in environ.items() if name.startswith("UV_")})
    return result


def _is_there(place: str) -> bool:
    if place.startswith("file://"):
        place = place.removeprefix("file://")
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
    parser.read([str(path) for path in files], encoding="utf-8")
    values: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            values.update(parser.items(section))
    for variable, value in environ.items():
        if variable.startswith("PIP_") and value:
            values[variable.removeprefix("PIP_").lower().replace("_", "-")] = value
    return values
