"""The command line: `main.py` is the group, each command a file that is loaded on use."""

from __future__ import annotations

import click

database_option = click.option(
    "--db",
    "database",
    metavar="PATH",
    envvar="CONVEX_URL",
    default="mastra-convex.db",
    show_default=True,
    show_envvar=True,
    help="The database file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
