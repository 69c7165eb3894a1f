"""What is sent to a node: the node program's modules as one text for `python3 -`, and the
request.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

# In the order in which they import each other; a question gets those up to its own, so what is
# asked often stands early.
MODULES = (
    "mounts",
    "children",
    "probes",
    "health",
    "kernel_log",
    "files",
    "network",
    "systemd",
    "holders",
    "push",
    "facts",
    "procedure",
    "remount",
    "switch",
)
OLDEST = (3, 8)
# The answer is one line behind this mark: what a login script prints in front of it is not
# JSON.
MARK = "cephctl-answer:"
LOADER = """\
import sys
if sys.version_info < {oldest}:
    print("\\n" + {mark!r} + '{{"too_old": "%d.%d"}}' % sys.version_info[:2])
    sys.exit(0)
import json
for name, source in {modules}:
    module = type(sys)(name)
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)
    if not source:
        module.__path__ = []
    exec(compile(source, name.replace(".", "/") + ".py", "exec"), module.__dict__)
request = json.loads({request})
work = getattr(sys.modules["cephctl.node." + request["module"]], request["function"])
try:
    answer = {{"answer": work(request["arguments"])}}
except Exception as error:
    trace, at = error.__traceback__, ""
    while trace:
        at = "%s:%d" % (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    answer = {{"bug": "%s at %s: %s" % (type(error).__name__, at, error)}}
print("\\n" + {mark!r} + json.dumps(answer))
"""


def program(function: str, arguments: Any) -> bytes:
    """The text for `function` ("facts.facts"). It carries secrets where the arguments do: it goes
    to stdin only.
    """
    module, _, name = function.partition(".")
    request = {"module": module, "function": name, "arguments": arguments}
    needed = MODULES[: MODULES.index(module) + 1]
    return LOADER.format(
        oldest=OLDEST, mark=MARK, modules=sources(needed), request=repr(json.dumps(request))
    ).encode()


@cache
def sources(modules: tuple[str, ...]) -> str:
    """The modules as a Python literal: pairs of full name and source, packages first."""
    pairs = [("cephctl", ""), ("cephctl.node", "")]
    pairs += [(f"cephctl.node.{name}", source(name)) for name in modules]
    return repr(pairs)


def source(module: str) -> str:
    """A module without what only the type checker needs: typing is slow to import, and annotations
    are not evaluated.
    """
    lines = files("cephctl.node").joinpath(f"{module}.py").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("from typing import "))
