# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what every task returned on every host, as lines of JSON, to the file that CERTFLEET_RECORD names."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: notification
short_description: Write what every task returned as lines of JSON
description: [For tests; the file is named by the environment variable CERTFLEET_RECORD.]
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, outcome: str, result: Any) -> None:
        task = result._task
        row = {
            "outcome": outcome,
            "host": result._host.get_name(),
            "task": task.get_name(),
            "action": task.resolved_action or task.action,
            "result": result._result,
        }
        with open(os.environ["CERTFLEET_RECORD"], "a", encoding="utf-8") as file:
            file.write(json.dumps(row, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any, **kwargs: Any) -> None:
        self._write("ok", result)

    def v2_runner_on_failed(self, result: Any, **kwargs: Any) -> None:
        self._write("failed", result)

    def v2_runner_on_unreachable(self, result: Any, **kwargs: Any) -> None:
        self._write("unreachable", result)

    def v2_runner_on_skipped(self, result: Any, **kwargs: Any) -> None:
        self._write("skipped", result)
