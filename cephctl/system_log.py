"""The system's log: journald or syslog."""

from __future__ import annotations

import os

DEV_LOG = "/dev/log"


def write(line: str) -> None:
    """One line at level notice; nothing where there is no log."""
    if not os.path.exists(DEV_LOG):
        return
    import syslog

    syslog.openlog("cephctl", syslog.LOG_PID, syslog.LOG_USER)
    syslog.syslog(syslog.LOG_NOTICE, line)
