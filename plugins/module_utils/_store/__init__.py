# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificate store of a managed host: STORE/NAME/{current, versions/NNNN, pending}.

Everything here runs on the host that serves the certificate, and needs the standard library and cryptography only.
"""
