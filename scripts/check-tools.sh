#!/usr/bin/env bash
# Says what is missing before anything is installed. Usage: check-tools.sh PYTHON
set -euo pipefail

python="$1"

fail() {
  echo "$1" >&2
  exit 1
}

command -v "${python}" >/dev/null || fail "Python >= 3.11 is needed, and '${python}' is not here (PYTHON=... make chooses)."
"${python}" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "Python >= 3.11 is needed; '${python}' is $("${python}" --version 2>&1)."
command -v node >/dev/null || fail "Node >= 20 is needed for the CDK, and 'node' is not here."
node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' ||
  fail "Node >= 20 is needed for the CDK; this is $(node --version)."
command -v npm >/dev/null || fail "npm is needed for the CDK's command line tool, and is not here."
