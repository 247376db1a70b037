#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lints docs/openapi.yaml with Redocly's CLI: lint.sh SOURCE_DIR TOOLS_DIR. The linter is installed into TOOLS_DIR once;
# 77 tells ctest that the test was skipped, because npm couldn't get it.
set -eu
source_dir=$1
tools_dir=$2
here=$source_dir/tests/integration/openapi_lint
redocly=$tools_dir/node_modules/.bin/redocly

if ! [ -x "$redocly" ] || ! cmp -s "$here/package.json" "$tools_dir/package.json"; then
  mkdir -p "$tools_dir"
  cp "$here/package.json" "$tools_dir/package.json"
  if ! npm install --prefix "$tools_dir" --no-package-lock --no-audit --no-fund --silent; then
    echo "skipped: npm can't install the linter (no network?); see $here/package.json" >&2
    rm -f "$tools_dir/package.json"
    exit 77
  fi
fi
REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
  "$redocly" lint --config "$here/redocly.yaml" "$source_dir/docs/openapi.yaml"
