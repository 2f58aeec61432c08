# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of the protocol works with which CA: one small function a feature (the cells), what is expected of each CA
beside it, and the table that comes of it. ``make interop`` runs all, ``make test`` the quick ones."""
