#!/usr/bin/env bash
# Runs every fuzz target of every module for FUZZTIME (default 2s each).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fuzztime=${FUZZTIME:-2s}
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# run_target DIRECTORY NAME
run_target() {
  # 1s for minimising: a short run should look for new inputs, not polish old ones.
  if (cd "$1" && go test -run='^$' -fuzz="^$2\$" -fuzztime="$fuzztime" -fuzzminimizetime=1s .) >"$output" 2>&1; then
    tail -n 1 "$output"
    return
  fi
  # Before Go 1.27 the engine at times reports its own deadline as a failure (go.dev/issue/75804).
  # A real failure always leaves an input behind or says what panicked.
  if grep -q 'context deadline exceeded' "$output" && ! grep -qE 'Failing input written|panic:|_test\.go:[0-9]+' "$output"; then
    echo "ok	$1	$2 ended at its deadline"
    return
  fi
  cat "$output"
  return 1
}

targets=0 failed=0
while IFS=: read -r file declaration; do
  name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/' <<<"$declaration")
  targets=$((targets + 1))
  echo "fuzzing ./$(dirname "$file") $name for $fuzztime"
  run_target "$(dirname "$file")" "$name" || failed=$((failed + 1))
done < <(git ls-files -z -co --exclude-standard -- '*_test.go' | xargs -0 grep -HoE '^func Fuzz[A-Za-z0-9_]*\([a-z]+ \*testing\.F\)' 2>/dev/null | sort)

if [[ $targets -eq 0 ]]; then
  echo "fuzz: found no target; parsers without one are a mistake" >&2
  exit 1
fi
echo "fuzz: $((targets - failed)) passed, $failed failed"
[[ $failed -eq 0 ]]
