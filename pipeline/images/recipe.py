"""What each base is made of: the packages by name, what of them is left out, and what their scripts would have made.

Found by trying: the runtime's every shared library and the service's every import are there (a test reads the ELF
headers), and nothing that can start another program, change rights or install anything is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fnmatch import translate

from pipeline.images.rootfs import MERGED, FileTree

NONROOT = 65532

_RUNTIME = (
    "base-files",
    "ca-certificates",
    "gcc-14-base",
    "libbz2-1.0",
    "libc6",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libpython3.13-minimal",
    "libpython3.13-stdlib",
    "libssl3t64",
    "libuuid1",
    "libzstd1",
    "media-types",
    "netbase",
    "python3.13-minimal",
    "zlib1g",
)
_ONLY_BUILDER = (
    "coreutils",
    "dash",
    "findutils",
    "libacl1",
    "libattr1",
    "libcap2",
    "libgmp10",
    "libpcre2-8-0",
    "libselinux1",
    "libsystemd0",
    "python3-pip",
)

#: The bases and the Debian packages that each is made of, before any version is chosen.
PACKAGE_NAMES: Mapping[str, tuple[str, ...]] = {
    "builder": tuple(sorted(_RUNTIME + _ONLY_BUILDER)),
    "runtime": _RUNTIME,
}

# Licences stay (the packages' own terms ask for it, and scanners read them); other documentation goes. libgcc-s1 and
# libpython3.13-stdlib have a link where others have the folder.
_KEPT_ALWAYS = re.compile(
    r"usr/share/doc/([^/]+/copyright|libgcc-s1|libpython3\.13-stdlib)|usr/share/common-licenses/.+",
)
# Of the standard library go its tests and what needs a terminal or a library that no service needs: curses, readline,
# SQLite, Berkeley DB; the slow Python twins of modules that are there in C; the tools of somebody who writes or debugs
# Python (1.0 MB); and the encodings of East Asia and of old Macintoshes that UTF-8 has replaced (1.1 MB).
_LEFT_OUT = (
    "etc/binfmt.d/*",
    "etc/ca-certificates/*",
    "etc/issue*",
    "etc/ld.so.conf.d/*",
    "etc/motd",
    "etc/profile.d/*",
    "etc/update-motd.d/*",
    "usr/lib/*/audit/*",
    "usr/lib/*/engines-3/*",
    "usr/lib/*/gconv/*",
    "usr/lib/*/libBrokenLocale*",
    "usr/lib/*/libc_malloc_debug*",
    "usr/lib/*/libexpatw*",
    "usr/lib/*/libmemusage*",
    "usr/lib/*/libmvec*",
    "usr/lib/*/libnsl*",
    "usr/lib/*/libnss_compat*",
    "usr/lib/*/libnss_hesiod*",
    "usr/lib/*/libpcprofile*",
    "usr/lib/*/libthread_db*",
    "usr/lib/binfmt.d/*",
    "usr/lib/python3.13/lib-dynload/_test*",
    "usr/lib/python3.13/lib-dynload/_xx*",
    "usr/lib/python3.13/lib-dynload/xx*",
    "usr/lib/python3.13/lib-dynload/_curses*",
    "usr/lib/python3.13/lib-dynload/_dbm*",
    "usr/lib/python3.13/lib-dynload/_sqlite3*",
    "usr/lib/python3.13/lib-dynload/readline*",
    "usr/lib/python3.13/_pydatetime.py",
    "usr/lib/python3.13/_pydecimal.py",
    "usr/lib/python3.13/_pyio.py",
    "usr/lib/python3.13/lib-dynload/_codecs_*",
    "usr/lib/python3.13/lib-dynload/_multibytecodec*",
    "usr/lib/python3.13/_pyrepl/*",
    "usr/lib/python3.13/bdb.py",
    "usr/lib/python3.13/curses/*",
    "usr/lib/python3.13/doctest.py",
    "usr/lib/python3.13/encodings/big5*",
    "usr/lib/python3.13/encodings/cp932.py",
    "usr/lib/python3.13/encodings/cp949.py",
    "usr/lib/python3.13/encodings/cp950.py",
    "usr/lib/python3.13/encodings/euc_*",
    "usr/lib/python3.13/encodings/gb*",
    "usr/lib/python3.13/encodings/hz.py",
    "usr/lib/python3.13/encodings/iso2022_*",
    "usr/lib/python3.13/encodings/johab.py",
    "usr/lib/python3.13/encodings/mac_*",
    "usr/lib/python3.13/encodings/shift_jis*",
    "usr/lib/python3.13/idlelib/*",
    "usr/lib/python3.13/pdb.py",
    "usr/lib/python3.13/pickletools.py",
    "usr/lib/python3.13/pydoc.py",
    "usr/lib/python3.13/pydoc_data/*",
    "usr/lib/python3.13/sqlite3/*",
    "usr/lib/python3.13/test/*",
    "usr/lib/python3.13/turtle*",
    "usr/lib/python3.13/unittest/*",
    "usr/lib/python3.13/venv/*",
    "usr/lib/valgrind/*",
    "usr/sbin/update-ca-certificates",
    "usr/share/base-files/*",
    "usr/share/bash-completion/*",
    "usr/share/binfmts/*",
    "usr/share/bug/*",
    "usr/share/doc-base/*",
    "usr/share/doc/*",
    "usr/share/gdb/*",
    "usr/share/info/*",
    "usr/share/lintian/*",
    "usr/share/locale/*",
    "usr/share/man/*",
    "usr/share/menu/*",
    "usr/share/pixmaps/*",
    "usr/share/debianutils/*",
    "var/*",
)
# The runtime starts Python and nothing else.
_RUNTIME_PROGRAMS = frozenset({"usr/bin/python3.13"})
_PROGRAM_FOLDERS = ("usr/bin/", "usr/sbin/")
# The links of a merged /usr, which base-files ships in some releases and not in others: they are always made by us.
_MERGED_PATHS = frozenset(f"usr/{name}" for name in MERGED)

_CERTIFICATES = "usr/share/ca-certificates/"
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_PASSWD = (
    "root:x:0:0:root:/root:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    f"nonroot:x:{NONROOT}:{NONROOT}:nonroot:/home/nonroot:/usr/sbin/nologin\n"
)
_GROUP = f"root:x:0:\nnogroup:x:65534:\nnonroot:x:{NONROOT}:\n"
_NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n"


def wanted(name: str) -> Callable[[str], bool]:
    """Return the judge of a base's paths: does this path of a package belong into the base ``name``?"""
    dropped = _any_of(_LEFT_OUT)
    only_python = name == "runtime"

    def judge(path: str) -> bool:
        if path in _MERGED_PATHS or (
            only_python and path.startswith(_PROGRAM_FOLDERS) and path not in _RUNTIME_PROGRAMS
        ):
            return False
        return bool(_KEPT_ALWAYS.fullmatch(path)) or not dropped.match(path)

    return judge


def complete(tree: FileTree, name: str) -> None:
    """Add what the packages' maintainer scripts, which never run here, and a system's installer would have made."""
    for folder in MERGED:
        tree.add_link(folder, f"usr/{folder}")
        tree.add_folder(f"usr/{folder}")
    for folder in ("dev", "etc/ssl/private", "home", "opt", "proc", "run", "sys", "usr/local/bin", "var/cache"):
        tree.add_folder(folder, 0o755)
    tree.add_folder("root", 0o700)
    tree.add_folder("home/nonroot", 0o700, owner=NONROOT)
    for folder in ("tmp", "var/tmp"):
        tree.add_folder(folder, 0o1777)
    tree.add_link("var/run", "/run")
    tree.add_file("etc/passwd", _PASSWD.encode())
    tree.add_file("etc/group", _GROUP.encode())
    tree.add_file("etc/nsswitch.conf", _NSSWITCH.encode())
    _certificates(tree)
    tree.add_link("etc/dpkg/origins/default", "debian")
    tree.add_link("usr/bin/python3", "python3.13")
    if name == "builder":
        tree.add_link("usr/bin/python", "python3")


def _certificates(tree: FileTree) -> None:
    """Make the bundle that update-ca-certificates(8) makes, and OpenSSL's default paths to it."""
    bundle = b"".join(content.rstrip(b"\n") + b"\n" for _, content in tree.take(_CERTIFICATES))
    tree.add_file(_BUNDLE, bundle)
    tree.add_link("usr/lib/ssl/certs", "/etc/ssl/certs")
    tree.add_link("usr/lib/ssl/cert.pem", f"/{_BUNDLE}")


def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns))
