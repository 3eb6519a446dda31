"""`mastra-convex init`: the functions and a signing key into a Convex project."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mastra_convex.cli.text import counted, fail, one_line, visible

if TYPE_CHECKING:
    from mastra_convex.project.files import Change
    from mastra_convex.project.plan import Plan


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--into", metavar="FOLDER", help="A sub-folder of convex/ for the functions, such as mastra."
)
@click.option("--force", is_flag=True, help="Overwrite what was changed in files that init wrote.")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would be done.")
@click.option("--diff", "diffs", is_flag=True, help="As --dry-run, and show every difference.")
@click.option(
    "--new-key", is_flag=True, help="Make a new signing key; tokens of the old one stay valid."
)
@click.option(
    "--forget-old-keys", is_flag=True, help="Accept tokens of the present key only, once deployed."
)
def command(
    folder: Path,
    into: str | None,
    force: bool,
    dry_run: bool,
    diffs: bool,
    new_key: bool,
    forget_old_keys: bool,
) -> None:
    """Put the functions and a signing key into the Convex project in DIR.

    The functions go into convex/ (into convex/mastra/ if names are taken there), the private key
    into .env.local, the public one into convex/auth.config.ts. Run it again to bring the functions
    up to date: what you have changed is shown and not overwritten, and the key stays.
    """
    from mastra_convex.project.plan import make_plan

    plan = make_plan(
        folder, into=into, force=force, new_key=new_key, forget_old_keys=forget_old_keys
    )
    dry_run = dry_run or diffs
    _tell_folder(plan)
    for change in plan.changes:
        _tell(change, plan.convex, diffs=diffs)
    unchanged = sum(change.fate == "unchanged" for change in plan.changes)
    if unchanged:
        click.echo(f"unchanged    {counted(unchanged, 'file')}")
    in_the_way = [change for change in plan.changes if change.fate == "in the way"]
    if in_the_way:
        fail(
            f"{counted(len(in_the_way), 'file')} in the way, and nothing was written: move "
            "your changes elsewhere, or give them up with --force",
            "PROJECT",
        )
    _tell_key(plan)
    if dry_run:
        click.echo("\nNothing was written.")
        return
    plan.carry_out()
    _tell_what_is_left(plan)


def _tell_folder(plan: Plan) -> None:
    into = plan.manifest.into
    if plan.taken:
        names = ", ".join(plan.taken[:3]) + (", ..." if len(plan.taken) > 3 else "")
        click.echo(
            f"{one_line(names)}: there already in {plan.convex}, and not from here. The functions "
            f"go into {plan.convex / into}, and their paths begin with {into}/\n"
        )


def _tell(change: Change, convex: Path, *, diffs: bool) -> None:
    if change.fate != "unchanged":
        click.echo(f"{change.fate:<11}  {one_line(str(convex / change.path))}")
    # What a user wrote and will lose, or has to merge, is shown in any case.
    if change.fate in {"in the way", "kept", "overwritten"} or (diffs and change.writes):
        click.echo("".join(f"    {visible(line)}\n" for line in change.diff()), nl=False)


def _tell_key(plan: Plan) -> None:
    if plan.gitignore is not None:
        click.echo(f"{'ignored':<11}  .env.local, in .gitignore")
    name = f"{plan.key.kid} in {plan.folder / '.env.local'}"
    others = len(plan.manifest.keys) - 1
    accepted = f"; {counted(others, 'older key')} still accepted" if others else ""
    click.echo(f"{'new key' if plan.is_new_key else 'key':<11}  {one_line(name)}{accepted}")


def _tell_what_is_left(plan: Plan) -> None:
    """The snippets to paste, and the commands to run."""
    if plan.auth_snippet:
        click.echo(f"\nAdd to `providers` in {plan.convex / 'auth.config.ts'}, which is yours:\n")
        click.echo(plan.auth_snippet, nl=False)
    if plan.schema_snippet:
        click.echo(f"\nAdd our tables to {plan.convex / 'schema.ts'}, which is yours:\n")
        click.echo(plan.schema_snippet, nl=False)
    if plan.http_snippet:
        click.echo(
            f"\nTo take traces over OTLP, add to {plan.convex / 'http.ts'}, which is yours:\n"
        )
        click.echo(plan.http_snippet, nl=False)
    click.echo("\nNext:\n")
    for step in _steps(plan):
        click.echo(f"    {step}")


def _steps(plan: Plan) -> list[str]:
    into = plan.manifest.into
    steps = []
    if plan.folder.resolve() != Path.cwd():
        steps.append(f"cd {shlex.quote(str(plan.folder))}")
    if not _has_convex(plan.folder):
        steps.append("npm install convex")
    steps.append("npx convex dev --once")
    steps.append("mastra-convex doctor" + (f" --prefix {into}" if into else ""))
    return steps


def _has_convex(folder: Path) -> bool:
    """Whether the project's package.json names Convex."""
    try:
        package = json.loads((folder / "package.json").read_bytes())
        return any(
            "convex" in package.get(part, {}) for part in ("dependencies", "devDependencies")
        )
    except (OSError, ValueError, AttributeError, TypeError):
        return False
