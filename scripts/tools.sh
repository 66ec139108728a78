#!/usr/bin/env bash
# Puts the programs that no Python package brings into .tools/bin: `tools.sh uv`, `tools.sh prometheus`.
# One that is on PATH is linked to. Otherwise it is fetched into .tools, without root, without a service,
# and without a change to the system.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  printf 'error: %s\n' "$@" >&2
  exit 1
}

# link NAME FILE: .tools/bin/NAME becomes FILE, in one step.
link() {
  mkdir -p .tools/bin
  ln -s "$2" ".tools/bin/$1.$$"
  mv -f ".tools/bin/$1.$$" ".tools/bin/$1"
}

# on_path NAME: where NAME is, leaving .tools/bin aside: what lies there is ours, and may be what is broken.
on_path() {
  local folder
  local -a folders
  IFS=: read -r -a folders <<<"$PATH"
  for folder in "${folders[@]}"; do
    if [[ $folder != "$PWD/.tools/bin" && -f $folder/$1 && -x $folder/$1 ]]; then
      printf '%s\n' "$folder/$1"
      return
    fi
  done
  return 1
}

uv() {
  local found
  if found=$(on_path uv); then
    echo "uv: using $found"
    link uv "$found"
    return
  fi
  echo "uv: not on PATH, installing it into .tools/uv"
  command -v python3 >/dev/null || fail "python3 is not on PATH: install Python 3.11 or newer"
  rm -rf .tools/uv
  # In a folder of our own, root is as good as anybody.
  export PIP_ROOT_USER_ACTION=ignore
  # Systems that ship Python without ensurepip, or forbid pip to touch it (PEP 668), differ in what they leave.
  if python3 -c 'import ensurepip, venv' 2>/dev/null; then
    python3 -m venv .tools/uv
    .tools/uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
  elif python3 -m pip --version >/dev/null 2>&1; then
    python3 -m pip install --quiet --disable-pip-version-check --target .tools/uv 'uv>=0.9'
  else
    fail "this Python has neither ensurepip nor pip, so uv cannot be installed." \
      "Install uv, or what is missing: apt-get install python3-venv (Debian, Ubuntu)"
  fi
  link uv ../uv/bin/uv
}

# Both programs of the package: tests of rules use promtool.
prometheus() {
  local found name
  if found=$(on_path prometheus) && on_path promtool >/dev/null; then
    echo "Prometheus: using $found"
    link promtool "$(on_path promtool)"
    link prometheus "$found"
    return
  fi
  if [[ $(uname) == Darwin ]]; then
    fail "Prometheus is not on PATH: brew install prometheus"
  elif ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    fail "Prometheus is not on PATH: install prometheus and promtool, 2.40 or newer, with your system's packages"
  fi
  echo "Prometheus: not on PATH, unpacking the system's package into .tools/prometheus"
  rm -rf .tools/prometheus .tools/apt
  mkdir -p .tools/apt
  if ! download_package; then
    echo "Prometheus: the system's package lists do not know it, fetching lists into .tools/apt"
    mkdir -p .tools/apt/lists/partial .tools/apt/cache/archives/partial
    download_package own-lists || fail "apt-get cannot fetch the package prometheus: is there a network?"
  fi
  dpkg-deb --extract .tools/apt/prometheus_*.deb .tools/prometheus
  rm -rf .tools/apt
  for name in promtool prometheus; do
    link "$name" "../prometheus/usr/bin/$name"
  done
}

# download_package [own-lists]: the .deb into .tools/apt, by the system's package lists or by our own.
download_package() (
  cd .tools/apt
  options=(-qq)
  # As root apt would hand the download to a user who cannot write here.
  options+=(-o APT::Sandbox::User=)
  if [[ ${1-} == own-lists ]]; then
    options+=(-o "Dir::State::lists=$PWD/lists" -o "Dir::Cache=$PWD/cache")
    apt-get "${options[@]}" update </dev/null || return 1
    apt-get "${options[@]}" download prometheus </dev/null
  else
    apt-get "${options[@]}" download prometheus </dev/null 2>/dev/null
  fi
)

case ${1-} in
  uv | prometheus) "$1" ;;
  *) fail "usage: scripts/tools.sh uv|prometheus" ;;
esac
