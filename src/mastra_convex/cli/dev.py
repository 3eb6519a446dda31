"""`mastra-convex dev`: the file behind Convex's own protocol, for every client of Convex."""

from __future__ import annotations

import asyncio
import ipaddress
from contextlib import suppress
from pathlib import Path

import click

from mastra_convex import __version__

_LOCAL = "127.0.0.1"


def _file(_ctx: click.Context, _param: click.Parameter, database: str) -> str:
    """Refuse what is no file before a key file is made beside it."""
    if "://" in database:
        raise click.BadParameter("a file is served, and not what is at an address")
    if database == ":memory:":
        raise click.BadParameter("what is served is in a file; give the path of a temporary one")
    return database


@click.command("dev")
@click.option(
    "--db",
    "database",
    metavar="PATH",
    type=click.Path(dir_okay=False),
    callback=_file,
    default="mastra-convex.db",
    show_default=True,
    help="The database file. Made if it is missing.",
)
@click.option(
    "--port",
    metavar="NUMBER",
    type=click.IntRange(0, 65535),
    default=3210,
    show_default=True,
    help="The port; 0 takes any that is free.",
)
@click.option(
    "--host",
    metavar="ADDRESS",
    default=_LOCAL,
    show_default=True,
    help="Where to listen. Any other address than this machine's own lets others knock.",
)
@click.option(
    "--allow-origin",
    "origins",
    metavar="ORIGIN",
    multiple=True,
    help="Let pages of this origin ask, such as http://localhost:5173. May be repeated.",
)
@click.option(
    "--allow-host",
    "hosts",
    metavar="NAME",
    multiple=True,
    help="A name by which the server may be called, behind a proxy say. May be repeated.",
)
@click.option(
    "--function-prefix",
    "prefix",
    metavar="FOLDER",
    default="",
    help="Answer functions under this folder, as after init --into.",
)
@click.option(
    "--env-file",
    metavar="PATH",
    default=".env.local",
    show_default=True,
    help="Where the signing key is, if the environment has none.",
)
@click.option(
    "--new-key",
    is_flag=True,
    help="Put a new key on top of the key file; the old ones stay accepted until taken out.",
)
@click.option(
    "--show-admin-key", is_flag=True, help="Print the operator's key too; it opens everything."
)
def command(
    database: str,
    port: int,
    host: str,
    origins: tuple[str, ...],
    hosts: tuple[str, ...],
    prefix: str,
    env_file: str,
    new_key: bool,
    show_admin_key: bool,
) -> None:
    """Serve a database file over Convex's protocol, until Ctrl-C.

    Clients of Convex connect to it as to a deployment: JavaScript, React, Python, Rust. The
    signing key is MASTRA_CONVEX_KEY from the environment or from .env.local; without one, a key
    file is made beside the database. The two lines that are printed go into .env.local.
    """
    from mastra_convex.extras import needs_extra

    with needs_extra("server", "serving"):
        from mastra_convex.server.app import create_app
        from mastra_convex.server.keys import open_keyring
        from mastra_convex.server.run import listen, serve
    from mastra_convex.backends.served import EmbeddedServedBackend

    keyring, source = open_keyring(Path(database), Path(env_file), new_key=new_key)
    keys = keyring.accepted()
    with listen(host, port) as listening:
        folder = prefix.strip("/")
        backend = EmbeddedServedBackend(
            str(Path(database).absolute()), prefix=folder and f"{folder}/"
        )
        # Before anything is promised: a file that cannot be used is told here.
        asyncio.run(backend.open())
        app = create_app(backend, keyring, version=__version__, origins=origins, hosts=hosts)
        url = _url(host, listening.getsockname()[1])

        def ready() -> None:
            click.echo(f"Serving {database} at {url}. The signing key is in {source}.")
            if source != "the environment":
                click.echo("It opens everything: keep it out of version control.")
            click.echo("For .env.local:\n")
            click.echo(f"CONVEX_URL={url}\nMASTRA_CONVEX_KEY={keys[0].to_text()}")
            if show_admin_key:
                click.echo(f"CONVEX_SELF_HOSTED_ADMIN_KEY='{keys[0].admin_key()}'")
            click.echo("\nCtrl-C ends it.")

        # Uvicorn raises the signal again once it has ended; there is no other way to end.
        with suppress(KeyboardInterrupt):
            serve(app, listening, ready)
    click.echo("Stopped; every accepted write is durable.")


def _url(host: str, port: int) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified:
        host = _LOCAL
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
