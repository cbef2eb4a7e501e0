"""CPU seconds of `kedro --help` over those of importing Kedro's command line."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from machine import describe
from overhead import table

HERE = Path(__file__).parent
IMPORT = "import of Kedro's command line"
EMPTY, OURS = "kedro --help, empty Kedro project", "kedro --help, this project"
STATUS = "kedro status, this project"
HELP = [sys.executable, "-m", "kedro", "--help"]
_PYPROJECT = """[tool.kedro]
package_name = "empty"
project_name = "empty"
kedro_init_version = "1.7.0"
"""


def make_empty_project(folder: Path) -> None:
    """Write the least that Kedro takes for a project, with the logging of this one."""
    (folder / "src/empty").mkdir(parents=True)
    (folder / "conf").mkdir()
    (folder / "pyproject.toml").write_text(_PYPROJECT)
    (folder / "conf/logging.yml").write_text((HERE.parent / "conf/logging.yml").read_text())
    (folder / "src/empty/__init__.py").touch()
    (folder / "src/empty/settings.py").write_text('import os\n\nos.environ["DO_NOT_TRACK"] = "1"\n')
    (folder / "src/empty/pipeline_registry.py").write_text("def register_pipelines():\n    return {}\n")


def cpu_seconds(command: Sequence[str], folder: Path) -> float:
    """Seconds of processor time of one process in a folder; exits where it fails."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with exit code {process.returncode} in {folder}")
    return used.ru_utime + used.ru_stime


def report(seconds: Mapping[str, Sequence[float]]) -> str:
    """The result as Markdown."""
    base = median(seconds[IMPORT])
    rows = [
        [name, f"{median(each):.2f} ({min(each):.2f} to {max(each):.2f})", f"{median(each) / base:.2f}"]
        for name, each in seconds.items()
    ]
    return f"""# What light commands cost

{describe(("kedro", "kedro-telemetry", "dynaconf", "mlflow", "pandas"))}

CPU seconds of whole processes, median (lowest to highest) of {len(seconds[IMPORT])}, in turn:

{table(["process", "CPU seconds", "ratio"], rows)}
"""


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="processes of each kind (default 9)")
    parser.add_argument(
        "--status", type=Path, metavar="PROJECT", help="measure kedro status in this project, too"
    )
    parser.add_argument(
        "--output", type=Path, default=HERE / "results" / "light.md", help="file of the result"
    )
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        make_empty_project(Path(folder))
        commands = {
            IMPORT: ([sys.executable, "-c", "import kedro.framework.cli"], HERE.parent),
            EMPTY: (HELP, Path(folder)),
            OURS: (HELP, HERE.parent),
        }
        if options.status:
            commands[STATUS] = ([sys.executable, "-m", "kedro", "status"], options.status)
        rounds = [{name: cpu_seconds(*each) for name, each in commands.items()} for _ in range(options.runs)]
    text = report({name: [each[name] for each in rounds] for name in commands})
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
