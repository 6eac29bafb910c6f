#!/bin/sh
# Install the wheel in a new environment and run a clinic, two reviews, the notebooks and tests
# against stored answers: with the lowest versions that pyproject.toml allows (raise the bound that
# fails), or with those of the lock, under as many Pythons as there are.
#   sh tools/try_wheel.sh lowest
#   sh tools/try_wheel.sh lock python3.12 python3.13
# A few minutes each; needs an index of packages, as pip and uv know it.
set -eu
cd "$(dirname "$0")/.."
ROOT=$(pwd -P)
OWN=$ROOT/.venv/bin/python
MODE=${1:-lowest}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- "$OWN"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

for name in one two; do
  "$OWN" -m hatchling build --directory "$WORK/$name" > "$WORK/build.log" 2>&1
done
diff -r "$WORK/one" "$WORK/two"
(cd "$WORK/one" && sha256sum ./*)

for wanted; do
  NEW=$WORK/environment/bin/python
  rm -rf "$WORK/environment" "$WORK/run"
  "$OWN" -m uv venv --quiet --python "$wanted" "$WORK/environment"
  if [ "$MODE" = lowest ]; then
    "$OWN" -m uv pip install --quiet --python "$NEW" --resolution lowest-direct \
      --requirements pyproject.toml --extra all
    "$OWN" -m uv pip install --quiet --python "$NEW" pytest pytest-xdist hypothesis packaging
  else
    "$OWN" -m uv pip install --quiet --python "$NEW" --require-hashes -r requirements.lock
  fi
  "$OWN" -m uv pip install --quiet --python "$NEW" --no-deps "$WORK"/one/*.whl

  mkdir "$WORK/run" && cd "$WORK/run"
  mkdir -p data/raw/clinics data/raw/trials
  cp -R "$ROOT/data/raw/trials/acupuncture_headache" "$ROOT/data/raw/trials/lee_done_2004_acupoint" \
    data/raw/trials
  "$NEW" -m headway simulate data/raw/clinics/demo --patients 60
  "$NEW" -m headway check demo
  "$NEW" -m headway build --cores 2
  cd "$ROOT"
  "$NEW" -m pytest -q -p no:cacheprovider tests/golden/test_reviews.py \
    tests/golden/test_clinic_golden.py tests/golden/test_oracle_pooling.py
  echo "$("$NEW" --version), $MODE: works"
done
