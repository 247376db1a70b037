# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The one list of Debian 12 packages that the project needs, and the one place that installs them. Sourced by the
# scripts; packages come from the machine's own apt sources, as root or with sudo. COMMAND:PACKAGE is wanted only where
# the command is missing: it may have come from elsewhere.
#
#   need_packages build example    installs what is missing of these groups; says nothing when all is there
#
# shellcheck disable=SC2034  # the lists are used by name

# To build and run the server.
PACKAGES_build=(
  g++ cmake ninja-build pkg-config
  libluajit-5.1-dev libuv1-dev node-llhttp liblmdb-dev prometheus-cpp-dev libsodium-dev libssl-dev
  libre2-dev libsimdjson-dev libspdlog-dev libcli11-dev zlib1g-dev libcurl4-openssl-dev libedit-dev
  python3 python3-yaml
  curl jq
)
# What the example of scripts/run reads: its importer, and the sources that disagree.
PACKAGES_example=(
  python3 python3-nacl
  locales unicode-cldr-core iso-codes tzdata php-symfony-intl python-babel-localedata
)
# To run every test.
PACKAGES_test=(
  libgtest-dev libgmock-dev libbenchmark-dev
  python3 python3-nacl python3-prometheus-client python3-jsonschema
  node:nodejs npm:npm luajit lua-check shellcheck lmdb-utils openssl prometheus procps iproute2 util-linux mount tmux
)
# To change the code, and to measure it.
PACKAGES_develop=(
  git ccache clang-format clang-tidy debootstrap wrk util-linux python3-matplotlib
)

# Printed for people; nothing else goes to stdout.
packages_say() { printf '%s\n' "$*" >&2; }

# Prints the packages among its arguments that are not installed, one on each line.
missing_packages() {
  local package
  for package in "$@"; do
    if [[ $package == *:* ]]; then
      command -v "${package%%:*}" >/dev/null && continue
      package=${package#*:}
    fi
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# The words that make a command root's; empty for root itself. Fails with a remedy when there is no way.
as_root_words() {
  [[ $(id -u) == 0 ]] && return 0
  if command -v sudo >/dev/null; then
    echo "sudo"
    return 0
  fi
  return 1
}

# Debian starts a service when its package is installed. Here only programs are wanted (promtool from prometheus), so
# starting is forbidden for the time of the installation, and what came is not left enabled for the next boot.
install_without_services() {
  local policy=/usr/sbin/policy-rc.d made_policy='' status=0
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    made_policy=yes
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" >&2 || status=$?
  if [[ -n $made_policy ]]; then "${as_root[@]}" rm -f "$policy"; fi
  if ((status == 0)) && [[ -d /run/systemd/system && " $* " == *" prometheus "* ]]; then
    "${as_root[@]}" systemctl --quiet disable prometheus.service >/dev/null 2>&1 || true
  fi
  return "$status"
}

# need_packages GROUP...: 0 when everything is installed afterwards, else 1 with a remedy.
need_packages() {
  local group wanted=() missing as_root
  for group in "$@"; do
    local -n list="PACKAGES_$group"
    wanted+=("${list[@]}")
  done
  mapfile -t missing < <(missing_packages "${wanted[@]}" | sort -u)
  ((${#missing[@]})) || return 0
  if ! command -v apt-get >/dev/null; then
    packages_say "This needs Debian 12's packages, and there is no apt-get here. Missing: ${missing[*]}"
    return 1
  fi
  if ! as_root=$(as_root_words); then
    packages_say "Some packages are missing and neither root nor sudo is at hand. As root: apt-get install ${missing[*]}"
    return 1
  fi
  read -ra as_root <<<"$as_root"
  packages_say "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 >&2 ||
    packages_say "apt-get update failed; trying with the package lists that are there."
  if ! install_without_services "${missing[@]}"; then
    packages_say "apt-get could not install: ${missing[*]}"
    packages_say "Its own message is above. The names are Debian 12's (bookworm, main); see /etc/apt/sources.list."
    return 1
  fi
}
