# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of what keeps a journal; mirrors JOURNAL_ARGSPEC of module_utils/_journal/argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  journal:
    description:
      - A directory on the controller to note down in, before each write to DNS, which values this run is about to
        add. Without it, nothing tells after a run was killed (SIGKILL, power loss) which values it has left.
      - It is made with mode 0700 when it is not there; the one above it must be. One that others may write to, or that
        is a link, is refused, in check mode too.
      - Values that are meant to stay and were there already are not noted down as this run's, unless another run with
        the same journal put them there.
      - A value that another run with the same journal has noted down too is left to that run as long as it lives.
      - Runs lock their files in it. On a network file system, locks must count for all machines that use it.
      - There is no secret in it; see also M(certfleet.acme.dns01_stale).
    type: path
    version_added: 1.0.0
  journal_owner:
    description:
      - Who this run is, for the journal, such as the name of a job.
      - Not given, it is C(awx job) and its number where AWX runs it (E(AWX_HOST) and E(JOB_ID) are set), else the user
        and the machine, as in C(root@controller).
    type: str
    version_added: 1.0.0
"""
