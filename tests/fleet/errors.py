# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the fleet reports to the person at the keyboard."""

from __future__ import annotations


class FleetError(Exception):
    """The fleet could not be started; the text says why and, where there is one, the remedy."""


class Unexpected(Exception):
    """A step of the story did not do what it says."""
