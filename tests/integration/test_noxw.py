"""The real wrapper, in copies of the checkout: it makes its environment whatever happened before, and no other."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.quick_stages import children
from tests.wheels import lock_line, make_wheel
from tests.wrapper_copy import ROOT, Copy, environment, green, set_up_copy


@pytest.fixture(name="copy")
def _copy_fixture(tmp_path: Path) -> Copy:
    return set_up_copy(tmp_path)


@pytest.fixture(name="checkout", scope="module")
def _checkout_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """The working tree as it is, new files included, in a path with a space."""
    root = tmp_path_factory.mktemp("real") / "with space"
    listing = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listing.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    yield Copy(root, environment())
    shutil.rmtree(root, ignore_errors=True)


def test_from_nothing_to_the_list_of_stages_and_then_without_delay(checkout: Copy) -> None:
    code, out, err = checkout.run("stages")
    assert code == 0, err
    names = [line.split()[0] for line in out.splitlines()]
    assert names == ["lint", "scan", "secrets", "audit", "test", "build", "smoke", "canary", "push"]
    assert "noxw: making .pipeline/venv\n" in err
    assert "noxw: installing what pipeline/locks/runtime.txt names\n" in err
    code, again, err = checkout.run("stages")
    assert (code, again, err) == (0, out, ""), "the second time there is nothing to set up"
    code, out, err = checkout.run("-l")
    assert (code, "* lint" in out) == (0, True), err
    assert checkout.run("help")[0] == 0


def test_words_go_to_the_package_and_the_environment_is_its_own(copy: Copy) -> None:
    green(copy, copy.run("lint"))
    assert copy.run()[1].startswith("pipeline ['run'] "), "nothing in particular: everything"
    code, _, err = copy.run("-l")
    assert (code, "No module named nox" in err) == (1, True)


@pytest.mark.parametrize("moment", ["making .pipeline/venv", "installing what"])
def test_after_a_kill_in_the_middle_the_next_run_makes_it_anew(moment: str, copy: Copy) -> None:
    process = copy.start("lint")
    assert process.stderr is not None
    while moment not in process.stderr.readline():
        pass
    while not children(process.pid):
        assert process.poll() is None
    # What it has begun goes on for a moment, and it can't go on itself, so that it is killed in the middle however busy
    # the machine is.
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    process.kill()
    process.communicate()
    assert not (copy.venv / ".made-by-noxw").read_text(encoding="utf-8")
    green(copy, copy.run("lint"))


@pytest.mark.full
def test_a_removal_that_was_killed_is_no_obstacle(copy: Copy) -> None:
    discarded = copy.root / ".pipeline" / "venv-discarded"
    (discarded / "bin").mkdir(parents=True)
    (discarded / "bin" / "python").touch()
    green(copy, copy.run("lint"))
    assert not discarded.exists()


def test_a_new_lock_makes_it_anew_and_nothing_of_the_old_stays(copy: Copy) -> None:
    green(copy, copy.run("lint"))
    (copy.venv / "stray").touch()
    wheel = make_wheel(copy.root.parent / "wheels", "sample", "2.0")
    (copy.root / "pipeline" / "locks" / "runtime.txt").write_text(lock_line(wheel), encoding="utf-8")
    green(copy, copy.run("lint"), "2.0")
    assert not (copy.venv / "stray").exists()


def test_the_extra_s_own_lock_is_installed_where_keyless_signatures_are_asked_for(copy: Copy) -> None:
    wheel = make_wheel(copy.root.parent / "wheels", "sample", "3.0")
    (copy.root / "pipeline" / "locks" / "keyless.txt").write_text(lock_line(wheel), encoding="utf-8")
    green(copy, copy.run("lint", PIPELINE_PUSH_KEYLESS="true"), "3.0")
    (copy.root / "pyproject.toml").write_text("[tool.pipeline.push]\nkeyless = true\n", encoding="utf-8")
    assert copy.run("lint")[2] == "", "it is there already"
    (copy.root / "pyproject.toml").write_text("[tool", encoding="utf-8")
    green(copy, copy.run("lint"))


@pytest.mark.full
def test_a_checkout_that_was_moved_makes_its_own(copy: Copy) -> None:
    green(copy, copy.run("lint"))
    copy.root.rename(copy.root.parent / "moved")
    moved = Copy(copy.root.parent / "moved", copy.environ)
    green(moved, moved.run("lint"))


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_foreign_environment_is_refused_and_not_touched(kind: str, copy: Copy) -> None:
    foreign = copy.venv if kind == "folder" else copy.root.parent / "foreign"
    foreign.mkdir(parents=True)
    (foreign / "precious").touch()
    if kind == "link":
        copy.venv.parent.mkdir()
        copy.venv.symlink_to(foreign)
    code, out, err = copy.run("lint")
    assert (code, out) == (2, "")
    assert err == f"noxw: {copy.venv} exists and is not noxw's; move it away, then run again.\n"
    assert os.listdir(foreign) == ["precious"]


def test_of_two_at_once_the_second_waits_and_names_the_first(copy: Copy) -> None:
    first = copy.start("lint")
    assert first.stderr is not None
    assert first.stderr.readline() == "noxw: making .pipeline/venv\n"
    second = copy.run("lint")
    out, err = first.communicate()
    green(copy, (first.returncode, out, err))
    green(copy, second)
    # Said again now and then, as long as it takes.
    assert {*second[2].splitlines()} == {f"noxw: waiting for the set-up that another run is doing (pid {first.pid})"}


@pytest.mark.full
def test_an_interrupt_ends_it_at_once_and_the_next_run_makes_it(copy: Copy) -> None:
    process = copy.start("lint")
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, "Traceback" in err) == (130, False)
    green(copy, copy.run("lint"))


@pytest.mark.full
def test_packages_that_can_not_be_had_are_said_and_tried_again(copy: Copy) -> None:
    code, _, err = copy.run("lint", PIP_FIND_LINKS=str(copy.root))
    assert code == 3
    assert "No matching distribution found for sample==1.0" in err
    assert err.endswith("noxw: installing what pipeline/locks/runtime.txt names failed (exit code 1).\n")
    green(copy, copy.run("lint"))


@pytest.mark.full
def test_a_package_with_another_hash_is_not_installed(copy: Copy) -> None:
    lock = copy.root / "pipeline" / "locks" / "runtime.txt"
    lock.write_text("sample==1.0 --hash=sha256:" + "0" * 64 + "\n", encoding="utf-8")
    code, _, err = copy.run("lint")
    assert (code, "DO NOT MATCH THE HASHES" in err) == (3, True)


def test_a_place_that_can_not_be_written_is_a_sentence(copy: Copy) -> None:
    (copy.root / ".pipeline").touch()
    code, _, err = copy.run("lint")
    assert (code, "Traceback" in err, err.startswith("noxw: ")) == (3, False, True)
