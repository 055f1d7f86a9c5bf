# The targets people use: demo, test, build, bench. `make help` lists them.
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/remeld/remeld/internal/app.Version=$(VERSION)

.PHONY: help build demo test check lint unit crash bench fuzz docs clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

build: ## build bin/remeld
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/remeld ./cmd/remeld

demo: build ## build and run the demo: sandbox tenant, feeds, graph; Ctrl-C ends it
	./bin/remeld demo

test: check lint unit ## everything that must be green

check: ## formatting, vet, tidy module files
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt needed:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) mod verify >/dev/null

lint: ## golangci-lint, pinned in tools/go.mod
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...

unit: ## unit, conformance, fuzz seeds, end-to-end scripts
	$(GO) test -timeout 20m ./...

crash: ## kill the real process at random moments, 50 times
	REMELD_CRASHES=50 $(GO) test -count=1 -timeout 60m -run Crash ./internal/app/...

bench: build ## measure, compare with rivals, write docs/performance.md
	CGO_ENABLED=0 $(GO) run ./internal/bench

fuzz: ## each fuzz target for 30 s
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg 2>/dev/null | grep '^Fuzz'); do \
	    $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 30s $$pkg || exit 1; done; done

docs: ## regenerate the generated references
	$(GO) test ./internal/docgen -update

clean: ## remove what was built
	rm -rf bin
