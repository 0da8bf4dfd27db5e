"""The part of our plugin that has pylint lint a planted fault: by the very process that has linted the files.

A process of its own for that would prove less, and take as long as pylint takes to start.
"""

from __future__ import annotations

CONTROL_VARIABLE = "PIPELINE_PYLINT_CONTROL"
"""Names the file with the planted fault; what pylint says of it is written beside it, with :data:`SAID` behind."""
SAID = ".json"
CONTROL_PART = f'''CONTROL, SAID = "{CONTROL_VARIABLE}", "{SAID}"


def control(planted, others):
    """Lint the planted fault as the files were: by the same process, with the same options, as a run of its own.

    When pylint has said all that it has to say of the files, so that nothing of that can depend on it. ``others`` are
    the variables by which the plugin was told of the files.
    """
    for name in others:
        os.environ.pop(name, None)
    options = sys.argv[1:sys.argv.index("--")]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        # Other processes can't be started any more at a process's end.
        Run([*options, "--jobs=1", "--", planted], exit=False)
    with open(planted + SAID, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(said.getvalue())


def control_afterwards(others):
    """Have it done at the process's end; once, since the control's own run comes here too."""
    if CONTROL in os.environ:
        atexit.register(control, os.environ.pop(CONTROL), others)


'''
