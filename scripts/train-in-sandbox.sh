#!/usr/bin/env bash
# ResNet50, trained twice here, and brought into traffic by the sandbox: the first version becomes stable at once, the
# second is a canary until there is evidence for it. Ends with the log of commits, and takes the sandbox down.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PWD/.tools/bin:$PATH"
directory=${1:-build/train}
patience=1200

took() {
  echo "== $1: $((SECONDS - begun)) s"
  begun=$SECONDS
}

# standing VERSION: stable, rejected, or on its way.
standing() {
  promoter status --json | python3 -c '
import json, sys
(model,) = json.load(sys.stdin)["models"]
stable = str(model["stable"]) == sys.argv[1] and model["canary"] is None
print("stable" if stable else "rejected" if sys.argv[1] in model["rejected"] else "on its way")' "$1"
}

# wait_until_stable VERSION
wait_until_stable() {
  local deadline=$((SECONDS + patience))
  until [[ $(standing "$1") == stable ]]; do
    if ((SECONDS > deadline)) || [[ $(standing "$1") == rejected ]]; then
      promoter status
      echo "version $1 did not become stable" >&2
      exit 1
    fi
    sleep 3
  done
}

rm -rf "$directory"
begun=$SECONDS
trap 'promoter sandbox down --directory "$directory"' EXIT
# ResNet50 takes some 8 ms of a core for an image.
promoter sandbox up --directory "$directory" --port-base 0 --rate 15
eval "$(promoter sandbox env --directory "$directory")"
store="file://$(realpath "$directory")/store/resnet50"
took "the sandbox is up"

python -m workflows.train --output "$store" --seed 0
took "version 1 is trained, verified and published"
wait_until_stable 1
promoter sandbox start traffic --directory "$directory"
took "version 1 is stable and is asked"

python -m workflows.train --output "$store" --seed 1
took "version 2 is trained, verified against version 1, and published"
wait_until_stable 2
took "version 2 is promoted"

git -C "$directory/remote.git" log --format='%h %ad %s' --date=format:%H:%M:%S main
