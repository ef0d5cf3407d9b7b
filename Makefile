# Each target installs what it needs. `make help` lists the targets.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
JOBS ?= 2
capture_benchmarks := bench/packet-cost.ts bench/drain-cost.ts bench/agent-cost.ts bench/replay.ts
SOURCE ?= auto

.PHONY: help build packages demo attack test lint format bench-packages bench-capture bench-policy bench-collector bench clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 16

build: packages node_modules/.built agent/capture/ebpf/flows.bpf.o ## Install and compile everything; then use npx waybill

packages:
	@sh setup/packages.sh

node_modules/.built: package.json package-lock.json setup/native.sh .taprc
	@echo 'installing npm packages and building pcap for the pinned Node'
	@sh setup/native.sh
	@touch $@

agent/capture/ebpf/flows.bpf.o: agent/capture/ebpf/flows.bpf.c setup/ebpf.sh
	@echo 'compiling the BPF program'
	@sh setup/ebpf.sh

demo: build ## Run a two-node lab with real traffic, and print its findings
	@node lab/demo.ts

attack: build ## Attack a cluster of the lab, and check what Waybill reports; SOURCE=ebpf, tap, pcap or all
	@node lab/attack.ts --source $(SOURCE)

test: build lint ## Run every test, and print the counts
	@set -o pipefail; tap run --disable-coverage --jobs=$(JOBS) --timeout=900 --reporter=tap $$(find test -name '*.test.ts' | sort) | node setup/count-tests.ts

lint: build ## Check format, lint rules and types
	@biome check . --reporter=summary
	@tsc -p .

format: build ## Format every file
	@biome check --write .

bench-packages: build
	@sh setup/packages.sh bench

bench-capture: bench-packages ## Measure the cost of capturing
	@node bench/run.ts $(capture_benchmarks)

bench-policy: build ## Measure verdicts and policy changes
	@node bench/run.ts bench/policy.ts

bench-collector: build ## Measure the throughput and memory of the collector
	@node bench/run.ts bench/collector.ts bench/node-lookup.ts bench/fair-ingest.ts

bench: bench-packages ## Run every benchmark, and print the budgets at the end
	@node bench/run.ts $(capture_benchmarks) bench/policy.ts bench/collector.ts bench/node-lookup.ts bench/fair-ingest.ts bench/first-packet-to-finding.ts

clean: ## Remove the npm packages and test results
	@rm -rf node_modules .tap
