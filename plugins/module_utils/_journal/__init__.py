# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which run put which TXT value where, written down before it is put there.

A value is a digest (RFC 8555 section 8.4): nothing about it says whose it is. So what a killed run left can be told
from what others need only when it was noted down before. Standard library only.
"""
