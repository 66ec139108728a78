"""What a pod sees in the place of its container: the mounted files, and a command line that points to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from promoter.sandbox.agent.pod_template import Mount, PodTemplate


def write_mounts(folder: Path, mounts: tuple[Mount, ...], config_maps: Mapping[str, Mapping[str, str]]) -> None:
    """Write each mount's files below `folder`, where its path would be below the container's root."""
    for mount in mounts:
        target = mounted(folder, mount)
        target.mkdir(parents=True, exist_ok=True)
        for name, text in (config_maps[mount.config_map] if mount.config_map is not None else {}).items():
            (target / name).write_text(text)


def mounted(folder: Path, mount: Mount) -> Path:
    """Where a mount lies in the pod's folder."""
    return folder / mount.path.lstrip("/")


def pod_command(template: PodTemplate, folder: Path, programs: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The command line: the program's stand-in where there is one, and mounted paths as they are in `folder`."""
    program, *arguments = template.command
    stand_in = programs.get(Path(program).name, (program,))
    return (*stand_in, *(_moved(argument, folder, template.mounts) for argument in arguments))


def _moved(argument: str, folder: Path, mounts: tuple[Mount, ...]) -> str:
    """`--flag=/mount/file` or `/mount/file`, moved into the pod's folder."""
    flag, separator, value = argument.rpartition("=") if argument.startswith("--") else ("", "", argument)
    for mount in mounts:
        if value == mount.path or value.startswith(f"{mount.path}/"):
            return f"{flag}{separator}{mounted(folder, mount)}{value.removeprefix(mount.path)}"
    return argument
