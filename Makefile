# Each target sets up what it needs: make help.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
JOBS ?= 2
capture_benchmarks := bench/packet-cost.ts bench/drain-cost.ts bench/agent-cost.ts bench/replay.ts

.PHONY: help build packages demo test lint format bench-packages bench-capture bench-policy bench-collector bench clean

help: ## say what each target does
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 16

build: packages node_modules/.built agent/capture/ebpf/flows.bpf.o ## set up everything; after it, npx waybill is the command line

packages:
	@sh setup/packages.sh

node_modules/.built: package.json package-lock.json setup/native.sh .taprc
	@echo 'installing npm packages and building pcap for the pinned Node'
	@sh setup/native.sh
	@touch $@

agent/capture/ebpf/flows.bpf.o: agent/capture/ebpf/flows.bpf.c setup/ebpf.sh
	@echo 'compiling the program for the kernel'
	@sh setup/ebpf.sh

demo: build ## a two-node lab, real traffic, and the findings with their explanations
	@node lab/demo.ts

test: build lint ## every test; ends with a line of counts
	@set -o pipefail; tap run --disable-coverage --jobs=$(JOBS) --timeout=900 --reporter=tap $$(find test -name '*.test.ts' | sort) | node setup/count-tests.ts

lint: build ## formatter, linter and types
	@biome check . --reporter=summary
	@tsc -p .

format: build ## write every file as the formatter wants it
	@biome check --write .

bench-packages: build
	@sh setup/packages.sh bench

bench-capture: bench-packages ## what capturing costs; the last lines are one a budget
	@node bench/run.ts $(capture_benchmarks)

bench-policy: build ## what a verdict and a change of policy cost; the last lines are one a budget
	@node bench/run.ts bench/policy.ts

bench-collector: build ## what the collector takes in, and its memory; the last lines are one a budget
	@node bench/run.ts bench/collector.ts

bench: bench-packages ## every benchmark; the last lines are one a budget
	@node bench/run.ts $(capture_benchmarks) bench/policy.ts bench/collector.ts bench/first-packet-to-finding.ts

clean: ## remove what was built, and what a crashed lab left
	@rm -rf node_modules .tap
