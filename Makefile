# The ways into the project. `make run` and `make test` do their own set-up on a fresh clone.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CDK := node_modules/.bin/cdk
# Stamps are newer than what they were made of, so that a second set-up takes no time.
PYTHON_STAMP := $(VENV)/.installed
KERNELS := $(VENV)/kernels
KERNELS_STAMP := $(KERNELS)/.installed
KERNEL_TESTS := tests/kernels
NODE_STAMP := node_modules/.installed

# As cdk.json's fleet.agent_version: the instances install what has this name.
VERSION ?= 0.1.0

# Two cores: let no library take them all for itself.
export OMP_NUM_THREADS ?= 2
# ... and let its threads sleep, not spin, while they wait: the machine has other work.
export OMP_WAIT_POLICY ?= passive

.PHONY: help setup run test test-unit test-kernels test-chaos test-e2e lint synth deploy agent docs-gen clean-local

help: ## What there is to make
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(PYTHON_STAMP) $(NODE_STAMP) ## Install the pinned dependencies into .venv and node_modules

$(PYTHON_STAMP): requirements.txt requirements-dev.txt pyproject.toml
	@scripts/check-tools.sh $(PYTHON)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(NODE_STAMP): package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Triton is seen by the tests of its kernels alone: with it torch would compile otherwise.
$(KERNELS_STAMP): requirements-kernels.txt $(PYTHON_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(KERNELS) -r $<
	@touch $@

# Python's packages and the console's have nothing to do with each other: both are made ready at once.
run: ## Start the whole system on this machine (PORT=8080); Ctrl-C stops it
	@$(MAKE) --no-print-directory --jobs=2 setup console
	@exec $(BIN)/python -m local

UNIT_TESTS := -n 2 --dist loadfile --ignore=tests/e2e --ignore=tests/chaos --ignore=$(KERNEL_TESTS)

test: setup console browser ## All tests: unit, template, import rules, kernels, end-to-end, agents under faults
	@failed=0; $(MAKE) --no-print-directory test-kernels || failed=1; \
	for part in "$(UNIT_TESTS)" tests/e2e tests/chaos; do \
		$(BIN)/python -m pytest $$part || failed=1; \
	done; exit $$failed  # each part is run, whatever the others found

test-unit: setup test-kernels ## The tests that need no running system
	$(BIN)/python -m pytest $(UNIT_TESTS)

test-kernels: $(KERNELS_STAMP) ## Our Triton kernels, in its interpreter where there is no GPU
	PYTHONPATH=$(KERNELS) $(BIN)/python -m pytest $(KERNEL_TESTS)

test-chaos: setup ## Agents killed, paused and starved against a local AWS, and a short chaos run
	$(BIN)/python -m pytest tests/chaos

test-e2e: setup console browser ## The tests against the running local system
	$(BIN)/python -m pytest tests/e2e

lint: setup console-check ## ruff (lint and format), mypy strict, TypeScript strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

synth: setup ## The CloudFormation template for AWS, into cdk.out/
	$(CDK) synth --quiet --no-notices

deploy: setup ## Deploy to the AWS account of the current credentials
	$(CDK) deploy --no-notices

agent: setup ## Build the agent's artifact (VERSION=0.1.0), and upload it (BUCKET=the stack's MediaBucket)
	scripts/build-agent.sh $(VERSION) $(BUCKET)

docs-gen: setup ## Write the generated documents: OpenAPI, schemas of events and receipts
	$(BIN)/python -m lambdas.api.openapi
	$(BIN)/python -m jobs.schemas

clean-local: ## Wipe the local system's state: jobs, videos, keys
	@scripts/clean-local.sh

# The documents compute their own numbers: data and templates to text and plots, then the site into site/.
.PHONY: docs docs-cli docs-diagram docs-check

docs: setup ## Render the documents and build the site into site/
	$(BIN)/python -m knowledge render
	$(BIN)/python -m knowledge plots
	$(BIN)/python -m knowledge check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-cli: setup ## Record the terminal sessions of docs/cli.md (make run must be running)
	$(BIN)/python scripts/record_cli.py

docs-diagram: synth ## Draw the architecture from cdk.out/ into docs/dados
	$(BIN)/python -m knowledge diagram

docs-check: setup ## Stale documents, numbers typed into prose, figures past their review
	$(BIN)/python -m knowledge check

# The agent under faults: a seeded run against the local AWS, and the proof that it would notice a missing safeguard.
.PHONY: chaos chaos-mutants bench-agent bench-gpu bench-quality bench-simulate

chaos: setup ## Kill, pause, starve and confuse the agents (SEED=1), then check every promise
	$(BIN)/python -m tests.chaos --seed $(or $(SEED),1)

chaos-mutants: setup ## Each safeguard taken out must make the chaos run fail
	$(BIN)/python -m tests.chaos --all-mutants --jobs 8 --agents 3 --faults 4 --long-every 1 --limit-s 300

bench-simulate: setup ## A million simulated jobs, and the seconds they take
	OMP_NUM_THREADS=1 $(BIN)/python -m simulator.bench

bench-gpu: setup ## Full-size networks on this machine's GPU (SECTIONS=wan-480p,ltx), into bench/results
	$(BIN)/python -m bench $(if $(SECTIONS),--sections $(SECTIONS))
	$(BIN)/python -m bench.report

bench-quality: setup ## What eight-bit layers do to the trained model's videos (PROMPTS=12), on the CPU
	$(BIN)/python -m bench.quality $(PROMPTS)
	$(BIN)/python -m bench.report

bench-agent: setup ## What checkpoints and the change of jobs cost
	$(BIN)/python -m tests.chaos.bench

.PHONY: bench-mini train-mini pack-mini mini-text mini-vae mini-high mini-low

MINI ?= dist/mini
MINI_PARTS := --vae $(MINI)/vae/vae --text $(MINI)/text
GPUS ?= 1
TRAIN_MINI = $(BIN)/python -m training
EXPERT = $(TRAIN_MINI) denoiser --task t2v --out $(MINI) $(MINI_PARTS)

# The encoder's reading takes little of a GPU and goes beside the autoencoder. The experts take all of one each.
train-mini: setup ## Train wan-mini and its four-step LoRA from nothing, on one NVIDIA GPU (GPUS=2), into dist/mini
	@$(MAKE) --no-print-directory --jobs=2 mini-text mini-vae
	@$(MAKE) --no-print-directory --jobs=$(GPUS) mini-high mini-low
	$(TRAIN_MINI) distil --experts $(MINI) --out $(MINI)/lora $(MINI_PARTS) --minutes 2 $(TRAIN)
	$(TRAIN_MINI) match --experts $(MINI) --lora $(MINI)/lora --out $(MINI)/quick $(MINI_PARTS) --minutes 4 $(TRAIN)

mini-text:
	$(TRAIN_MINI) reading --out $(MINI)/text --minutes 1.5 $(TRAIN)

mini-vae:
	$(TRAIN_MINI) vae --out $(MINI)/vae --minutes 7 $(TRAIN)

mini-high:
	$(EXPERT) --expert high --minutes 17 --learning-rate 2e-3 $(TRAIN)

mini-low:
	$(if $(filter-out 1,$(GPUS)),CUDA_VISIBLE_DEVICES=1) $(EXPERT) --expert low --minutes 8 $(TRAIN)

pack-mini: setup ## Put what train-mini made into models/checkpoints
	$(BIN)/python -m training pack t2v --experts $(MINI) $(MINI_PARTS)
	$(BIN)/python -m training pack lora --experts $(MINI)/quick $(MINI_PARTS)

bench-mini: setup ## What a wan-mini video takes on this CPU, cold and warm
	OMP_WAIT_POLICY=passive $(BIN)/python -m tests.unit.models.bench_mini

# What the API function costs before it does any work.
.PHONY: bench-api bench-gateway

bench-api: setup ## CPU of a cold import, size of the archive, time of a warm call
	$(BIN)/python -m tests.contract.bench

bench-gateway: setup ## Requests a second through the local gateway, and 10,000 list calls
	$(BIN)/python -m tests.e2e.bench_gateway

# Characters: whether a likeness is learned (wan-mini, CPU), and what a step costs at full size (one NVIDIA GPU).
.PHONY: bench-characters bench-lora

bench-characters: setup ## Teach wan-mini a character from 12 pictures, and judge its videos by their pixels
	$(BIN)/python -m training.characters both

bench-lora: setup ## LoRA steps at full size on random weights (MODEL=hunyuan-video), capped at 22 GiB
	$(BIN)/python -m training.bench_lora --model $(or $(MODEL),hunyuan-video)

# The console: its packages, the API's types from docs/openapi.json, and the built files in console/dist.
.PHONY: console console-check browser screenshots deploy-console bench-gallery

CONSOLE_NODE_STAMP := console/node_modules/.installed
CONSOLE_STAMP := console/dist/.built
CONSOLE_SOURCES := $(shell find console/src console/public -type f ! -name schema.d.ts) \
	$(addprefix console/,index.html vite.config.ts package.json) docs/openapi.json

console: $(CONSOLE_STAMP) ## Build the web console into console/dist

$(CONSOLE_NODE_STAMP): console/package.json console/package-lock.json
	npm ci --prefix console --no-audit --no-fund --loglevel=error
	@touch $@

$(CONSOLE_STAMP): $(CONSOLE_NODE_STAMP) $(CONSOLE_SOURCES)
	npm run --prefix console --silent build -- --logLevel warn
	@touch $@

console-check: $(CONSOLE_NODE_STAMP) ## TypeScript strict over the console
	npm run --prefix console --silent check

browser: ## Chromium for the console's tests, if it is not there
	@scripts/install-chromium.sh

screenshots: setup browser ## Pictures of the console for docs/console.md (make run must be running)
	$(BIN)/python scripts/screenshots.py

bench-gallery: setup browser ## How smoothly 10,000 jobs scroll in the gallery (make run must be running)
	$(BIN)/python -m tests.e2e.console.bench_gallery

deploy-console: setup console ## Put the built console into the deployed stack's bucket
	scripts/deploy-console.sh
