#!/usr/bin/env bash
# Renew requirements.lock: exact versions with hashes for every platform and Python from 3.11 on.
# No address of a registry is written: whoever installs uses the index that pip is set up for.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
# Wheels that stand in a local folder would leave hashes of that folder alone.
unset PIP_FIND_LINKS UV_FIND_LINKS
"$PYTHON" -m uv pip compile pyproject.toml --group dev --all-extras --universal \
  --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
  --no-emit-find-links --fork-strategy fewest --quiet "$@" --output-file requirements.lock
