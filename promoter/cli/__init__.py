"""The command line: arguments, settings, adapters, one pass, exit status.

Commands are loaded when they are called, so that `promoter --help` answers at once.
"""

from __future__ import annotations

import importlib

import click

# command: (module, attribute, one line for the overview)
_COMMANDS = {
    "run": ("promoter.cli.run", "run", "Watch and act, pass after pass, until stopped."),
    "once": ("promoter.cli.run", "once", "One pass; --dry-run shows the commit it would make."),
    "status": ("promoter.cli.status", "status", "What is served, what is on trial, and what it waits for."),
    "history": ("promoter.cli.history", "history", "What became of each version, as a story; or every decision."),
    "report": ("promoter.cli.report", "report", "One rollout as a page: what happened, why, pictures, the commits."),
    "metrics": ("promoter.cli.metrics", "metrics", "How delivery goes: lead time, frequency, failures, restoring."),
    "notify": ("promoter.cli.notify", "notify", "Does a notification get to where its route leads?"),
    "explain": ("promoter.cli.explain", "explain", "A commit's decision, computed again from Prometheus."),
    "revert": ("promoter.cli.verbs", "revert", "Take the requests from a canary, and reject its version."),
    "withdraw": ("promoter.cli.verbs", "withdraw", "Take the requests from a canary; it may start again."),
    "promote": ("promoter.cli.verbs", "promote", "Agree that a canary gets all requests, or skip the proof."),
    "start": ("promoter.cli.verbs", "start", "Agree that a version starts, or starts again at once."),
    "rollback": ("promoter.cli.verbs", "rollback", "Go back to a version that was stable."),
    "retry": ("promoter.cli.verbs", "retry", "Forget that a version was rejected."),
    "freeze": ("promoter.cli.verbs", "freeze", "Let nothing start and nothing rise: a model, an environment, all."),
    "unfreeze": ("promoter.cli.verbs", "unfreeze", "Lift a freeze."),
    "pause": ("promoter.cli.verbs", "pause", "Let nothing start and nothing rise for a model."),
    "resume": ("promoter.cli.verbs", "resume", "Undo a pause."),
    "publish": ("promoter.cli.publish", "publish", "Put a SavedModel into a store as a new version."),
    "versions": ("promoter.cli.versions", "versions", "What a store holds, and why what is incomplete is."),
    "fetch": ("promoter.cli.fetch", "fetch", "Bring a version into a folder, for a server that cannot itself."),
    "verify": ("promoter.cli.verify", "verify", "What can be known about a version before it serves anybody."),
    "golden": ("promoter.cli.golden", "golden", "Requests that every version should answer well: record, send."),
    "check": ("promoter.cli.check", "check", "Every file under environments/ parses, or where it does not."),
    "new-model": ("promoter.cli.new_model", "new_model", "Write the three files of a model into a checkout."),
    "render": ("promoter.cli.render", "render", "What Argo CD would apply for a model."),
    "diff": ("promoter.cli.render", "diff", "What a pull request would change in each environment."),
    "forecast": ("promoter.cli.forecast", "forecast", "What to expect of the next rollout, from live traffic."),
    "backtest": ("promoter.cli.backtest", "backtest", "What a policy would have made of a rollout of the past."),
    "simulate": ("promoter.cli.simulate", "simulate", "What a policy would do to a version as bad as you say."),
    "bootstrap": ("promoter.cli.bootstrap", "bootstrap", "What a cluster with Argo CD needs, shown or applied."),
    "doctor": ("promoter.cli.doctor", "doctor", "An installation from end to end, and what is wrong with it."),
    "sandbox": ("promoter.cli.sandbox", "sandbox", "A whole cluster on this machine, to try things in."),
}


class _LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """The overview, from the table above: no command is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="promoter")
def main() -> None:
    """Serve TensorFlow models from Git, and let evidence decide.

    A new version in a model store becomes a canary. Its share of the requests rises commit by
    commit while the counts from Prometheus allow it, and ends promoted or reverted. Git is the only
    memory: every weight is a commit.

    \b
    Try it on this machine:    promoter sandbox demo
    Look, without touching:    promoter status, promoter once --dry-run
    Before a pull request:     promoter check
    Before a rollout:          promoter verify
    Stop everything:           promoter freeze --all --reason …

    The promoter is told by PROMOTER_* environment variables which repository, stores and servers it
    talks to; docs/reference/settings.md lists them.
    """  # noqa: D301 - Click's mark for "leave these lines alone" is a real backspace
