"""The command `mastra-convex`: the group, and how each of its commands ends."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from mastra_convex import ConvexStorageError, __version__
from mastra_convex.cli.text import fail

# Each command and its file, in the order in which help lists them.
COMMANDS = {
    "import": "import_",
    "tail": "tail",
    "show": "show",
    "dev": "dev",
    "init": "init",
    "doctor": "doctor",
}
# 128 and the number of SIGINT, as shells have it.
INTERRUPTED = 130


class _Commands(click.Group):
    """Loads a command when it is asked for, and turns what it raises into an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        found = import_module(f"mastra_convex.cli.{COMMANDS[cmd_name]}").command
        assert isinstance(found, click.Command)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command: exit code 1 and a line on stderr for errors, 130 for Ctrl-C."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                # What a terminal's encoding lacks is shown as an escape and stops nobody.
                stream.reconfigure(errors="backslashreplace")
        try:
            super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
        except ConvexStorageError as error:
            fail(str(error), error.code)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # Whoever read our output has seen enough, as `head` does. The interpreter flushes
            # once more on its way out; that must have somewhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            fail(str(error))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mastra-convex")
def main() -> None:
    """One reactive store for what AI agents leave behind.

    Threads, messages, working memory, traces, evals and workflow runs, in one SQLite file.
    """


if __name__ == "__main__":
    main(prog_name="mastra-convex")
