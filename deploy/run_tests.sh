#!/usr/bin/env bash
# Start the test stack and run the tests against it; --help tells the options.
set -euo pipefail

# shellcheck source=deploy/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

run_stack test "$@"
