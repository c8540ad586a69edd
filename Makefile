# Two commands do everything: "make run" and "make test".
GO ?= go
LINT := $(GO) tool -modfile=tools/go.mod golangci-lint

.PHONY: build run test unit e2e pictures lint generate generated vuln assets deps bench crash soak fuzz clean

build: assets
	$(GO) build -trimpath -ldflags "-s -w" -o bin/plateau ./cmd/plateau

# Browser packages come from npm by the lock file, are bundled here and embedded.
assets: web/node_modules/.package-lock.json
	$(GO) run ./internal/tools/assets

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	@command -v npm >/dev/null || { echo "plateau: npm is missing; install it with: apt-get install npm" >&2; exit 1; }
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

run: build
	bin/plateau demo

deps:
	@sh scripts/test-deps.sh

test: deps assets unit e2e

# The race detector watches every package; the databases are real. The proof of
# the judgement by plain SQL runs without it, and so do in full the tests that
# try fewer cases under it or none. A watched program waits at its end for races
# that are still to come: a tenth of a second here, not the second it would. One
# package more than there are processors, for some tests wait most of their time.
# Vet is among the linters of "make lint", so the tests need not run it. SQLite
# itself is not watched: it is C translated into Go, has locks of its own, and
# takes eight times as long under the detector. Of its module only this package,
# for code of generics in an unwatched one could stand in for the watched one.
PACKAGES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
unit:
	GORACE=atexit_sleep_ms=100 $(GO) test -vet=off -race '-gcflags=modernc.org/sqlite/lib=-race=false' -p $(PACKAGES) -timeout 14m ./...
	$(GO) test -vet=off -p $(PACKAGES) -timeout 14m ./internal/proof ./internal/tools/crash
	$(GO) test -vet=off -p $(PACKAGES) -timeout 14m -run 'TestKill|TestMatrix|TestHostile|TestHistory|TestAgainstModel|TestPowerFailureWhileCreated|TestSimulatedRegion|TestRedoneInPart|TestOrderDoesNotMatter|TestModel|TestCascadeOfMany|TestFaultSweep|TestPowerLoss|TestUnreadable|TestManyOutlets|TestStartSmall|TestGrowthSmall|EqualsAlgorithmMore|EqualsGrammar' \
		./internal/app ./internal/platform/notify ./internal/platform/lsm ./internal/telemetry ./internal/telemetry/alarm ./internal/telemetry/backfill ./internal/telemetry/store ./internal/telemetry/quality ./internal/telemetry/simulator ./internal/sensorthings/entitystore ./internal/bench ./hj212

# A real browser against the real program, several tabs at once.
e2e: assets
	$(GO) build -o bin/plateau ./cmd/plateau
	$(GO) test -vet=off -tags e2e -timeout 26m -count=1 -parallel 4 ./e2e/...

# The same, with pictures of every page in three languages and two widths in e2e/out.
pictures: assets
	$(GO) build -o bin/plateau ./cmd/plateau
	PLATEAU_PICTURES=1 $(GO) test -tags e2e -timeout 26m -count=1 -parallel 4 ./e2e/...

# The client that is generated from the document of the interface.
generate:
	$(GO) generate ./internal/apiclient

# Generating anew must change nothing.
generated: generate
	git diff --exit-code -- internal/apiclient

lint: generated
	$(LINT) run ./...
	$(LINT) run --build-tags e2e ./e2e/...

vuln:
	@GO="$(GO)" sh scripts/vuln.sh

# Kills the program ROUNDS times at random points and counts what is lost.
ROUNDS ?= 100
crash: build
	$(GO) run ./internal/tools/crash -bin bin/plateau -rounds $(ROUNDS)

# Watches memory and handles under a steady load for SPAN.
SPAN ?= 30m
soak: build
	$(GO) run ./internal/tools/soak -bin bin/plateau -for $(SPAN) -svg bin/soak.svg

# Runs each fuzz target for FUZZTIME and counts the executions.
FUZZTIME ?= 30s
fuzz:
	@GO=$(GO) FUZZTIME=$(FUZZTIME) sh scripts/fuzz.sh

bench: build
	bin/plateau bench parse
	bin/plateau bench ingest
	bin/plateau bench query
	bin/plateau bench judge
	bin/plateau bench recompute
	bin/plateau bench start

clean:
	rm -rf bin internal/web/dist/* web/node_modules
