# The commands of this project; `make` alone lists them. CI calls nothing else.
#
# Python tools live in .venv, exactly as uv.lock names them. System packages are installed where they are missing
# (apt, with sudo for those who aren't root): podman and mmdebstrap for the throw-away servers, shellcheck for lint,
# chromium and certutil for the browser, QEMU for a server with a kernel of its own.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
DEMO_PORT ?= 8080
DEMO_HTTPS_PORT ?= 8443
DEMO_SSH_PORT ?= 2222
SCENARIO ?= default
INVENTORY ?= inventory/production.yml
RUN ?= site.yml
# What only `make test-full` runs, because it needs a browser or an emulator, or takes 8 minutes; `make test` runs the rest of molecule/.
BROWSER := https_judged
EMULATED := whole_server
FULL_ONLY := $(BROWSER) $(EMULATED) as_documented day_to_day debian_upgraded host_security
SCENARIOS ?= $(filter-out $(FULL_ONLY),$(patsubst molecule/%/molecule.yml,%,$(wildcard molecule/*/molecule.yml)))
# What a run of these scenarios needs beforehand.
with_what = $(if $(filter $(BROWSER),$(1)),browser) $(if $(filter $(EMULATED),$(1)),emulator)
export PYTHON DEMO_PORT DEMO_HTTPS_PORT DEMO_SSH_PORT

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Trust what this machine trusts: a network with its own egress certificate is in the system's store, not in uv's.
export UV_SYSTEM_CERTS := 1

LINT_CHECKS := lint-yamllint lint-ansible-lint lint-ruff lint-mypy lint-shellcheck
SHELL_SCRIPTS := $(wildcard tools/*.sh molecule/*/*.sh) .ci/run web
say = printf '\n\033[1m==> %s\033[0m\n'

.PHONY: help
help: ## List these commands
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

##@ Try it

.PHONY: demo
demo: setup ## Deploy the sample app onto a throw-away server (DEMO_PORT=8080, DEMO_HTTPS_PORT=8443, DEMO_SSH_PORT=2222)
	@tools/packages.sh servers
	@python tools/demo.py ports
	@$(say) 'The server: a container that runs systemd, reached by SSH'
	@ansible-playbook -i inventory/demo.yml molecule/shared/create.yml molecule/shared/prepare.yml
	@$(say) 'The deploy: site.yml, as for a real server'
	@ansible-playbook -i inventory/demo.yml site.yml
	@$(say) 'The demo is up'
	@python tools/demo.py answers

.PHONY: demo-down
demo-down: setup ## Remove the demo's server and all that is in it
	@ansible-playbook -i inventory/demo.yml molecule/shared/destroy.yml
	@echo 'The demo is gone. Kept for the next one and for the tests: the base image and the SSH key (make clean).'

##@ Work on it

.PHONY: setup
setup: .venv/.locked ## Install the Python tools that uv.lock names into .venv

# uv is in the lock itself, so it is the first to come and stays.
.venv/.locked: uv.lock pyproject.toml
	@tools/packages.sh python
	@$(say) 'Python tools into .venv, as locked in uv.lock'
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit( \
	  f"{sys.executable} is Python {v[0]}.{v[1]}; 3.11 or newer is needed: make PYTHON=python3.13 …")'
	@[ -x .venv/bin/uv ] || { $(PYTHON) -m venv .venv && \
	  .venv/bin/python -m pip install --quiet --disable-pip-version-check \
	    "uv==$$(awk '/^name = "uv"$$/ {getline; gsub(/.*= "|"/, ""); print}' uv.lock)"; }
	@.venv/bin/uv sync --locked
	@touch $@

.PHONY: browser
browser: .venv/.browser ## Install Chromium, and what drives it, for the scenarios of test-full
	@tools/packages.sh browser

.venv/.browser: .venv/.locked
	@.venv/bin/uv sync --locked --group browser
	@touch $@

.PHONY: emulator
emulator: ## Install QEMU, for the scenarios of test-full
	@tools/packages.sh emulator

.PHONY: test
test: ## Lint, unit tests, and the scenarios that are quick and need no browser
	@start=$$SECONDS; \
	$(MAKE) lint; \
	$(MAKE) unit; \
	$(MAKE) scenarios; \
	$(say) "All passed: lint, unit tests and scenarios, in $$((SECONDS - start)) s"

.PHONY: test-full
test-full: ## Everything there is: test, each command of the pages, an upgrade of Debian, a whole server, a browser and testssl.sh
	@$(MAKE) test
	@$(MAKE) scenarios SCENARIOS="$(FULL_ONLY)"

.PHONY: lint
lint: setup ## Check the style and the types of all files
	@tools/packages.sh lint
	@$(MAKE) --keep-going $(LINT_CHECKS)

.PHONY: $(LINT_CHECKS)
lint-yamllint:
	@$(say) yamllint
	@yamllint --strict .
lint-ansible-lint:
	@$(say) ansible-lint
	@ansible-lint -q
lint-ruff:
	@$(say) ruff
	@ruff check
	@ruff format --check
lint-mypy:
	@$(say) mypy
	@mypy
	@cd uwsgi-flask && mypy --config-file=../pyproject.toml .
lint-shellcheck:
	@$(say) shellcheck
	@shellcheck $(SHELL_SCRIPTS)

.PHONY: unit
unit: setup ## Test what needs no server: plugins, templates, role interfaces, the sample app
	@$(say) 'Unit tests'
	@pytest --numprocesses=auto
	@pytest uwsgi-flask

.PHONY: scenarios
scenarios: setup $(call with_what,$(SCENARIOS)) ## Test deploys on throw-away servers, two scenarios at a time, or only SCENARIOS="default fleet"
	@tools/packages.sh servers
	@$(say) 'Scenarios on throw-away servers'
	@python tools/scenarios.py $(SCENARIOS)

.PHONY: faults
faults: ## Break a standing server in every way, and write docs/faults.md anew
	@$(MAKE) scenarios SCENARIOS="faults whole_server"
	@python tests/fault_table.py

.PHONY: molecule
molecule: setup $(call with_what,$(SCENARIO)) ## One scenario, with all its output (SCENARIO=default)
	@tools/packages.sh servers
	@molecule --base-config=.config/molecule/config.yml test --no-command-borders --scenario-name $(SCENARIO)

.PHONY: bench
bench: bench-tools ## Measure how it serves beside other servers, and write docs/performance.md anew (half an hour; ONLY=page,static)
	@python -m bench $(if $(ONLY),--only=$(ONLY))

.PHONY: bench-short
bench-short: bench-tools ## The same in under 5 minutes, with fewer servers and rounds, into .cache/bench/short/
	@python -m bench --short $(if $(ONLY),--only=$(ONLY))

.PHONY: bench-tools
bench-tools: setup
	@tools/packages.sh servers
	@.venv/bin/uv sync --locked --inexact --group bench

.PHONY: screenshot
screenshot: ## Take docs/home-page.png anew
	@$(MAKE) scenarios SCENARIOS=https_judged
	@cp .cache/home-page.png docs/

.PHONY: status-picture
status-picture: setup ## Take docs/status-page.png anew, of the servers of INVENTORY
	@tools/packages.sh browser
	@mkdir -p .cache
	@ansible-playbook -i $(INVENTORY) status.yml -e format=html -e file=.cache/status.html
	@python tools/picture.py .cache/status.html docs/status-page.png 1100 1150

.PHONY: bench-deploys
bench-deploys: setup ## Measure how long deploys take, on 1, 5 and 20 test servers, into bench/results/deploying.json
	@tools/packages.sh servers
	@python -m bench.deploys

.PHONY: profile
profile: setup ## Run a playbook and say where its time goes (INVENTORY=inventory/demo.yml, RUN=site.yml)
	@ANSIBLE_CALLBACK_PLUGINS=bench/callback ANSIBLE_CALLBACKS_ENABLED=uwsgi_flask.web.outcome,profile \
	  ansible-playbook -i $(INVENTORY) $(RUN)

.PHONY: clean
clean: ## Remove what the above made: servers, base images, key, .venv, caches
	@if command -v podman >/dev/null; then \
	  podman ps --all --quiet --filter label=uwsgi-flask=test-server | xargs --no-run-if-empty podman rm --force --time 0 --volumes; \
	  podman images --quiet localhost/uwsgi-flask-server | xargs --no-run-if-empty podman rmi; \
	fi
	@rm -rf .venv .cache .ansible .mypy_cache .pytest_cache .ruff_cache "$$HOME/.cache/uwsgi-flask"
	@find . -name __pycache__ -prune -exec rm -rf {} +
