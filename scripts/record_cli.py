"""Record the terminal sessions of docs/cli.md from the real thing: `make docs-cli`, with `make run` running.

Each block between `<!-- session NAME -->` and `<!-- /session -->` is replaced by what the commands of `SESSIONS[NAME]`
printed; names after the command record only those. They run in an empty folder against the local system. In a command,
`{video}` is the last video that was made; one that ends in `^C` is interrupted once its video is under way.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "cli.md"
LIMIT_S = 600
FILES = {
    "prompts.csv": "prompt,model,num_frames,seed\n"
    "a red circle moves to the right,wan-mini,17,1\n"
    "a blue square turns,wan-mini,18,2\n"
    "a green triangle falls,wan-mini,17,3\n",
    "corrected.csv": "prompt,model,num_frames,seed\n"
    "a red circle moves to the right,wan-mini,17,1\n"
    "a blue square turns,wan-mini,17,2\n"
    "a green triangle falls,wan-mini,17,3\n",
    "scene.md": "---\nmodel: wan-mini\nnum_frames: 17\n---\n# A green triangle\nA green triangle falls.\n",
}
CIRCLE = 'revalida submit "a red circle moves to the right" --model wan-mini --seed 7'
SESSIONS: dict[str, tuple[str, ...]] = {
    "models": ("revalida models --runnable", "revalida models wan-mini"),
    "estimate": (f"{CIRCLE} --estimate",),
    "submit": (f"{CIRCLE} --output circle.mp4", "revalida show {video}"),
    "interrupt": ('revalida submit "a blue square turns" --wait ^C', "revalida cancel {video}"),
    "refused": (f"{CIRCLE} --size 100x100 || echo exit code $?", f"{CIRCLE} --size 100x100 --json"),
    "batch": (
        "cat prompts.csv",
        "revalida batch prompts.csv || echo exit code $?",
        "mv corrected.csv prompts.csv; mkdir videos",
        "revalida batch prompts.csv --output videos",
        "ls videos",
    ),
    "remix": ('revalida remix {video} "a blue circle moves to the right" --wait',),
    "list": ("revalida list --limit 4",),
    "drop": ("cat scene.md", "revalida drop scene.md --folder may --wait"),
    "fleet": ("revalida fleet",),
}
_BLOCK = re.compile(r"(<!-- session (\w+) -->\n).*?(<!-- /session -->)", re.DOTALL)
_VIDEO = re.compile(r"video_[0-9A-HJKMNP-TV-Z]{26}")


class Recorder:
    """Runs commands one after the other, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._video = ""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        # The folder is no place of the project, where the command line would find the local system by itself.
        local = {"REVALIDA_LOCAL_DIR": os.environ.get("REVALIDA_LOCAL_DIR", str(ROOT / ".local"))}
        self._environment = {**os.environ, **local, "PATH": path, "COLUMNS": "120", "NO_COLOR": "1"}

    def session(self, commands: tuple[str, ...]) -> str:
        """The commands and what they printed, as a terminal shows it."""
        return "```console\n" + "\n".join(self._run(command) for command in commands) + "\n```\n"

    def _run(self, command: str) -> str:
        line = command.format(video=self._video) if "{video}" in command else command
        interrupted = line.endswith(" ^C")
        line = line.removesuffix(" ^C")
        printed = self._printed(line, interrupted=interrupted)
        found = _VIDEO.findall(printed)
        self._video = found[0] if found else self._video
        return f"$ {line}\n{printed}".rstrip()

    def _printed(self, line: str, *, interrupted: bool) -> str:
        command = ["bash", "-c", f"exec {line}" if interrupted else line]
        with subprocess.Popen(
            command,
            cwd=self._folder,
            env=self._environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            assert process.stdout is not None
            text = ""
            if interrupted:
                while "\nvideo_" not in text:  # accepted, and followed
                    text += process.stdout.readline() or _ended_early(line, text)
                process.send_signal(signal.SIGINT)
                text += "^C\n"
            text += process.communicate(timeout=LIMIT_S)[0]
        if "Traceback" in text or process.returncode not in ({130} if interrupted else range(9)):
            raise SystemExit(f"{line}: {text}")
        return "\n".join(each.rstrip() for each in text.rstrip().splitlines())


def _ended_early(line: str, text: str) -> str:
    raise SystemExit(f"{line} ended before it was interrupted: {text}")


def main() -> None:
    """Rewrite the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in FILES.items():
            (Path(folder) / name).write_text(content, encoding="utf-8")
        recorder = Recorder(Path(folder))
        recorder.session(("revalida fleet >/dev/null || exit 99",))  # no system, no recording
        names = [match[2] for match in _BLOCK.finditer(text) if match[2] in (sys.argv[1:] or SESSIONS)]
        recorded = {name: recorder.session(SESSIONS[name]) for name in names}
    replaced = _BLOCK.sub(
        lambda match: match[1] + recorded[match[2]] + match[3] if match[2] in recorded else match[0], text
    )
    DOCUMENT.write_text(replaced, encoding="utf-8")
    sys.stdout.write(json.dumps({"document": str(DOCUMENT.relative_to(ROOT)), "sessions": list(recorded)}) + "\n")


if __name__ == "__main__":
    main()
