"""Commit signatures with SSH keys, by OpenSSH's `ssh-keygen`: the format that `git verify-commit` reads.

Only this module starts a program. It gets the commit on its standard input and never a shell.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from promoter.adapters.git.text import sentence
from promoter.errors import InvalidSettings

# What Git writes into the signature, so that it is worth nothing outside Git (gitformat-signature(5)).
_NAMESPACE = "git"
_TIMEOUT_S = 10.0


def sign(key: Path, payload: bytes) -> str:
    """The armoured signature of `payload`. Raises InvalidSettings where the key cannot be used."""
    done = _keygen("-Y", "sign", "-q", "-n", _NAMESPACE, "-f", str(key), payload=payload)
    if done.returncode != 0:
        raise InvalidSettings(f"the signing key {key} cannot be used: {sentence(done.stderr.decode(errors='replace'))}")
    return done.stdout.decode("ascii")


def is_signed_by(signers: Path, identity: str, payload: bytes, signature: bytes) -> bool:
    """Whether `signature` is valid for `payload` under a key that `signers` lists for `identity`.

    Raises InvalidSettings where `signers` cannot be read.
    """
    if not signers.is_file():
        raise InvalidSettings(f"{signers}, the file of allowed signers, is not there")
    with tempfile.NamedTemporaryFile(prefix="promoter-signature-") as file:
        file.write(signature)
        file.flush()
        arguments = ("-Y", "verify", "-n", _NAMESPACE, "-f", str(signers), "-I", identity, "-s", file.name)
        return _keygen(*arguments, payload=payload).returncode == 0


def _keygen(*arguments: str, payload: bytes) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise InvalidSettings("signed commits need ssh-keygen (OpenSSH 8.2 or newer) on PATH")
    try:
        # A session of its own has no terminal, so a key with a passphrase fails instead of asking for it.
        return subprocess.run(
            [program, *arguments],
            input=payload,
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidSettings(f"ssh-keygen did not answer within {_TIMEOUT_S:g} s") from error
