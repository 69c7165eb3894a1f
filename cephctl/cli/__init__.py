"""The command line: the table of commands, and the one place where results are printed and errors
become exit codes.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from cephctl import __version__
from cephctl.cli.app import App
from cephctl.cli.options import Noun, global_options
from cephctl.errors import Cancelled, CephctlError, ExitStatus, UsageError
from cephctl.results import Outcome

# Noun → what its help line says. Nothing is imported until a noun is used.
NOUNS = {
    "tenant": "Tenants: list them, their usage, their quotas.",
    "node": "Web nodes: diagnose and remount their CephFS.",
    "keys": "CephX keys: age, use and caps; rotate the web nodes' key without downtime.",
    "run": "Rotations: their journals, and how to continue or end them.",
    "mds": "Metadata servers: status, client sessions, eviction, failover.",
    "cluster": "The Ceph cluster: status, blocklist.",
    "config": "cephctl's own configuration.",
    "schema": "The JSON Schema of each command's answer.",
    "completion": "Shell completion for bash, zsh and fish.",
}
EPILOG = """\b
Examples:
  cephctl tenant quota set acme 10G        limit a tenant to 10 GiB
  cephctl tenant usage --over 90           who is nearly full
  cephctl node doctor                      why a web node's mount does not work, and how to fix it
  cephctl node remount web-1-node-1        unmount and mount again, with dependent services
  cephctl keys rotate client.web           a new key for all web nodes, without downtime
  cephctl mds status                       ranks, standbys, findings
  cephctl cluster status -f json | jq .health

\b
Exit status:
  0 success   1 failed   2 usage or configuration   3 findings   4 unreachable
  5 partial success   6 refused, nothing changed   7 stalled   130 interrupted
"""


class Root(Noun):
    """The table of nouns; a noun's module is imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in NOUNS:
            return None
        command: click.Command = importlib.import_module(f"cephctl.cli.{cmd_name}").group
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(NOUNS.items()))


@click.group(
    cls=Root,
    epilog=EPILOG,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 110,
        "auto_envvar_prefix": None,
    },
)
@global_options
@click.version_option(__version__, prog_name="cephctl", message="%(prog)s %(version)s")
@click.pass_context
def root(ctx: click.Context) -> None:
    """Operate CephFS for web hosting: tenants' quotas and usage, web nodes' mounts, MDS and cluster
    status.

    It talks to Ceph directly, never waits longer than --timeout for an answer, and shows no key.
    """
    ctx.ensure_object(App)


@root.result_callback()
@click.pass_obj
def show(app: App, value: Any) -> int:
    """Print what a command returned: the only printer of results."""
    outcome = value if isinstance(value, Outcome) else Outcome(value)
    if outcome.value is not None:
        app.show(outcome.value)
    for note in outcome.notes:
        app.note(note)
    for error in outcome.errors:
        app.error(error)
    return outcome.status


def misused(app: App, error: click.ClickException) -> ExitStatus:
    """A noun without a verb is a request for help (an exception of its own from click 8.2 on); the
    rest is a mistake.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        click.echo(error.format_message())
        return ExitStatus.OK
    app.error(usage_error(error))
    return ExitStatus.USAGE


def usage_error(error: click.ClickException) -> UsageError:
    """Click's error in our words: one line, and where to read on."""
    context = getattr(error, "ctx", None)
    hint = f"see '{context.command_path} --help'" if context else None
    message = error.format_message().rstrip(".")
    return UsageError(message[:1].lower() + message[1:], hint)


def failed(app: App, error: CephctlError) -> ExitStatus:
    """Say why a command failed; its exit status."""
    if app.debug:
        import traceback

        traceback.print_exc()
    if isinstance(error, Cancelled):
        app.say(error.message)
    else:
        app.error(error)
    return error.status


def execute(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit status."""
    app = App()
    try:
        status = root.main(list(arguments), prog_name="cephctl", standalone_mode=False, obj=app)
        sys.stdout.flush()
    except CephctlError as error:
        return failed(app, error)
    except click.ClickException as error:
        return misused(app, error)
    except (KeyboardInterrupt, click.Abort):
        app.say("interrupted")
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has seen enough.
        return ExitStatus.OK
    except OSError as error:
        app.error(CephctlError(f"cannot write the answer: {error.strerror}"))
        return ExitStatus.ERROR
    finally:
        app.live.stop()
    return status if isinstance(status, int) else ExitStatus.OK
