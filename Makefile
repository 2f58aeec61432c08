# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# All of it lies in tests/runner, which needs nothing but Python 3.11 or newer: `python3 tests/runner help` without make.

# The first Python that is new enough; `make PYTHON=/path/to/python3 ...` chooses another.
PYTHON ?= $(shell for python in python3 python3.13 python3.14 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
TARGETS = demo fleet test lint sanity units integration thorough matrix molecule build test-providers bench race worst bench-dns noop interop changelog clean help

.DEFAULT_GOAL = help
.PHONY: $(TARGETS) python

$(TARGETS): python
	@$(PYTHON) tests/runner $@

python:
ifeq ($(strip $(PYTHON)),)
	@echo "Python 3.11 or newer is missing; install it, for example: apt-get install python3 python3-venv   or: dnf install python3.12" >&2; exit 1
endif
