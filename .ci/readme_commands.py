"""Run the bash blocks of Markdown files one after the other in one shell, as a reader would who types them.

The first block runs on all rows, those after it on slices. The last lines are seconds by command.
"""

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
# A reader runs the quick tests, CI all of them.
INSTEAD = {"make test": "make test-all"}
BLOCK = r"^```bash\n(.*?)^```"
SLICES = "export LEPTON_ROWS=6000 LEPTON_EPOCHS=6"
TIMED = """
set -euo pipefail
step= began=0 times=
finish() { [ -z "$step" ] || times+=$(printf '%7d  %s' $((SECONDS - began)) "${step%%$'\\n'*}")$'\\n'; step=; }
begin() { case $1 in "$step") ;; 'trap '*) finish ;; *) finish; step=$1 began=$SECONDS ;; esac; }
ended() {
  code=$?; trap - DEBUG; finish
  printf '\\nseconds  command\\n%s%7d  all, exit code %d\\n' "$times" "$SECONDS" "$code"
}
trap ended EXIT
"""


def as_step(block: str) -> str:
    """Turn one block into shell code that shows, runs and times it."""
    block = "\n".join(INSTEAD.get(line, line) for line in block.strip().splitlines())
    shown = "\n".join(f"printf '%s\\n' {shlex.quote('$ ' + line)}" for line in block.splitlines())
    url = next((url for command, url in SERVERS.items() if command in block), None)
    if url is None:
        return f"echo\n{shown}\ntrap 'begin \"$BASH_COMMAND\"' DEBUG\n{block}\ntrap - DEBUG"
    served = f"{{ {block} ; }} >/dev/null 2>&1 &\n{WAIT.format(url=url)}"
    return f"echo\n{shown}\nbegin {shlex.quote(block)}\n{served}\nfinish"


def main(pages: list[Path]) -> int:
    """Run the blocks of all pages and return the exit code of the first command that fails, or 0."""
    texts = [page.read_text(encoding="utf-8") for page in pages]
    blocks = [block for text in texts for block in re.findall(BLOCK, text, flags=re.MULTILINE | re.DOTALL)]
    if not blocks:
        print(f"{', '.join(map(str, pages))}: no bash block")
        return 1
    script = [TIMED, as_step(blocks[0]), SLICES, *map(as_step, blocks[1:])]
    shell = subprocess.Popen(["bash", "-c", "\n".join(script)], start_new_session=True)
    try:
        return shell.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main([Path(page) for page in sys.argv[1:]]))
