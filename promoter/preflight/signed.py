"""Whether a version is signed with the key that is asked for, as `model_signing sign key` signs.

Needs the extra `signing`. The signature is `model.sig` in the version's folder, made over every other file before the
version is published: so it stands in the manifest, and the manifest is the one file besides it that it does not cover.
What its maker left out by `--ignore-paths` counts as not signed.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from model_signing import hashing, verifying

from promoter.documents.manifest import MANIFEST_FILE, ManifestFile
from promoter.documents.one_line import one_line
from promoter.errors import InvalidInput
from promoter.model_folder import open_unchanged
from promoter.preflight.version_files import SIGNATURE_FILE, NotSigned, VersionFiles

# A line of some 200 bytes for each of 10 000 files, in base64.
_LARGEST_BYTES = 16 * 2**20
_UNSIGNED = frozenset({SIGNATURE_FILE, MANIFEST_FILE})
_BUNDLE = {"mediaType", "verificationMaterial", "dsseEnvelope"}
_ENVELOPE = {"payload", "payloadType", "signatures"}
_AGAIN = "sign the version again and publish it as a new one"


class PublicKey:
    """The key that versions have to be signed with. Raises InvalidInput where its file holds none that can be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            config = verifying.Config()  # type: ignore[no-untyped-call]  # its constructors have no types
            self._verifying = config.use_elliptic_key_verifier(public_key=path)
        except OSError as error:
            raise InvalidInput(f"the public key {path} cannot be read: {error.strerror}") from error
        except Exception as error:
            # The library below raises what it likes for other kinds of key.
            raise InvalidInput(
                f"{path} is no public key that versions can be signed for: it takes one in PEM, on the curve P-256, "
                "P-384 or P-521 (openssl ec -in key.pem -pubout)"
            ) from error

    def check(self, files: VersionFiles) -> int:
        """How many files the signature covers. Raises NotSigned, and OSError where `model.sig` cannot be read."""
        if SIGNATURE_FILE not in files.seen:
            raise NotSigned(f"it is not signed: there is no {SIGNATURE_FILE}")
        signed = _signed(files)
        self._check_signature(files.folder, signed, files)
        # The library leaves out what the signer told it to; here every file has to be signed.
        if (wrong := _difference(signed, files.files)) is not None:
            raise NotSigned(wrong)
        return len(signed)

    def _check_signature(self, folder: Path, signed: Mapping[str, str], files: VersionFiles) -> None:
        covered = hashing.Config()  # type: ignore[no-untyped-call]  # as above
        covered.set_ignored_paths(paths=sorted(_UNSIGNED), ignore_git_paths=False)
        try:
            # It prints its warnings, and standard output is the verdict's.
            with redirect_stdout(io.StringIO()):
                self._verifying.set_hashing_config(covered).verify(folder, folder / SIGNATURE_FILE)
        except InvalidSignature as error:
            raise NotSigned(
                f"{SIGNATURE_FILE} was altered, or made with another key than {self._path.name}; {_AGAIN}"
            ) from error
        except Exception as error:
            said = str(error)
            if said.startswith("Signature mismatch"):
                raise NotSigned(_difference(signed, files.files) or one_line(said)) from error
            if said.startswith("Key mismatch"):
                raise NotSigned(f"it is signed with another key than {self._path.name}") from error
            raise NotSigned(f"{SIGNATURE_FILE} is no signature that can be checked: {one_line(said)}") from error


def _signed(files: VersionFiles) -> Mapping[str, str]:
    """SHA-256 by path, as the signature says; nobody has checked yet who says so."""
    with open_unchanged(files.folder / SIGNATURE_FILE, files.seen[SIGNATURE_FILE]) as file:
        content = file.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise NotSigned(f"{SIGNATURE_FILE} is larger than {_LARGEST_BYTES >> 20} MiB")
    try:
        bundle = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NotSigned(f"{SIGNATURE_FILE} is damaged, or its upload broke off: it is not JSON") from error
    try:
        # Other spellings of these keys could tell the library something else than us.
        if bundle.keys() != _BUNDLE or bundle["dsseEnvelope"].keys() != _ENVELOPE:
            raise NotSigned(f"{SIGNATURE_FILE} is no signature of a model as `model_signing sign` writes it")
        predicate = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True))["predicate"]
        how = predicate["serialization"]
        if (how["method"], how["hash_type"]) != ("files", "sha256"):
            raise NotSigned(
                f"{SIGNATURE_FILE} is not over the SHA-256 of whole files, which `model_signing sign` takes"
            )
        return dict(_resource(entry) for entry in predicate["resources"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise NotSigned(f"{SIGNATURE_FILE} is no signature of a model as `model_signing sign` writes it") from error


def _resource(entry: Mapping[str, Any]) -> tuple[str, str]:
    return str(entry["name"]), str(entry["digest"])


def _difference(signed: Mapping[str, str], found: Mapping[str, ManifestFile]) -> str | None:
    """What of the version was not signed as it is; None where all of it was."""
    there = {path: file.sha256 for path, file in found.items() if path not in _UNSIGNED}
    for path in sorted(signed.keys() | there.keys()):
        if path not in there:
            return f"{one_line(path)} was signed and is not in the version"
        if path not in signed:
            return f"{path} is in the version and was not signed; {_AGAIN}"
        if signed[path] != there[path]:
            return f"{path} is not the file that was signed; {_AGAIN}"
    return None
