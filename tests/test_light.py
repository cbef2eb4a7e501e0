"""Light commands stay light."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "mlflow", "great_expectations", "matplotlib", "sklearn")
CODE = """
import sys
from kedro.framework.cli import main
sys.argv = ["kedro", *{arguments!r}]
try:
    main()
except SystemExit as exit:
    assert not exit.code, exit.code
print("imported:", [name for name in {heavy!r} if name in sys.modules])
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["registry", "list"],
        ["run", "--help"],
        ["vertical", "--help"],
        ["champion", "--help"],
        ["retrain", "--help"],
        ["schedule", "--help"],
        ["status", "--help"],
        ["alerts", "--help"],
    ],
)
def test_no_heavy_library_is_imported(trained, arguments):
    project, _ = trained
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(arguments=arguments, heavy=HEAVY)],
        cwd=project.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "imported: []"
