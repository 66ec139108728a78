"""Versions that have to be signed: real keys, signed by the command line that their makers use."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from model_signing import hashing, signing

from promoter.adapters.publishing import publish
from promoter.domain.version import ModelVersion
from promoter.errors import InvalidInput
from promoter.preflight.signed import PublicKey
from promoter.preflight.version_files import NotSigned, identified

FILES = {"saved_model.pb": b"graph", "variables/variables.index": b"index", "assets/.words": b"cat\n"}
_PRIVATE = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
_PUBLIC = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def write_key(folder, name, private):
    (folder / f"{name}.pem").write_bytes(private.private_bytes(*_PRIVATE))
    (folder / f"{name}.pub").write_bytes(private.public_key().public_bytes(*_PUBLIC))
    return folder / f"{name}.pub"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "other"):
        write_key(folder, name, ec.generate_private_key(ec.SECP256R1()))
    return folder


def sign(folder, key, *ignored):
    """As the command line does, without its start."""
    hashed = hashing.Config().set_ignored_paths(paths=["model.sig", *ignored])
    signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(hashed).sign(
        folder, folder / "model.sig"
    )


@pytest.fixture(scope="module")
def _signed(keys, tmp_path_factory):
    folder = tmp_path_factory.mktemp("signed") / "model"
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    command = [sys.executable, "-m", "model_signing", "sign", "key", str(folder)]
    own = ["--private_key", str(keys / "ours.pem"), "--signature", str(folder / "model.sig")]
    subprocess.run(command + own, check=True, capture_output=True)
    return folder


@pytest.fixture
def model(_signed, tmp_path):
    shutil.copytree(_signed, tmp_path / "model")
    return tmp_path / "model"


def check(folder, key):
    return PublicKey(key).check(identified(folder))


def test_what_is_signed_before_it_is_published_is_signed_in_the_store(model, keys, tmp_path):
    assert check(model, keys / "ours.pub") == 3
    (tmp_path / "store").mkdir()
    publish(model, f"file://{tmp_path}/store", ModelVersion(1), lambda done, total: None)
    stored = tmp_path / "store/1"
    assert {"manifest.json", "model.sig"} <= {entry.name for entry in stored.iterdir()}
    assert "model.sig" in (stored / "manifest.json").read_text()
    assert check(stored, keys / "ours.pub") == 3


def change_payload(folder, change):
    """Somebody without the key edits what the signature says."""
    bundle = json.loads((folder / "model.sig").read_text())
    payload = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    change(payload["predicate"])
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    (folder / "model.sig").write_text(json.dumps(bundle))


def alter(folder):
    (folder / "variables/variables.index").write_bytes(b"indeX")


def truncate(folder):
    content = (folder / "model.sig").read_bytes()
    (folder / "model.sig").write_bytes(content[: len(content) // 2])


def rewrite(folder):
    bundle = json.loads((folder / "model.sig").read_text())
    (folder / "model.sig").write_text(json.dumps(bundle | {"dsse_envelope": bundle["dsseEnvelope"]}))


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda folder: (folder / "model.sig").unlink(), "it is not signed: there is no model.sig"),
        (alter, "variables/variables.index is not the file that was signed"),
        (lambda folder: (folder / "late.txt").touch(), "late.txt is in the version and was not signed"),
        (lambda folder: (folder / ".gitignore").touch(), ".gitignore is in the version and was not signed"),
        (lambda folder: (folder / "assets/.words").unlink(), "assets/.words was signed and is not in the version"),
        (truncate, "model.sig is damaged, or its upload broke off: it is not JSON"),
        (lambda folder: (folder / "model.sig").write_text("[" * 9**5), "it is not JSON"),
        (lambda folder: (folder / "model.sig").write_text("{}"), "is no signature of a model"),
        (rewrite, "is no signature of a model"),
        (lambda folder: change_payload(folder, lambda said: said["resources"].pop()), "model.sig was altered"),
        (
            lambda folder: change_payload(folder, lambda said: said["serialization"].update(hash_type="blake3")),
            "not over the SHA-256 of whole files",
        ),
    ],
)
def test_what_is_not_signed_as_it_is_fails_with_a_sentence_of_its_own(model, keys, break_it, reason, capsys):
    break_it(model)
    with pytest.raises(NotSigned, match=reason):
        check(model, keys / "ours.pub")
    assert capsys.readouterr().out == ""


def test_another_key_is_told_and_also_where_the_signature_names_ours(model, keys):
    with pytest.raises(NotSigned, match=r"it is signed with another key than other\.pub"):
        check(model, keys / "other.pub")
    ours = json.loads((model / "model.sig").read_text())["verificationMaterial"]
    sign(model, keys / "other.pem")
    forged = json.loads((model / "model.sig").read_text()) | {"verificationMaterial": ours}
    (model / "model.sig").write_text(json.dumps(forged))
    with pytest.raises(NotSigned, match=r"was altered, or made with another key than ours\.pub"):
        check(model, keys / "ours.pub")


def test_what_the_signer_left_out_is_not_signed(model, keys):
    (model / "model.sig").unlink()
    sign(model, keys / "ours.pem", "saved_model.pb")
    with pytest.raises(NotSigned, match=r"saved_model\.pb is in the version and was not signed"):
        check(model, keys / "ours.pub")


def test_a_key_that_is_none_is_a_persons_to_correct(tmp_path):
    (tmp_path / "text.pub").write_text("key")
    write_key(tmp_path, "rsa", rsa.generate_private_key(65537, 2048))
    for name in ("text.pub", "rsa.pub"):
        with pytest.raises(InvalidInput, match=f"{name} is no public key that versions can be signed for"):
            PublicKey(tmp_path / name)
    with pytest.raises(InvalidInput, match=r"none\.pub cannot be read"):
        PublicKey(tmp_path / "none.pub")
