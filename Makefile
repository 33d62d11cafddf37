# Needs make, git and Python 3.11+ with venv and pip; everything else is installed below, by hash.
PYTHON ?= python3
ARGS ?=
UV := .tools/uv/bin/uv
PIP := $(UV) pip
GROUPS := job serve synth rehearsal sdk bench
ALONE := aws bench-mlserver bench-bentoml
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(CURDIR)/.venv/bin:$(PATH)
# An interpreter exported by the user's shell would win over the environments named below.
unexport UV_PYTHON VIRTUAL_ENV PYTHONHOME PYTHONPATH

help:
	@echo "make rehearse   deploy to an embedded AWS, train, release, roll back (ARGS=\"--keep\", ARGS=\"--json FILE\")"
	@echo "make rehearse-governance   roll out to an organization, and see who may what (ARGS=\"--json FILE\")"
	@echo "make rehearse-delivery   push changes through the pipeline into four accounts (ARGS=\"--json FILE\")"
	@echo "make check      what takes seconds of \`make test\`: configuration and style"
	@echo "make synth      the templates of everything, to cdk.out"
	@echo "make test       every check that CI runs"
	@echo "make test-long  what takes minutes: faults at random moments, several accounts, the AWS CLI"
	@echo "make test-sdk   the same pipeline by the SageMaker SDK (installs a gigabyte)"
	@echo "make image-test build both images and run them as SageMaker does (needs docker, podman or buildah)"
	@echo "make bench      the figures in benchmarks/README.md, anew (minutes; leave the machine alone)"
	@echo "make setup      only install: the environments .venv*, and node_modules"

rehearse: setup
	@python -m cli rehearse $(ARGS)

# The story is the product's; who decides in it is the tests' simulator of IAM.
rehearse-governance: setup tests/governance/simulator/node_modules/.ready
	@PYTHONPATH=$(CURDIR):$(CURDIR)/tests python tests/governance/rehearse.py $(ARGS)

# Python's own way to the command: a build has a checkout of its own, and .venv/bin/slipway is of the one it was made in.
rehearse-delivery: setup
	@python -m cli rehearse-delivery $(ARGS)

check: .venv/.ready node_modules/.ready
	@python -m cli check && ruff check --no-cache .

# The commit is said from outside, because a synth must not depend on git.
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
synth: .venv/.ready node_modules/.ready
	@cdk synth --quiet --context commit='$(COMMIT)' $(ARGS)

# Tests run beside each other, a core each; whatever shares a world stays together (tests/conftest.py).
test: setup tests/governance/simulator/node_modules/.ready
	@ruff check . && ruff format --check . && mypy
	@pytest -n auto --maxprocesses 4 --dist loadscope $(ARGS)

test-sdk: setup .venv-sdk/.ready
	@.venv-sdk/bin/python -m pytest -m sdk tests/sdk $(ARGS)

test-long: setup .venv-aws/.ready tests/governance/simulator/node_modules/.ready
	@pytest -m long -n auto --maxprocesses 4 --dist loadscope $(ARGS)

image-test: setup
	@pytest -m image tests/image $(ARGS)

bench: setup .venv-bench/.ready .venv-bench-mlserver/.ready .venv-bench-bentoml/.ready
	@python benchmarks/synth.py && python benchmarks/prepare.py && python benchmarks/serving.py

setup: .venv/.ready .venv-job/.ready .venv-serve/.ready .venv-release/.ready node_modules/.ready

.tools/uv/.ready: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "slipway: Python 3.11 or newer is needed; this is %s. Try: make PYTHON=/path/to/python3.11" % sys.version.split()[0])'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "slipway: this Python has no venv module. Try: apt install python3-venv (Debian, Ubuntu), or make PYTHON=/path/to/another/python3" >&2; exit 1; }
	@$(PYTHON) -m venv --clear .tools/uv
	@.tools/uv/bin/python -m pip install -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r requirements/uv.txt
	@touch $@

.venv/.ready: requirements/dev.txt requirements/sample.txt pyproject.toml .tools/uv/.ready
	@echo "setup: .venv"
	@$(UV) venv -q --clear --python $(PYTHON) .venv
	@$(PIP) install -q --python .venv/bin/python --require-hashes -r requirements/dev.txt
	@$(PIP) install -q --python .venv/bin/python --require-hashes --no-deps --no-build-isolation -r requirements/sample.txt
	@$(PIP) install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
	@touch $@

# The job image's own lock and nothing else: a step that leans on a development package fails here, not in AWS.
.venv-job/.ready: requirements/job.txt .tools/uv/.ready
	@echo "setup: .venv-job"
	@$(UV) venv -q --clear --python $(PYTHON) .venv-job
	@$(PIP) install -q --python .venv-job/bin/python --only-binary :all: --require-hashes -r requirements/job.txt
	@cp requirements/job.txt .venv-job/job.txt
	@touch $@

# The serve lock, as the image holds it beside the job's.
.venv-serve/.ready: requirements/serve.txt .tools/uv/.ready
	@echo "setup: .venv-serve"
	@$(UV) venv -q --clear --python $(PYTHON) .venv-serve
	@$(PIP) install -q --python .venv-serve/bin/python --only-binary :all: --require-hashes -r requirements/serve.txt
	@cp requirements/serve.txt .venv-serve/serve.txt
	@touch $@

# What a build of the release pipeline installs; it brings its own pip, as a build's machine does.
.venv-release/.ready: requirements/release.txt .tools/uv/.ready
	@echo "setup: .venv-release"
	@$(PYTHON) -m venv --clear .venv-release
	@$(PIP) install -q --python .venv-release/bin/python --only-binary :all: --require-hashes -r requirements/release.txt
	@cp requirements/release.txt .venv-release/release.txt
	@touch $@

# The SageMaker SDK, a gigabyte: only to prove that our definition means the same as its own.
.venv-sdk/.ready: requirements/sdk.txt requirements/sample.txt .tools/uv/.ready
	@echo "setup: .venv-sdk"
	@$(UV) venv -q --clear --python $(PYTHON) .venv-sdk
	@$(PIP) install -q --python .venv-sdk/bin/python --only-binary :all: --require-hashes -r requirements/sdk.txt
	@touch $@

# The AWS CLI, as people have it.
.venv-aws/.ready: requirements/aws.txt .tools/uv/.ready
	@echo "setup: .venv-aws"
	@$(UV) venv -q --clear --python $(PYTHON) .venv-aws
	@$(PIP) install -q --python .venv-aws/bin/python --require-hashes -r requirements/aws.txt
	@touch $@

# What benchmarks/ measures against.
.venv-bench/.ready: requirements/bench.txt .tools/uv/.ready
	@echo "setup: .venv-bench"
	@$(UV) venv -q --clear --python $(PYTHON) .venv-bench
	@$(PIP) install -q --python .venv-bench/bin/python --only-binary :all: --require-hashes -r requirements/bench.txt
	@touch $@

# Two servers that benchmarks/serving.py measures ours against. MLServer takes Python 3.12 at most.
.venv-bench-mlserver/.ready: requirements/bench-mlserver.txt .tools/uv/.ready
	@echo "setup: .venv-bench-mlserver"
	@$(UV) venv -q --clear --python $(PYTHON) .venv-bench-mlserver
	@$(PIP) install -q --python .venv-bench-mlserver/bin/python --only-binary :all: --require-hashes -r requirements/bench-mlserver.txt
	@touch $@

.venv-bench-bentoml/.ready: requirements/bench-bentoml.txt .tools/uv/.ready
	@echo "setup: .venv-bench-bentoml"
	@$(UV) venv -q --clear --python $(PYTHON) .venv-bench-bentoml
	@$(PIP) install -q --python .venv-bench-bentoml/bin/python --only-binary :all: --require-hashes -r requirements/bench-bentoml.txt
	@touch $@

node_modules/.ready: package.json package-lock.json .npmrc .venv/.ready
	@echo "setup: node_modules"
	@npm ci --silent --no-audit --no-fund
	@touch $@

# Decides IAM requests in the tests of governance; AGPL, so a process of its own from a lock of its own.
tests/governance/simulator/node_modules/.ready: tests/governance/simulator/package-lock.json .venv/.ready
	@echo "setup: IAM simulator"
	@npm ci --prefix tests/governance/simulator --silent --no-audit --no-fund
	@touch $@

# Hash-only locks without addresses, for Linux and macOS on x86-64 and arm64; dev is solved first and constrains
# the rest, but for ALONE: those are locked each by itself.
LOCK := $(PIP) compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate
lock: .tools/uv/.ready
	$(LOCK) pyproject.toml --group dev -o requirements/dev.txt
	$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/release.txt
	for group in $(ALONE); do \
	  $(LOCK) --group $$group -o requirements/$$group.txt || exit 1; \
	done
	for group in $(GROUPS); do \
	  $(LOCK) --group $$group -c requirements/dev.txt -o requirements/$$group.txt || exit 1; \
	done

.PHONY: help check rehearse rehearse-delivery rehearse-governance synth test test-sdk test-long image-test bench setup lock
