# Copyright: (c) 2026, certfleet.acme contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# The part of ansible.module_utils.basic that the collection uses; ansible-core publishes no types.

from collections.abc import Sequence
from typing import Any, Callable, NoReturn

def missing_required_lib(library: str, reason: str | None = ..., url: str | None = ...) -> str: ...
def env_fallback(*args: str, **kwargs: Any) -> Any: ...

class AnsibleModule:
    params: dict[str, Any]
    argument_spec: dict[str, Any]
    check_mode: bool
    tmpdir: str
    no_log_values: set[str]
    _diff: bool
    _name: str
    _selinux_special_fs: list[str]
    _verbosity: int
    def __init__(
        self,
        argument_spec: dict[str, Any],
        *,
        bypass_checks: bool = ...,
        no_log: bool = ...,
        mutually_exclusive: Sequence[Any] | None = ...,
        required_together: Sequence[Any] | None = ...,
        required_one_of: Sequence[Any] | None = ...,
        add_file_common_args: bool = ...,
        supports_check_mode: bool = ...,
        required_if: Sequence[Any] | None = ...,
        required_by: dict[str, Any] | None = ...,
    ) -> None: ...
    def exit_json(self, **kwargs: Any) -> NoReturn: ...
    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn: ...
    def warn(self, warning: str) -> None: ...
    def debug(self, msg: str) -> None: ...
    def log(self, msg: str, log_args: dict[str, Any] | None = ...) -> None: ...
    def deprecate(
        self, msg: str, version: str | None = ..., date: str | None = ..., collection_name: str | None = ...
    ) -> None: ...
    def get_bin_path(self, arg: str, required: bool = ..., opt_dirs: Sequence[str] | None = ...) -> str | None: ...
    def run_command(
        self,
        args: Sequence[str] | str,
        check_rc: bool = ...,
        *,
        data: str | bytes | None = ...,
        cwd: str | None = ...,
        environ_update: dict[str, str] | None = ...,
        umask: int | None = ...,
        before_communicate_callback: Callable[[Any], None] | None = ...,
        handle_exceptions: bool = ...,
    ) -> tuple[int, str, str]: ...
