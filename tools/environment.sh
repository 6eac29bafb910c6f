#!/bin/sh
# Make .venv from requirements.lock (exact versions, checked hashes) and link the package into it.
set -eu
cd "$(dirname "$0")/.."

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "headway needs Python 3.11 or later; name one with: make PYTHON=python3.12" >&2
  exit 1
}
"$PYTHON" -c 'import venv, ensurepip' 2>/dev/null || {
  echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv" >&2
  exit 1
}

echo "headway: making the environment in .venv (once; a minute or two)"
rm -rf .venv
"$PYTHON" -m venv .venv
PY=.venv/bin/python

# uv, itself from the lock, is several times as fast as pip, but knows nothing of pip's settings
# (a company's index): where it cannot be had or cannot install, pip does the work without it.
# Everything is compiled here once, so that no job does it again.
awk '/^[a-z]/ {uv = /^uv==/} {print > (uv ? ".venv/uv.txt" : ".venv/rest.txt")}' requirements.lock
with_uv() {
  $PY -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt &&
    $PY -m uv pip install --quiet --python $PY --compile-bytecode --require-hashes -r .venv/rest.txt
}
with_uv 2> .venv/uv.log ||
  $PY -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/rest.txt

# Jupyter asks for it, to check addresses in schemas, and jsonschema does without it. It takes a
# second to import, at the start of every run and of most jobs.
$PY -m pip uninstall --quiet --yes rfc3987-syntax

# The build backend is in the lock, so this needs no network.
$PY -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --no-index \
  --editable .
