#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Questions whose answers depend on the lens and on the time. Prints each curl command, and runs it
# when a server answers at $STEMEDB_URL. Import the claims first:
#   ./import_countries.py --server "$STEMEDB_URL"
# With --full the whole answers are shown; without it, only what the lens decided.

set -euo pipefail

url=${STEMEDB_URL:-http://127.0.0.1:18180}
now=$(date -u +%Y-%m-%dT%H:%M:%S.000Z)
decided='.resolutions[]? | {predicate, value, confidence, conflict_score, status,
  claims: [.claims[]? | {value, weight, share}]}'
[ "${1:-}" = --full ] && decided=.

server_answers() {
  curl -fsS --max-time 2 -o /dev/null "$url/livez" 2>/dev/null
}

pretty() {
  if command -v jq >/dev/null; then jq "$decided"; else cat; echo; fi
}

# say TEXT: what to look at in the next answer.
say() {
  printf '\n# %s\n' "$1"
}

# run CURL-ARGUMENTS...: prints the command so that it can be copied, then runs it.
run() {
  printf 'curl -sS'
  for word in "$@"; do
    case $word in
      -*) printf ' %s' "$word" ;;
      *) printf " '%s'" "$word" ;;
    esac
  done
  printf '\n'
  if [ "$live" = yes ]; then curl -sS "$@" | pretty; fi
}

# query COUNTRY PREDICATE LENS [MOMENT]
query() {
  local moment=${4:+,\"valid_at\":\"$4\"}
  run "$url/v1/query" -d \
    "{\"concept_path\":\"countries/$1\",\"predicate\":\"$2\",\"lens\":\"$3\"$moment}"
}

live=no
if server_answers; then live=yes; else echo "# no server at $url: the commands are only printed"; fi

say "Croatia's currency today. The newest claim is glibc's (or an npm list's): EUR."
query HR currency recency "$now"
say "Most voices: without the npm lists HRK, because Babel repeats CLDR's HRK and a copy counts."
query HR currency consensus "$now"
say "The highest tier that speaks: CLDR, an expert source that was made before the change. HRK."
query HR currency tier_authority "$now"
say "No winner, all values side by side."
query HR currency skeptic "$now"
run "$url/v1/skeptic?concept_path=countries/HR&predicate=currency&valid_at=$now"
say "Without valid_at the currencies of all times compete: five values, from YUD to EUR."
run "$url/v1/skeptic?concept_path=countries/HR&predicate=currency"

say "Germany in 1998: DEM, by the highest tier. (Claims without a period, all EUR, hold at any time.)"
query DE currency tier_authority 1998-06-01T00:00:00Z
say "Germany in June 1999: EUR and DEM were both in use, and the claims say so."
query DE currency skeptic 1999-06-01T00:00:00Z
say "Germany today: EUR, unanimously."
query DE currency tier_authority "$now"

say "Turkey or Türkiye: the register against the newest source against the majority."
for lens in tier_authority recency consensus; do query TR name "$lens"; done

say "Where does the week begin in China? CLDR says Sunday, glibc (in its Uyghur locale) Monday."
query CN first_weekday skeptic
