"""A scenario's commits in a real bare repository."""

import subprocess

EMAILS = {"promoter": "promoter@localhost", "Ada": "ada@example.com"}


def pushed(world, folder):
    """The world's commits in a bare repository at `folder`."""
    stream = []
    for entry in world.repository.commits:
        signature = f"{entry['author']} <{EMAILS[entry['author']]}> {int(entry['at'].timestamp())} +0000"
        stream += [b"commit refs/heads/main", f"author {signature}\ncommitter {signature}".encode()]
        stream += [_data(entry["message"].encode())]
        for path, content in entry["tree"].items():
            stream += [f"M 100644 inline {path}".encode(), _data(content)]
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", folder], check=True)
    subprocess.run(["git", "-C", folder, "fast-import", "--quiet"], input=b"\n".join(stream) + b"\n", check=True)


def _data(content):
    return b"data %d\n%s" % (len(content), content)
