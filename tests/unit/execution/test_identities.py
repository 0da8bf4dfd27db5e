"""What this machine and this package are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipeline.execution.identities import distributions, machine, package_digest, pythons
from tests.support import write_files


def test_every_file_of_a_package_counts_but_its_bytecode(tmp_path: Path) -> None:
    package = write_files(tmp_path / "package", {"a.py": "1", "locks/b.txt": "2"})
    digests = [package_digest(package)]
    for name, content in (("a.py", "2"), ("locks/c.txt", "3"), ("page.html", "4"), ("__pycache__/a.pyc", "5")):
        write_files(package, {name: content})
        package_digest.cache_clear()
        digests.append(package_digest(package))
    assert len(set(digests)) == 4
    assert digests[-1] == digests[-2]


def test_what_is_installed_beside_a_module_counts_by_its_version(tmp_path: Path) -> None:
    module = tmp_path / "lib/site-packages/packaging/__init__.py"
    write_files(tmp_path / "lib/site-packages", {"packaging/__init__.py": "", "a-1.dist-info/RECORD": ""})
    before = distributions(module)
    (module.parents[1] / "a-1.dist-info").rename(module.parents[1] / "a-2.dist-info")
    distributions.cache_clear()
    assert distributions(module) != before
    assert distributions(tmp_path / "elsewhere.py")


def test_the_machine_is_told_by_system_and_architecture() -> None:
    assert machine().startswith(f"{sys.platform} {os.uname().machine}")


def test_a_python_that_was_replaced_is_another_one(tmp_path: Path) -> None:
    write_files(tmp_path / "bin", {"python3.99": "one"})
    environ = {"PATH": f"{tmp_path / 'bin'}:relative", "HOME": str(tmp_path)}
    before = pythons("3.99", environ)
    assert f"{tmp_path}/bin/python3.99 3 " in before
    assert os.path.realpath(getattr(sys, "_base_executable", sys.executable)) in before
    write_files(tmp_path / "bin", {"python3.99": "four"})
    assert pythons("3.99", environ) != before
    (tmp_path / "bin/python3.99").unlink()
    (tmp_path / "bin/python3.99").symlink_to(tmp_path / "gone")
    assert f"{tmp_path}/bin" not in pythons("3.99", environ)
