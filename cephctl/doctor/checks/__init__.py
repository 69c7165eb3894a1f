"""The checks of `node doctor`: a module for each part of the way from a node to its files.

They are declared in this order, which is that of --list and of the manual.
"""

from cephctl.doctor.checks import reach  # isort: skip
from cephctl.doctor.checks import network  # isort: skip
from cephctl.doctor.checks import auth  # isort: skip
from cephctl.doctor.checks import secret  # isort: skip
from cephctl.doctor.checks import credentials  # isort: skip
from cephctl.doctor.checks import session  # isort: skip
from cephctl.doctor.checks import cluster  # isort: skip
from cephctl.doctor.checks import mds  # isort: skip
from cephctl.doctor.checks import health  # isort: skip
from cephctl.doctor.checks import mount  # isort: skip
from cephctl.doctor.checks import probes  # isort: skip
from cephctl.doctor.checks import unit  # isort: skip
from cephctl.doctor.checks import options  # isort: skip
from cephctl.doctor.checks import fleet  # isort: skip

__all__ = [
    "auth",
    "cluster",
    "credentials",
    "fleet",
    "health",
    "mds",
    "mount",
    "network",
    "options",
    "probes",
    "reach",
    "secret",
    "session",
    "unit",
]
