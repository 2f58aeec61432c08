# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.certfleet.acme.plugins.action.certificate_share import ActionModule


class Unreachable(ActionModule):
    def __init__(self, *, no_log: bool) -> None:
        self._task = SimpleNamespace(no_log=no_log)

    def _execute(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        raise AnsibleConnectionFailure("<error censored due to no log>" if self._task.no_log else "no route to host")


@pytest.mark.parametrize(
    ("no_log", "said"), [(True, "it cannot be reached"), (False, "it cannot be reached: no route to host")]
)
def test_what_may_not_be_logged_is_left_out_of_the_cause(no_log: bool, said: str) -> None:
    assert Unreachable(no_log=no_log)._tried({}, {}) == {"msg": said}
