# The project's commands. `make demo` and `make test` are all that a newcomer needs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

python := .venv/bin/python
playbook := .venv/bin/ansible-playbook
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 20

.PHONY: venv
venv: ## tools and collections for this clone
	@tools/venv

.PHONY: demo
demo: lab-up ## everything from nothing: tools, lab, site.yml on inventories/local
	@$(playbook) playbooks/bootstrap.yml -i inventories/local
	$(playbook) playbooks/secrets.yml -i inventories/local
	$(playbook) site.yml -i inventories/local

.PHONY: check
check: venv ## lint, types, unit and contract tests; no root
	@tools/check

.PHONY: test
test: venv ## all proofs, on a lab of their own that is taken down again
	@tools/test

.PHONY: images
images: venv ## build and push our images: REGISTRY=host/path, INVENTORY=inventories/prod to write its lines
	@$(python) tools/images $(or $(REGISTRY),$(error name where they go: make images REGISTRY=registry.example.com/enclii)) $(if $(INVENTORY),--inventory $(INVENTORY))

.PHONY: lab-build lab-up lab-down lab-status lab-clean
lab-build: venv ## build the lab's programs and images
	@$(python) -m lab build
lab-up: venv ## boot the lab's nodes (LAB_NAME, LAB_WORKERS)
	@$(python) -m lab up
lab-down: venv ## remove the lab; caches stay
	@$(python) -m lab down
lab-status: venv ## what runs
	@$(python) -m lab status
lab-clean: venv ## remove the lab's caches
	@$(python) -m lab clean

bench-%: venv ## a figure beside its peer: apply, noop, bootstrap, seal, probe, restore, failover
	@$(python) bench/$*/run.py

proof-%: lab-up ## what takes long, on the lab with the platform on it, with a dated result: postgresql
	@$(python) proof/$*/run.py
