"""`python -m promoter.sandbox.cloud_storage`: a Cloud Storage emulator with one bucket, kept in a folder."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from promoter.sandbox.cloud_storage.emulator import EmulatedStorage, EmulatorServer


@click.command(help="Cloud Storage on this machine, for who names it in STORAGE_EMULATOR_HOST. Ends by SIGTERM.")
@click.option("--host", required=True, help="The address to listen on.")
@click.option("--port", required=True, type=click.IntRange(1, 65535), help="The port to listen on.")
@click.option(
    "--directory",
    required=True,
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    help="Where the objects are kept.",
)
@click.option("--bucket", required=True, help="The bucket that is made, unless there is one.")
def main(host: str, port: int, directory: Path, bucket: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    storage = EmulatedStorage(directory)
    storage.make_bucket(bucket)
    with EmulatorServer((host, port), storage) as server:
        click.echo(f"gs://{bucket} is served at http://{host}:{port}, from {directory}")
        server.serve_forever()


if __name__ == "__main__":
    main()
