#!/usr/bin/env bash
# Everything that can be said of the repository without running it. All checks run, also after one has failed.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PWD/.tools/bin:$PATH"
shopt -s nullglob

failed=()

# check NAME COMMAND…: one line where it passes, its output where it fails.
check() {
  local name=$1 begun=$SECONDS output
  shift
  printf '%-28s' "$name"
  if output=$("$@" 2>&1 </dev/null); then
    echo "ok, $((SECONDS - begun)) s"
  else
    printf 'FAILED\n%s\n\n' "$output"
    failed+=("$name")
  fi
}

check "style (ruff)" ruff check
check "format (ruff)" ruff format --check
check "types (mypy)" mypy
check "floors (import-linter)" lint-imports
check "YAML (yamllint)" yamllint --strict .
for schema in charts/*/values.schema.json; do
  check "schema of $(basename "$(dirname "$schema")")" check-jsonschema --check-metaschema "$schema"
done
check "schema of limits.yaml" check-jsonschema --check-metaschema docs/reference/limits.schema.json
check "rendered workflows" python -m workflows.render --check
check "values in charts' READMEs" python scripts/chart_readme.py --check charts/*/
check "workflows, by schema" check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml
check "dependabot, by schema" check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yaml
check "workflows (zizmor)" zizmor --offline --no-progress .github
check "Dockerfile (hadolint)" hadolint Dockerfile
check "shell (shellcheck)" shellcheck .ci/run .ci/model-server-root scripts/*.sh scripts/tensorflow_model_server
# Tests misspell keys on purpose, write café with an escape, and send the header TE.
check "spelling (codespell)" codespell --ignore-words-list=wieght,nmae,caf,te
check "lock file (uv)" uv lock --check --offline
check "changelog (towncrier)" towncrier build --draft --version next

if ((${#failed[@]})); then
  printf '\n%d failed:' "${#failed[@]}"
  printf ' %s;' "${failed[@]}"
  echo
  exit 1
fi
