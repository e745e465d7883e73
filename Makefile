# make demo   the whole graph on a small made-up channel: tables, figures, report
# make test   lint, format and tests
# make test-slurm   the demo's graph through a Slurm of three pretended nodes (half an hour; root)
# make test-kills   the demo killed at random moments, and started again (KILLS=30 SEED=1)
# make test-faults   a run on a disk that is full or read-only, under a clock that jumps, started twice (root)
# make test-s3   the released data set read from a bucket, and results put there, on a server of its own
# make test-envs   each conda environment alone has what its rules import (ENVS=tabular for one)
# make lock   pin every version of envs/, after an edit of a list there (FAISS=gpu: faiss with CUDA; FAISS=cpu: back)
# make check  what would be missing: weights, files, keys (TARGET=..., CONFIG=my.yaml)
# make fetch  get what has an address: weights, sources, released files (TARGET=..., CONFIG=my.yaml; PLAN=1: only tell)
# make plan   what is left to do and what it takes: jobs, hours, disk, download, money (TARGET=..., CONFIG=my.yaml)
# make evaluate VIDEOS=folder   score videos of one's own (PROMPTS=prompts.csv: video, uuid, prompt, image; DIMENSIONS="a b", NAME=mine, CONFIG=my.yaml)
# make lineage TARGET=results/tables/table5.csv   where a file came from
# make remove   take what config/removals.txt lists out of all results (DIRECTORY=demo), or out of a release anywhere (RELEASE=folder)
# make du     what results take, by stage and folder (DIRECTORY=demo)
# make prune  delete ledgers of fingerprints that no result uses any more (DIRECTORY=demo, DAYS=7)
# make show   the gallery and the report of the demo in a browser, from this machine alone (DIRECTORY=.)
# make tables FROM=results/capsule   Tables 3, 4, 5, 7 and Figure 6 from a capsule: no GPU, no videos
# make release-check   prove a release: checksums, mlcroissant, Hugging Face datasets (RELEASE=demo/results/release)
# make bench  the benchmarks (NAME=parse for one)

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: demo test test-slurm test-kills test-s3 test-faults test-envs lock check fetch plan evaluate lineage remove du prune bench clean help release-check

BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake
CORES ?= 2
UV_VERSION := 0.13.8
export HF_HUB_OFFLINE ?= $(if $(filter demo test,$(MAKECMDGOALS)),1,0)
export MPLCONFIGDIR ?= $(CURDIR)/.venv/matplotlib
export PYTHONHASHSEED := 0
# Every job imports torch: compiled modules halve that.
unexport PYTHONDONTWRITEBYTECODE

help:
	@sed -n 's/^# //p' Makefile

# The same versions as the conda environments in envs/, from the package registry.
.venv/installed: envs/requirements.txt
	@echo "Setting up .venv (about 8 GB, once) ..."
	@test -x $(BIN)/python || python3 -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip uninstall --quiet --python $(BIN)/python faiss-cpu faiss-gpu
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r envs/requirements.txt
	@touch $@

demo: .venv/installed
	@$(BIN)/python -m scripts.commands.check --config config/demo.yaml --directory demo
	@$(BIN)/python -m scripts.commands.unlock --profile profiles/demo --directory demo
	@$(SNAKEMAKE) --profile profiles/demo --cores $(CORES) --quiet rules host
	@$(BIN)/python -m scripts.commands.report --profile profiles/demo --directory demo

test: .venv/installed
	@$(SNAKEMAKE) --lint
	@$(BIN)/snakefmt --check Snakefile rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# Debian's packages; nothing that they install is started but by the test.
test-slurm: .venv/installed
	@command -v slurmctld munged >/dev/null || apt-get install --yes --quiet slurm-wlm munge
	@$(BIN)/python -m pytest -s --timeout 7200 tests/slurm

test-kills: .venv/installed
	@KILLS=$(or $(KILLS),30) SEED=$(or $(SEED),1) $(BIN)/python -m pytest -s --timeout 36000 tests/kills

# What it mounts is a file system in memory, and gone in the end.
test-faults: .venv/installed
	@$(BIN)/python -m pytest -s --timeout 7200 tests/faults

# Amazon's package asks for an older python-dateutil than all others have; it does with theirs.
test-s3: .venv/installed
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r envs/s3.txt --override envs/requirements.txt
	@$(BIN)/python -m pytest -s --timeout 3600 tests/storage

test-envs: .venv/installed
	@ENVS="$(ENVS)" $(BIN)/python -m pytest -s --timeout 3600 tests/envs

lock: .venv/installed
	@$(BIN)/python envs/lock.py $(FAISS)

check: .venv/installed
	@$(BIN)/python -m scripts.commands.check $(if $(CONFIG),--config $(CONFIG))

fetch: .venv/installed
	@$(BIN)/python -m scripts.commands.fetch $(TARGET) $(if $(CONFIG),--config $(CONFIG)) $(if $(PLAN),--plan)

plan: .venv/installed
	@$(BIN)/python -m scripts.commands.plan $(TARGET) $(if $(CONFIG),--config $(CONFIG))

evaluate: .venv/installed
	@$(BIN)/python -m scripts.commands.evaluate_videos $(VIDEOS) $(if $(PROMPTS),--prompts $(PROMPTS)) $(if $(DIMENSIONS),--dimensions $(DIMENSIONS)) $(if $(NAME),--name $(NAME)) $(if $(CONFIG),--config $(CONFIG))

lineage: .venv/installed
	@$(BIN)/python -m scripts.commands.lineage $(TARGET)

remove: .venv/installed
	@$(BIN)/python -m scripts.commands.removal $(if $(DIRECTORY),--directory $(DIRECTORY)) $(if $(RELEASE),--release $(RELEASE))

du: .venv/installed
	@$(BIN)/python -m scripts.commands.disk $(if $(DIRECTORY),--directory $(DIRECTORY))

prune: .venv/installed
	@$(BIN)/python -m scripts.commands.disk --prune $(if $(DIRECTORY),--directory $(DIRECTORY)) $(if $(DAYS),--days $(DAYS))

tables: .venv/installed
	@$(BIN)/python -m scripts.commands.capsule $(FROM) --cores $(CORES)

show: .venv/installed
	@$(BIN)/python -m scripts.commands.show --directory $(or $(DIRECTORY),demo)

release-check: .venv/installed
	@$(BIN)/python -m scripts.commands.release_check $(or $(RELEASE),results/release)

bench: .venv/installed
	@$(BIN)/python -m tests.benchmarks $(NAME)

clean:
	rm -rf demo
