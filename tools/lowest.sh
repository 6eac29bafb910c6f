#!/bin/sh
# Try the lowest versions that pyproject.toml allows: install them in a new environment, put the
# package beside them, and run a clinic, two reviews, the notebooks and tests against stored answers.
#   PYTHON=.venv/bin/python sh tools/lowest.sh
# Raise the bound that fails. A few minutes; needs an index of packages, as pip and uv know it.
set -eu
cd "$(dirname "$0")/.."
ROOT=$(pwd -P)
PYTHON=$(command -v "${PYTHON:-.venv/bin/python}")
case $PYTHON in /*) ;; *) PYTHON=$ROOT/$PYTHON ;; esac
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
LOW=$WORK/environment/bin/python

"$PYTHON" -m uv venv --quiet --python "$PYTHON" "$WORK/environment"
"$PYTHON" -m uv pip install --quiet --python "$LOW" --resolution lowest-direct \
  --requirements pyproject.toml --extra all
"$PYTHON" -m uv pip install --quiet --python "$LOW" pytest pytest-xdist hypothesis packaging
"$PYTHON" -m hatchling build --target wheel --directory "$WORK" > "$WORK/build.log"
"$PYTHON" -m uv pip install --quiet --python "$LOW" --no-deps "$WORK"/*.whl

mkdir "$WORK/run" && cd "$WORK/run"
mkdir -p data/raw/clinics data/raw/trials
cp -R "$ROOT/data/raw/trials/acupuncture_headache" "$ROOT/data/raw/trials/lee_done_2004_acupoint" \
  data/raw/trials
"$LOW" -m headway simulate data/raw/clinics/demo --patients 60
"$LOW" -m headway check demo
"$LOW" -m headway build --cores 2
cd "$ROOT"
"$LOW" -m pytest -q -p no:cacheprovider tests/golden/test_reviews.py \
  tests/golden/test_clinic_golden.py tests/golden/test_oracle_pooling.py "$@"
echo "the lowest bounds work"
