#!/usr/bin/env bash
# Turns the inputs of the action into one run of the harness. The reports are written whatever the
# verdict is; the exit code is the harness's own.
set -uo pipefail

conformance=${BINARY:-$RUNNER_TEMP/conformance/release/conformance}
mkdir -p "$REPORT_DIR"
args=(run --github --quiet --level "${LEVEL:-should}")
for form in report.json report.xml report.html badge=badge.json; do
  case $form in
    badge=*) args+=(--report "badge=$REPORT_DIR/${form#badge=}") ;;
    *) args+=(--report "$REPORT_DIR/$form") ;;
  esac
done
given() { # given FLAG VALUE
  [ -z "$2" ] || args+=("$1" "$2")
}
given --plexctl "${PLEXCTL:-}"
given --adapter "${ADAPTER:-}"
given --mock-server "${MOCK_SERVER:-}"
given --server "${SERVER:-}"
given --token-file "${TOKEN_FILE:-}"
given --ca-file "${CA_FILE:-}"
given --known-failing "${KNOWN_FAILING:-}"
given --jobs "${JOBS:-}"
given --timeout "${TIMEOUT:-}"
given --seed "${SEED:-}"
given --shard "${SHARD:-}"
# Blanks separate; a glob is for the harness, not for the shell.
set -f
for rule in ${RULES:-}; do args+=(--rule "$rule"); done
for operation in ${WITHOUT:-}; do args+=(--without "$operation"); done

"$conformance" "${args[@]}"
ended=$?
[ -z "${GITHUB_OUTPUT:-}" ] || echo "exit-code=$ended" >>"$GITHUB_OUTPUT"
exit "$ended"
