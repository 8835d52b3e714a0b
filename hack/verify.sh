#!/usr/bin/env bash
# Checks that everything which is derived is as its sources say: generated
# files, module files, formatting, kustomizations, the table of dependencies,
# the layout.
# It works on a copy; the tree stays as it is. All complaints come at once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
have=$scratch/have # the tree as it is
want=$scratch/want # the tree as its sources say
complaints=0

complain() {
  printf 'verify: %s\n' "$1" >&2
  complaints=$((complaints + 1))
}

# files lists what is or would be committed, zero-terminated.
files() {
  git ls-files -z -co --exclude-standard -- "$@" | while IFS= read -r -d '' file; do
    if [[ -e $file ]]; then printf '%s\0' "$file"; fi
  done
}

modules() { files 'go.mod' '*/go.mod' | xargs -0 -n1 dirname; }

modfiles() { files 'hack/localcluster/*.mod' | grep -zv '/go\.mod$'; }

copy_tree() {
  mkdir "$have"
  files | tar --null -T - -cf - | tar -xf - -C "$have"
  cp -a "$have" "$want"
}

# What a generator writes is removed first, so that leftovers of a removed
# source are found too.
remove_generated() {
  local file
  while IFS= read -r file; do rm -f "$want/$file"; done < <(
    cd "$want"
    grep -rlE '^(//|#|<!--) Code generated .*DO NOT EDIT' api cmd config controllers docs hack internal test 2>/dev/null || true
    ls config/crd/bases/*.yaml config/rbac/*_role.yaml config/*/role.yaml 2>/dev/null || true
  )
}

check_generated() {
  remove_generated
  if ! make --no-print-directory -C "$want" generate manifests docs >"$scratch/log" 2>&1; then
    cat "$scratch/log" >&2
    complain "generating failed"
    return
  fi
  if ! diff -ru "$have" "$want" >"$scratch/diff"; then
    sed -e "s|$scratch/have|a|g" -e "s|$scratch/want|b|g" "$scratch/diff" >&2
    complain "generated files are not what their sources say: run make generate manifests docs"
  fi
}

check_modules() {
  local module file
  while IFS= read -r module; do
    if ! go mod tidy -C "$have/$module" -diff >&2; then
      complain "$module/go.mod or go.sum is not tidy: run go mod tidy -C $module"
    fi
  done < <(modules)
  # Further sets of versions for one module, each in a file of its own.
  while IFS= read -r -d '' file; do
    if ! go mod tidy -C "$have/$(dirname "$file")" -modfile="$(basename "$file")" -diff >&2; then
      complain "$file is not tidy: run go mod tidy -C $(dirname "$file") -modfile=$(basename "$file")"
    fi
  done < <(modfiles)
}

check_format() {
  local bad
  bad=$(files '*.go' | xargs -0 -r gofmt -l)
  if [[ -n $bad ]]; then complain "not formatted, run make fmt: ${bad//$'\n'/ }"; fi
  while IFS= read -r -d '' script; do
    bash -n "$script" || complain "$script is not a shell script"
  done < <(files '*.sh' .ci/run)
}

check_manifests() {
  local file
  while IFS= read -r -d '' file; do
    # A component changes what others install; alone it has nothing to change.
    if grep -q '^kind: Component$' "$file"; then continue; fi
    if ! go tool -modfile=hack/tools/go.mod kustomize build "$(dirname "$file")" >"$scratch/manifests" 2>"$scratch/log"; then
      cat "$scratch/log" >&2
      complain "$(dirname "$file") does not build"
    elif [[ ! -s $scratch/manifests ]]; then
      complain "$(dirname "$file") builds nothing"
    fi
  done < <(files 'config/*kustomization.yaml')
}

# direct prints the modules and tools that a go.mod asks for in its own name.
direct() {
  awk '/^(require|tool) \($/ { inside = 1; next }
       /^\)/                 { inside = 0 }
       /\/\/ indirect/       { next }
       inside && NF          { print $1 }
       /^(require|tool) [^(]/ { print $2 }' "$1"
}

check_dependencies() {
  local table=docs/dependencies.md module file name
  if [[ ! -f $table ]]; then
    complain "$table is missing"
    return
  fi
  {
    while IFS= read -r module; do direct "$module/go.mod"; done < <(modules)
    while IFS= read -r -d '' file; do direct "$file"; done < <(modfiles)
  } | sort -u >"$scratch/direct"
  awk -F'`' '/^\| `/ { print $2 }' "$table" | sort -u >"$scratch/rows"
  while IFS= read -r name; do complain "$name is a direct dependency without a row in $table"; done \
    < <(comm -23 "$scratch/direct" "$scratch/rows")
  while IFS= read -r name; do complain "$name has a row in $table but no go.mod asks for it"; done \
    < <(comm -13 "$scratch/direct" "$scratch/rows")
  while IFS= read -r name; do complain "$name has a row in $table without a reason"; done \
    < <(awk -F'|' '/^\| `/ { reason = $3; gsub(/ /, "", reason); if (length(reason) < 10) print $2 }' "$table")
}

check_layout() {
  local allowed=' api cmd config controllers docs hack internal test go.mod go.sum Makefile PROJECT README.md LICENSE ' entry
  while IFS= read -r entry; do
    if [[ $entry != .* && $allowed != *" $entry "* ]]; then
      complain "$entry does not belong at the top of the tree: $allowed"
    fi
  done < <(files | tr '\0' '\n' | cut -d/ -f1 | sort -u)
}

copy_tree
for check in generated modules format manifests dependencies layout; do
  echo "verifying $check"
  "check_$check"
done
echo "verify: $complaints complaints"
[[ $complaints -eq 0 ]]
