# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab reports to the person at the keyboard."""

from __future__ import annotations


class LabError(Exception):
    """A lab could not do what was asked; the text says why and, where there is one, the remedy."""


class MissingProgram(LabError):
    """A server's program is not on this machine and could not be brought; the text names what would help."""
