# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of the certificate store; mirrors module_utils/_store/argspec.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  store_path:
    description:
      - The directory on the managed host that holds its certificates, each in a folder of its own.
      - Services read C(STORE/NAME/current/privkey.pem), C(cert.pem), C(chain.pem) and C(fullchain.pem) there.
        C(current) is a symbolic link to one of C(versions/0001), C(versions/0002) and so on, switched in one step.
      - It and its parents are made when they are not there, with mode 0755 whatever the umask.
      - A parent that someone else could write to is refused, since he could put another store in the place of this
        one. That is one that belongs to neither root, nor the user of the task, nor the declared O(ignore:owner), or
        that every user, a group that is neither root's nor the task's own, or those in an access control list may write
        to. Directories like C(/tmp), where each may only remove what is his, are fine. Parents that are links are
        followed when root or the user of the task made them.
      - In the store nothing is followed. A directory of it that is a symbolic link, that belongs to a user who is
        neither root, nor the user of the task, nor the declared O(ignore:owner), or that others may write to, is
        refused, and so is a C(current) that leads anywhere else than to a version. A version with a link in the place
        of a file counts as broken, and is replaced by a new one.
      - Other differences in owner, group, mode and SELinux context are corrected, and reported as a change.
      - It must be on a file system of the host itself.
    type: path
    default: /etc/certfleet
requirements:
  - cryptography >= 3.4.8 (on the managed host)
"""
