# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates of the store in clouds: the active version, with its key, to whom the declaration names and nobody else.

Runs where the key is. Each cloud is one file with one class; nothing else changes for another.
"""
