# Every variable with ?= may be set on the command line: make test FUZZTIME=1m
SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

ifeq ($(filter oneshell,$(.FEATURES)),)
$(error this needs GNU make 4; on macOS install it and call gmake)
endif

MODULE  := github.com/hipaa-operator/hipaa-operator
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
# The moment that reproducible artefacts tell: that of the commit.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

## Where things go: built tools outside the tree, what we build inside and ignored.
CACHE ?= $(or $(HIPAA_OPERATOR_CACHE),$(XDG_CACHE_HOME:%=%/hipaa-operator),$(HOME)/.cache/hipaa-operator)
BIN   ?= bin
DIST  ?= dist

## How binaries are built. GOFIPS140=off builds with Go's own, newest cryptography.
GOFIPS140  ?= certified
GOARCH     ?= $(shell go env GOARCH)
GO_LDFLAGS ?= -s -w -X $(MODULE)/internal/version.version=$(VERSION)
GO_BUILD   := CGO_ENABLED=0 GOFIPS140=$(GOFIPS140) go build -trimpath -buildvcs=false -ldflags '$(GO_LDFLAGS)'

## Images: one per command that runs in a cluster.
# What config/ calls hipaa-operator/manager, in full, as nodes look it up.
IMAGE_REPOSITORY ?= docker.io/hipaa-operator
IMAGE_TAG        ?= $(VERSION)
IMAGE_PLATFORMS  ?= linux/$(GOARCH)
IMAGES           ?= $(filter-out kubectl-%,$(patsubst cmd/%/main.go,%,$(wildcard cmd/*/main.go)))

## How tests run. RACE=1 needs a C compiler.
RACE         ?=
TEST_FLAGS   ?= $(if $(RACE),-race)
TEST_TIMEOUT ?= 20m
FUZZTIME     ?= 2s
E2E_TIMEOUT  ?= 30m
NODE_FLAGS   ?=
DEMO_FLAGS   ?=
BENCH        ?= .
BENCH_COUNT  ?= 6
CHART        ?= config/helm/hipaa-operator

TOOL           := go tool -modfile=hack/tools/go.mod
CONTROLLER_GEN := $(TOOL) controller-gen
LOCALCLUSTER   := go run -C hack/localcluster .
LINT           := $(CACHE)/tools/golangci-lint
HACK_MODULES   := $(patsubst %/go.mod,%,$(wildcard hack/*/go.mod hack/*/*/go.mod))
LINTED_MODULES := $(foreach m,$(HACK_MODULES),$(if $(wildcard $(m)/*.go),$(m)))
TESTED_MODULES := $(foreach m,$(HACK_MODULES),$(if $(wildcard $(m)/*_test.go),$(m)))

.PHONY: help
help: ## Tell what can be made.
	@awk 'BEGIN { FS = ":.*## " } \
	  /^### / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

### Try it
.PHONY: demo build plugin images helm
demo: ## Start a cluster with the operator, show what it does, stay up until Ctrl-C; or KUBECONFIG=FILE IMAGE=REF.
	@mkdir -p $(BIN)
	$(GO_BUILD) -o $(BIN)/demo ./hack/demo
	images=()
	if [[ $$(uname) == Linux && $$(id -u) == 0 && -z "$(filter command,$(origin KUBECONFIG))" ]]; then
	  $(MAKE) --no-print-directory node-images
	  images=(-images $(CURDIR)/$(BIN)/node)
	fi
	exec $(BIN)/demo "$${images[@]}" $(if $(filter command,$(origin KUBECONFIG)),-kubeconfig $(KUBECONFIG)) $(if $(IMAGE),-image $(IMAGE)) $(DEMO_FLAGS)

build: ## Build every command into bin/.
	@mkdir -p $(BIN)
	$(GO_BUILD) -o $(BIN)/ ./cmd/...

plugin: ## Build kubectl-hipaa into bin/; on the path it is "kubectl hipaa".
	@mkdir -p $(BIN)
	$(GO_BUILD) -o $(BIN)/kubectl-hipaa ./cmd/kubectl-hipaa

images: $(IMAGES:%=image-%) ## Build the container images as OCI archives in dist/; needs no engine, no registry.

image-%:
	@mkdir -p $(DIST)
	binaries=()
	for platform in $(IMAGE_PLATFORMS); do
	  binary=$(DIST)/$$platform/$*
	  GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO_BUILD) -o "$$binary" ./cmd/$*
	  binaries+=("$$platform=$(CURDIR)/$$binary")
	done
	go run -C hack/images . -name $(IMAGE_REPOSITORY)/$*:$(IMAGE_TAG) -out $(CURDIR)/$(DIST)/$*.oci.tar \
	  -version $(VERSION) -revision $(COMMIT) -source https://$(MODULE) "$${binaries[@]}"

helm: ## Check the Helm chart: lint it and render it with each of its ci values.
	$(TOOL) helm lint --strict $(CHART)
	for values in $(or $(wildcard $(CHART)/ci/*.yaml),$(CHART)/values.yaml); do
	  echo "rendering with $$values"
	  $(TOOL) helm template hipaa-operator $(CHART) --namespace hipaa-operator-system --include-crds --values "$$values" >/dev/null
	done

### Change it
.PHONY: generate manifests docs fmt
generate: ## Write deep copies and apply configurations of api/, and the rules of tokens.
	$(CONTROLLER_GEN) object applyconfiguration paths=./api/...
	go run -C hack/tokenrules . $(CURDIR)/internal/control/catalog/no_embedded_credentials_tokens.go

# Each process has a role of its own: what the manager may do is no reason for the issuer to.
manifests: ## Write CRDs and RBAC roles from the markers in Go, and what rules make of the manifests.
	go run ./hack/rulegen
	UPDATE=1 go test -count=1 ./config
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:artifacts:config=config/crd/bases
	manager=$$(go list ./... | grep -E '^$(MODULE)/(controllers|internal)/' | grep -vE '/internal/(issuer|auditlog|proxy)(/|$$)' | paste -sd';' -)
	$(CONTROLLER_GEN) rbac:roleName=hipaa-operator-manager,fileName=manager_role.yaml \
	  paths="$$manager" output:rbac:artifacts:config=config/rbac
	for process in $(patsubst internal/%,%,$(wildcard internal/issuer internal/auditlog)); do
	  $(CONTROLLER_GEN) rbac:roleName=hipaa-operator-$$process,fileName=role.yaml \
	    paths=./internal/$$process/... output:rbac:artifacts:config=config/$$process
	done
	go run ./hack/helmgen

docs: ## Write the reference pages, samples and rule lists from the code.
	go run ./hack/docgen

fmt: $(LINT) ## Format Go code.
	for module in . $(HACK_MODULES); do (cd $$module && $(LINT) fmt --config $(CURDIR)/.golangci.yml); done

### Check it
.PHONY: test unit fuzz race lint verify e2e e2e-node bench bench-proxy vuln
test: unit fuzz ## Run everything a contributor must keep green, except the linters.

unit: ## Run the tests of every module; the Kubernetes binaries build themselves on first use.
	@if [[ $$(id -u) == 0 ]] && command -v apt-get >/dev/null && ! command -v redis-server >/dev/null; then
	  apt-get install -y --no-install-recommends redis-server || echo "without redis-server the tests that need one are skipped"
	fi
	echo "preparing kube-apiserver and etcd; the first time this builds them"
	KUBEBUILDER_ASSETS=$$($(LOCALCLUSTER) assets); export KUBEBUILDER_ASSETS
	packages=$$(go list ./... | grep -v '^$(MODULE)/test/e2e')
	go test -timeout=$(TEST_TIMEOUT) $(TEST_FLAGS) $$packages
	for module in $(TESTED_MODULES); do go test -C $$module -timeout=$(TEST_TIMEOUT) ./...; done

fuzz: ## Run every fuzz target for FUZZTIME.
	FUZZTIME=$(FUZZTIME) hack/fuzz.sh

race: ## Run the tests of the root module under the race detector.
	$(MAKE) unit RACE=1

lint: $(LINT) ## Run the linters of .golangci.yml over every module, kube-api-linter over api/.
	@bad=
	go vet ./... || bad+=" vet"
	for module in . $(LINTED_MODULES); do
	  echo "linting $$module"
	  (cd $$module && $(LINT) run --config $(CURDIR)/.golangci.yml ./...) || bad+=" $$module"
	done
	[[ -z $$bad ]] || { echo "lint: findings in$$bad" >&2; exit 1; }

verify: ## Check that generated files, modules, formatting and tables are as the sources say.
	hack/verify.sh

e2e: ## Run the end-to-end tests on a cluster of their own.
	E2E=1 go test -count=1 -timeout=$(E2E_TIMEOUT) ./test/e2e/...

# The suite stands in the node's network, from where no module can be fetched: what it runs is built before.
# The operator comes as the images that config/ names; their version is no news, so that nothing is built twice.
e2e-node: ## Run the tests that need a real node: Linux, as root; elsewhere they say why they are skipped.
	@$(MAKE) --no-print-directory node-images
	go test -c -o $(BIN)/node.test ./test/node
	go run ./test/node/images -out $(CURDIR)/$(BIN)/node -localcluster $(CURDIR)/$(BIN)/localcluster
	cd test/node
	NODE=1 NODE_IMAGES=$(CURDIR)/$(BIN)/node $(CURDIR)/$(BIN)/localcluster run --node -- $(CURDIR)/$(BIN)/node.test -test.v -test.timeout=$(E2E_TIMEOUT) $(NODE_FLAGS)

# What a real node runs: the operator, and an application that knows nothing of it.
.PHONY: node-images
node-images:
	@mkdir -p $(BIN)
	go build -C hack/localcluster -o $(CURDIR)/$(BIN)/localcluster .
	tag=$$(sed -n 's/^ *newTag: //p' config/default/kustomization.yaml)
	$(MAKE) --no-print-directory images DIST=$(BIN)/node VERSION=$$tag COMMIT=none SOURCE_DATE_EPOCH=0
	CGO_ENABLED=0 go build -o $(BIN)/node/ ./test/node/records

bench: ## Measure; with BENCH_BASE=FILE compare to an earlier $(DIST)/bench.txt.
	@mkdir -p $(DIST)
	KUBEBUILDER_ASSETS=$$($(LOCALCLUSTER) assets); export KUBEBUILDER_ASSETS
	go test -run='^$$' -bench='$(BENCH)' -benchmem -count=$(BENCH_COUNT) -timeout=2h ./... | tee $(DIST)/bench.txt
	$(TOOL) benchstat $(BENCH_BASE) $(DIST)/bench.txt

bench-proxy: ## Measure phi-proxy beside nginx, haproxy and ReverseProxy; installs the first two where root may.
	@mkdir -p $(BIN)
	$(GO_BUILD) -o $(BIN)/phi-proxy ./cmd/phi-proxy
	if [[ $$(id -u) == 0 ]] && command -v apt-get >/dev/null && ! { command -v nginx && command -v haproxy; } >/dev/null; then
	  apt-get install -y --no-install-recommends nginx-light haproxy
	fi
	PROXY_BENCH=1 PHI_PROXY=$(CURDIR)/$(BIN)/phi-proxy GOFIPS140=$(GOFIPS140) go test -count=1 -v ./test/bench/proxy

vuln: ## Ask the Go vulnerability database about what we build; needs the network.
	$(TOOL) govulncheck ./...

# golangci-lint is built from its own module: go build knows whether anything changed.
.PHONY: $(LINT)
$(LINT):
	@mkdir -p $(@D)
	go build -C hack/tools/lint -o $@ .

.PHONY: clean
clean: ## Remove what was built in the tree; the cache of tools stays.
	rm -rf $(BIN) $(DIST)

# Recipes are one script each.
.ONESHELL:
