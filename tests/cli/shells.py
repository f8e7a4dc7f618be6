"""What bash, zsh and fish offer at a TAB, each with the script that the product prints for it."""

import os
import subprocess
import sys
import time
from pathlib import Path

from claimfiles import clean_environment
from terminals import CTRL_U, Terminal

BASH = """
source {script}
COMP_WORDS=({words}) COMP_CWORD=$(({count} - 1)) COMP_LINE="{line}" COMP_POINT=${{#COMP_LINE}}
COMPREPLY=()
function=$(complete -p lazarus-bench | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function" lazarus-bench "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
printf '%s\\n' ${{COMPREPLY[@]+"${{COMPREPLY[@]}}"}}
"""

# Ctrl-B lists what can follow, and each word that is added to the list goes to a file as well.
ZSH = """
fpath=(%(scripts)s $fpath)
autoload -U compinit && compinit -u -D
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  local -a hits
  builtin compadd -A hits "$@"
  print -rl -- $hits >> %(offered)s
  builtin compadd "$@"
}
offer() { zle list-choices; print END >> %(offered)s }
zle -N offer
bindkey '^B' offer
LISTMAX=10000
print REA''DY
"""
CTRL_B = "\x02"

SCRIPT = {"bash": "lazarus-bench.bash", "zsh": "_lazarus-bench", "fish": "lazarus-bench.fish"}
"""The file's name; zsh finds a command's script by it."""


class Shell:
    """A shell in a folder, which stays open: starting one costs more than asking it."""

    def __init__(self, name: str, scripts: Path, folder: Path) -> None:
        """`scripts` holds the script of the shell; `folder` is the working directory."""
        self.name, self.folder, self.script = name, folder, scripts / SCRIPT[name]
        self._offered = scripts / "offered"
        command = scripts / "bin" / "lazarus-bench"
        command.parent.mkdir()
        # The shell's own child must find this Python's lazarus_bench, wherever it is.
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lazarus_bench "$@"\n')
        command.chmod(0o755)
        path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = clean_environment(
            PATH=path, TERM="vt100", HOME=str(scripts), LC_ALL="C.UTF-8"
        )
        self.terminal: Terminal | None = None

    def close(self) -> None:
        """End it."""
        if self.terminal is not None:
            self.terminal.__exit__()

    def offers(self, *words: str) -> set[str]:
        """What it offers for the last of `words`, which can be empty."""
        line = " ".join(("lazarus-bench", *words))
        ask = {"bash": self._bash, "zsh": self._zsh, "fish": self._fish}[self.name]
        return {word.strip().rstrip("/") for word in ask(line)} - {""}

    def _bash(self, line: str) -> list[str]:
        words = line.split(" ")
        quoted = " ".join(f"'{word}'" for word in words)
        text = BASH.format(script=self.script, words=quoted, count=len(words), line=line)
        done = subprocess.run(
            ["bash", "--norc", "-c", text],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    def _open(self, command: list[str], start: str, ready: str) -> Terminal:
        if self.terminal is None:
            self.terminal = Terminal(command, self.folder, self.environment)
            self.terminal.type(start)
            self.terminal.until(ready)
        return self.terminal

    def _zsh(self, line: str) -> list[str]:
        setting = self.script.parent / "setting.zsh"
        names = {"scripts": self.script.parent, "offered": self._offered}
        setting.write_text(ZSH % names)
        self._offered.write_text("")
        terminal = self._open(["zsh", "-f", "-i"], f"source {setting}\n", "READY")
        terminal.type(f"{line}{CTRL_B}")
        end = time.monotonic() + 120
        while "END" not in (found := self._offered.read_text().splitlines()):
            assert time.monotonic() < end, terminal.said
            terminal.read(0.02)
        terminal.type(CTRL_U)
        return found[: found.index("END")]

    def _fish(self, line: str) -> list[str]:
        text = f"source {self.script}; complete --do-complete '{line}'"
        done = subprocess.run(
            ["fish", "--no-config", "-c", text],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [row.partition("\t")[0] for row in done.stdout.splitlines()]
