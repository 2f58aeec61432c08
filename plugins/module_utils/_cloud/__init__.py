# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who we are to a cloud: clients of AWS and Google from the options, and what they say when they refuse.

Shared by both planes; it knows nothing of DNS, of certificates or of the store.
"""
