"""lint, scan and secrets with the real tools in their real environments: green on honest projects, green on no trap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core.ports import Environments
from pipeline.core.stage import Examination, Status
from pipeline.core.verdict import conclude
from pipeline.execution.checkout import Checkout
from pipeline.execution.laid_out import lay_out
from pipeline.settings import Exclusion, Lint, Scan, Secrets, Settings
from pipeline.settings import Test as ProjectTests
from pipeline.stages.context import Context, Stage, packaged_lock
from pipeline.stages.lint import LintStage
from pipeline.stages.scan import ScanStage
from pipeline.stages.secrets import SecretsStage
from tests.planted import FORMS, HARMLESS, SETTINGS, Files
from tests.projects import make_project
from tests.support import ALLOW, KEY_ID, PASSWORD, make_context, real_processes, write_files

CLEAN = '"""A module."""\n\nANSWER = 42\n'
INSECURE = '"""A module."""\nimport subprocess\n\nsubprocess.call(input(), shell=True)\n'
HONEST_NAMES = (
    ".github/scripts/x.py", "foo.github.io/x.py", "CVSparser/x.py", "tests/x.py", "venv/x.py", ".tox/a/x.py",
    "lib.egg/x.py", "build/x.py", "größe/naïve.py", "with space/a b.py", "-dash.py", "a,b.py", "[x].py",
    "src/pkg/__init__.py", "one/same.py", "two/same.py",
)  # fmt: skip


class Examiner:
    """Runs a stage over files with the real tools."""

    def __init__(self, folder: Path, environments: Environments) -> None:
        self._folder = folder
        self._environments = environments
        self.contexts: list[Context] = []

    def __call__(self, stage: Stage, files: Files, settings: Settings | None = None) -> Examination:
        place = self._folder / f"project {len(self.contexts)}"
        tree = write_files(place / "tree", files)
        chosen = settings or Settings(
            lint=Lint(paths=(".",)), scan=Scan(paths=(".",)), test=ProjectTests(requirements=("project.lock",))
        )
        if isinstance(stage, LintStage):
            write_files(tree, {"project.lock": packaged_lock("test").read_text(encoding="utf-8")})
        context = make_context(place / "run", tree, chosen, processes=real_processes(), environments=self._environments)
        self.contexts.append(context)
        return stage.run(context)


@pytest.fixture(name="examine")
def examine_fixture(tmp_path: Path, tool_environments: Environments) -> Examiner:
    return Examiner(tmp_path, tool_environments)


def verdict(examination: Examination) -> tuple[Status, str]:
    status, reasons = conclude(examination)
    return status, " ".join(reasons)


def rules(examination: Examination) -> set[str]:
    return {finding.rule for finding in examination.findings}


# --- scan -----------------------------------------------------------------------------------------------------------


def test_scan_is_green_on_honest_files_whatever_their_names(examine: Examiner) -> None:
    files = {name: CLEAN for name in HONEST_NAMES}
    odd: dict[str, str | bytes] = {
        "empty.py": b"",
        "crlf.py": CLEAN.replace("\n", "\r\n"),
        "bom.py": b"\xef\xbb\xbfX = 1\n",
    }
    latin: dict[str, str | bytes] = {"latin.py": b"# -*- coding: latin-1 -*-\n# caf\xe9\n"}
    examined = examine(ScanStage(), {**files, **odd, **latin})
    assert verdict(examined) == (Status.PASS, "")
    assert examined.evidence.checked == examined.evidence.expected == {*files, *odd, *latin}
    assert [tool.name for tool in examined.tools] == ["bandit"]


def test_scan_finds_insecure_code_in_every_one_of_them(examine: Examiner) -> None:
    examined = examine(ScanStage(), {name: INSECURE for name in HONEST_NAMES})
    assert verdict(examined)[0] is Status.FAIL
    assert {f.path for f in examined.findings if f.rule == "B602"} == set(HONEST_NAMES)


@pytest.mark.parametrize(
    "broken", [b"x = (\n", b"print 'python 2'\n", b"x = 1\0\n", b"x = 1  # caf\xe9\n", b"# -*- coding: nonsense -*-\n"]
)
def test_scan_of_what_bandit_can_not_parse_is_inconclusive_and_named(examine: Examiner, broken: bytes) -> None:
    status, reasons = verdict(examine(ScanStage(), {"good.py": CLEAN, "broken.py": broken}))
    assert status is Status.INCONCLUSIVE
    assert "bandit could not scan broken.py" in reasons
    assert "1 of 2 Python files were not checked: broken.py." in reasons


@pytest.mark.parametrize(
    "configuration",
    [
        {"pyproject.toml": '[tool.bandit]\nskips = ["B602"]\nexclude_dirs = ["."]\n'},
        {".bandit": "[bandit]\nskips = B602\nexclude = .\n"},
        {"bandit.yaml": "skips: [B602]\n"},
    ],
)
def test_scan_is_not_emptied_by_the_projects_own_configuration(examine: Examiner, configuration: Files) -> None:
    status, reasons = verdict(examine(ScanStage(), {"bad.py": INSECURE, **configuration}))
    assert status is Status.FAIL
    assert "was not applied" in reasons


def test_scan_is_not_misled_by_modules_of_the_tree_that_are_named_like_bandits_own(examine: Examiner) -> None:
    decoys = {
        f"{name}.py": "raise SystemExit(0)\n"
        for name in ("bandit", "yaml", "ast", "json", "stevedore", "sitecustomize")
    }
    assert verdict(examine(ScanStage(), {**decoys, "bad.py": INSECURE}))[0] is Status.FAIL


def test_scan_respects_nosec_and_lists_it(examine: Examiner) -> None:
    source = INSECURE.replace("shell=True)", "shell=True)  # nosec B602 - a sample")
    examined = examine(ScanStage(), {"a.py": source})
    assert verdict(examined)[0] is Status.PASS
    assert [(s.line, s.text) for s in examined.suppressions] == [(4, "# nosec B602 - a sample")]


def test_scan_masks_a_password_that_bandit_repeats(examine: Examiner) -> None:
    examined = examine(ScanStage(), {"a.py": f'DB_PASSWORD = "{PASSWORD}"\nassert DB_PASSWORD == "{PASSWORD}"\n'})
    assert "B105" in rules(examined)
    assert PASSWORD not in str(examined)
    for path in examine.contexts[0].raw.iterdir():
        assert PASSWORD not in path.read_text(encoding="utf-8")


def test_scan_of_thousands_of_files_is_whole(examine: Examiner) -> None:
    files = {f"package_{number % 50}/a_rather_long_module_name_{number:05}.py": "" for number in range(3000)}
    examined = examine(ScanStage(), files)
    assert verdict(examined) == (Status.PASS, "")
    assert len(examined.evidence.checked) == 3000


# --- secrets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("planted", "secret"), [(SETTINGS, PASSWORD), (FORMS, KEY_ID)], ids=["settings", "forms"])
def test_secrets_finds_each_planted_credential_and_shows_none(examine: Examiner, planted: Files, secret: str) -> None:
    examined = examine(SecretsStage(), planted)
    assert verdict(examined)[0] is Status.FAIL
    assert {f.path for f in examined.findings} == set(planted)
    assert examined.evidence.checked == set(planted)
    context = examine.contexts[0]
    for text in (str(examined), (context.raw / "secrets.json").read_text(encoding="utf-8")):
        assert secret not in text
    assert context.ports.redact(f"it is {secret}") == "it is [secret]"


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_secrets_fails_for_one_password_alone(examine: Examiner, name: str) -> None:
    assert verdict(examine(SecretsStage(), {name: SETTINGS[name]}))[0] is Status.FAIL


def test_secrets_finds_a_credential_in_a_new_file_that_git_does_not_track(
    tmp_path: Path, tool_environments: Environments
) -> None:
    project = make_project(tmp_path / "project")
    write_files(project, {"new.env": SETTINGS[".env"], ".pipeline/ignored.env": SETTINGS[".env"]})
    processes = real_processes()
    snapshot = Checkout(project, processes).snapshot()
    (tmp_path / "trees").mkdir()
    context = make_context(
        tmp_path / "run",
        lay_out(snapshot, project, tmp_path / "trees"),
        Settings(),
        processes=processes,
        environments=tool_environments,
        snapshot=snapshot,
    )
    assert {finding.path for finding in SecretsStage().run(context).findings} == {"new.env"}


def test_secrets_is_green_on_hashes_references_and_placeholders(examine: Examiner) -> None:
    examined = examine(SecretsStage(), HARMLESS)
    assert not [f.place for f in examined.findings]
    assert verdict(examined) == (Status.PASS, "")
    assert examined.evidence.checked == set(HARMLESS)


def test_secrets_is_not_emptied_by_the_scanners_own_baseline_or_names(examine: Examiner) -> None:
    files = {".secrets.baseline": "{}", "-dash.py": SETTINGS["settings.py"], "größe/a b.py": SETTINGS["settings.py"]}
    assert {f.path for f in examine(SecretsStage(), files).findings} == {"-dash.py", "größe/a b.py"}


def test_secrets_respects_an_allow_list_comment_and_lists_it(examine: Examiner) -> None:
    examined = examine(SecretsStage(), {"a.py": f'DB_PASSWORD = "{PASSWORD}"  # {ALLOW} - a sample\n'})
    assert verdict(examined)[0] is Status.PASS
    assert [(s.kind, s.line) for s in examined.suppressions] == [("allowlist", 1)]


def test_secrets_leaves_out_what_is_excluded_by_name(examine: Examiner) -> None:
    settings = Settings(secrets=Secrets(exclude=(Exclusion(path="samples", reason="Nobody's."),)))
    examined = examine(SecretsStage(), {"samples/a.py": SETTINGS["settings.py"], "b.py": CLEAN}, settings)
    assert verdict(examined)[0] is Status.PASS
    assert [n.reason for n in examined.not_checked] == ["Nobody's."]


# --- lint -----------------------------------------------------------------------------------------------------------


def test_lint_is_green_on_honest_files(examine: Examiner) -> None:
    files: dict[str, str | bytes] = {
        "src/pkg/__init__.py": CLEAN, "src/pkg/main.py": '"""Main."""\n\nfrom pkg import ANSWER\n\nprint(ANSWER)\n',
        "one/same.py": CLEAN, "two/same.py": CLEAN, "größe/a.py": CLEAN, "with space/a.py": CLEAN, "-dash.py": CLEAN,
        "a,b.py": CLEAN, "empty.py": b"", "crlf.py": CLEAN.replace("\n", "\r\n"), ".github/scripts/x.py": CLEAN,
    }  # fmt: skip
    examined = examine(LintStage(), files)
    status, reasons = verdict(examined)
    assert (status, examined.evidence.missing) == (Status.PASS, ()), reasons
    assert reasons.startswith("pylint score ")


@pytest.mark.parametrize(
    ("files", "expected", "said"),
    [
        ({"a.py": '"""A."""\nimport os\n'}, Status.FAIL, "lint findings"),
        ({"a.py": "x = (\n"}, Status.FAIL, "lint findings"),
        ({"a.py": "x = 1\0\n"}, Status.FAIL, "lint findings"),
        (
            {"a.py": "# It is generated.\n# pylint: skip-file\n", "b.py": CLEAN},
            Status.INCONCLUSIVE,
            "a.py tells pylint to skip it.",
        ),
        (
            {"a.py": "# It is generated.\n# pylint: disable=all\n", "b.py": CLEAN},
            Status.INCONCLUSIVE,
            "a.py tells pylint to skip it.",
        ),
        (
            {"a.py": '"""A."""\n# It is generated.\n# ruff: noqa\n', "b.py": CLEAN},
            Status.INCONCLUSIVE,
            "a.py tells ruff to skip it.",
        ),
        (
            {"a.py": CLEAN, "pyproject.toml": '[tool.pylint.main]\nload-plugins = ["no_such_plugin"]\n'},
            Status.INCONCLUSIVE,
            "impossible to load",
        ),
        (
            {"a.py": CLEAN, "b.py": CLEAN, "pyproject.toml": '[tool.pylint.main]\nignore = ["a.py"]\n'},
            Status.INCONCLUSIVE,
            "1 of 2 Python files were not checked: a.py.",
        ),
        (
            {"a.py": CLEAN, "pyproject.toml": '[tool.pylint."messages control"]\ndisable = ["all"]\n'},
            Status.FAIL,
            "pylint did not catch",
        ),
        (
            {"a.py": CLEAN, "b.py": CLEAN, "ruff.toml": 'force-exclude = true\nextend-exclude = ["a.py"]\n'},
            Status.INCONCLUSIVE,
            "1 of 2 Python files were not checked: a.py.",
        ),
        (
            {"a.py": CLEAN, "ruff.toml": '[lint.per-file-ignores]\n"*" = ["ALL"]\n'},
            Status.FAIL,
            "ruff did not catch",
        ),
    ],
)
def test_lint_is_not_green_on_a_trap(examine: Examiner, files: Files, expected: Status, said: str) -> None:
    status, reasons = verdict(examine(LintStage(), files))
    assert status is expected, reasons
    assert said in reasons


PLUGIN = '''"""A plugin of the project's."""

from pylint.checkers import BaseChecker


class Counts(BaseChecker):
    """Tells in the end how many modules it has seen."""

    name = "counts"
    msgs = {"R9999": ("%s modules", "counted", "How many there were.")}

    def open(self):
        """None yet."""
        self.seen = 0

    def visit_module(self, _):
        """One more."""
        self.seen += 1

    def close(self):
        """All of them."""
        self.add_message("counted", args=(self.seen,))


def register(linter):
    """Have it work."""
    linter.register_checker(Counts(linter))
'''


def test_a_plugin_of_the_projects_never_meets_the_planted_fault_and_leaves_no_bytecode(examine: Examiner) -> None:
    settings = '[tool.pylint.main]\nload-plugins = ["counts"]\n'
    examined = examine(LintStage(), {"a.py": CLEAN, "counts.py": PLUGIN, "pyproject.toml": settings})
    assert [finding.message for finding in examined.findings if finding.rule == "R9999"] == ["2 modules (counted)"]
    assert all(control.caught for control in examined.evidence.controls)
    tree = examine.contexts[-1].tree
    assert {path.name for path in tree.iterdir()} == {"a.py", "counts.py", "pyproject.toml", "project.lock"}


def test_the_planted_fault_is_linted_where_the_project_asks_for_several_processes(examine: Examiner) -> None:
    settings = "[tool.pylint.main]\njobs = 2\n"
    examined = examine(LintStage(), {"a.py": CLEAN, "b.py": CLEAN, "pyproject.toml": settings})
    assert all(control.caught for control in examined.evidence.controls)


def test_lint_shows_the_score_that_pylint_computes(examine: Examiner) -> None:
    # Four statements, one warning: 10 - 10 / 4 (pylint's documentation, "evaluation").
    examined = examine(LintStage(), {"a.py": '"""A."""\nimport os\n\nX = 1\nY = 2\nZ = 3\n'})
    assert examined.metrics["score"] == pytest.approx(7.5)


SEVERAL: tuple[tuple[Callable[[], Stage], Files], ...] = (
    (ScanStage, {"note.txt": ""}),
    (SecretsStage, {}),
    (LintStage, {"note.txt": ""}),
)


@pytest.mark.parametrize(("stage", "files"), SEVERAL)
def test_nothing_to_check_is_inconclusive(examine: Examiner, stage: Callable[[], Stage], files: Files) -> None:
    assert verdict(examine(stage(), files))[0] is Status.INCONCLUSIVE
