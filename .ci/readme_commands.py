"""Run the bash blocks of a Markdown file one after the other in one shell, as a reader would who types them."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

# Commands that do not end: they go on in the background, and what follows waits until they answer.
SERVERS = {"make ui": "http://127.0.0.1:5000", "mlflow models serve": "http://127.0.0.1:5001/ping"}
ASK = "curl --silent --fail --output /dev/null {url}"
WAIT = f"for _ in $(seq 120); do {ASK} && break; sleep 1; done; {ASK}"


def as_step(block: str) -> str:
    """Turn one block into shell code that shows and runs it."""
    shown = "\n".join(f"printf '%s\\n' {shlex.quote('$ ' + line)}" for line in block.splitlines())
    url = next((url for command, url in SERVERS.items() if command in block), None)
    run = f"{{ {block.strip()} ; }} >/dev/null 2>&1 &\n{WAIT.format(url=url)}" if url else block
    return f"echo\n{shown}\n{run}"


def main(path: Path) -> int:
    """Run the blocks of `path` and return the exit code of the first command that fails, or 0."""
    blocks = re.findall(r"^```bash\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    if not blocks:
        print(f"{path} has no bash block")
        return 1
    script = "\n".join(["set -euo pipefail", *map(as_step, blocks)])
    shell = subprocess.Popen(["bash", "-c", script], start_new_session=True)
    try:
        return shell.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
