# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Building, the same way for every script. Expects the variable `root` to name the checkout.
# shellcheck disable=SC2154

# build DIRECTORY TARGET [CMAKE-OPTION...]: configures when it must and builds; quiet unless it fails.
build() {
  local directory=$1 target=$2
  shift 2
  if [[ ! -f $root/$directory/build.ninja ]] || (($#)); then
    quietly "$directory.configure" cmake -S "$root" -B "$root/$directory" -G Ninja "$@" || return 1
  fi
  echo "Building $target in $directory (the first time takes minutes) ..." >&2
  quietly "$directory.build" ninja -C "$root/$directory" "$target"
}

# quietly NAME COMMAND...: keeps the output in build/log/NAME.log and shows its end when the command fails.
quietly() {
  local log=$root/build/log/${1//\//-}.log status=0
  shift
  mkdir -p "$root/build/log"
  "$@" >"$log" 2>&1 || status=$?
  ((status == 0)) && return 0
  tail -n 60 "$log" >&2
  echo "Failed: $* (everything it said: $log)" >&2
  return "$status"
}
