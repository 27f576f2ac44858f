# shellcheck shell=bash
# Sourced by the scripts beside it: finds a Python and runs the package `stack` with it.

# Print the first Python on the PATH that is new enough.
find_python() {
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  echo "No Python 3.11 or later on the PATH. Install one and run this again." >&2
  return 1
}

# Become a command of the package `stack`, with the script's own arguments.
run_stack() {
  local deploy python
  deploy=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
  python=$(find_python) || exit 1
  PYTHONPATH=$deploy PYTHONDONTWRITEBYTECODE=1 exec "$python" -m stack "$@"
}
