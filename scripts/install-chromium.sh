#!/usr/bin/env bash
# Has the browser that the console's tests drive: REVALIDA_CHROMIUM if it is set, else Debian's chromium.
set -euo pipefail

chromium="${REVALIDA_CHROMIUM:-/usr/bin/chromium}"
[[ -x "${chromium}" ]] && exit 0
if [[ -n "${REVALIDA_CHROMIUM:-}" || "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null; then
  echo "The console's tests need Chromium, and ${chromium} is not there: install Debian's package 'chromium'," \
    "or set REVALIDA_CHROMIUM to a Chromium or Chrome." >&2
  exit 1
fi
echo "Installing Debian's chromium for the console's tests ..."
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
