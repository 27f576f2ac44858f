#!/usr/bin/env bash
# Make the site of docs/; --help tells the options.
set -euo pipefail

# shellcheck source=deploy/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

run_stack docs "$@"
