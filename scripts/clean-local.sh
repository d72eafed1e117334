#!/usr/bin/env bash
# Wipes the local system's state, unless it runs.
set -euo pipefail

directory="${REVALIDA_LOCAL_DIR:-.local}"
[[ -d "${directory}" ]] || exit 0
[[ -e "${directory}/stack.json" || -e "${directory}/lock" ]] || {
  echo "${directory} does not look like a local system's directory: nothing is removed." >&2
  exit 1
}
for pid_file in "${directory}"/run/*.pid; do
  if [[ -e "${pid_file}" ]] && kill -0 "$(<"${pid_file}")" 2>/dev/null; then
    echo "The local system is running: stop it first (Ctrl-C in its terminal)." >&2
    exit 1
  fi
done
rm -rf "${directory}"
