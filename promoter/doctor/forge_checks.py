"""The forge: people can be asked, and our tokens may do there what they have to, and no more."""

from __future__ import annotations

from collections.abc import Iterator

from promoter.decisions.approval import BRANCHES
from promoter.doctor.finding import Check, Finding, failure, ok, untold, warning
from promoter.doctor.patient import Patient
from promoter.domain.policy import ApprovalPolicy
from promoter.errors import ForgeUnavailable
from promoter.settings import GitHubApp


def asking(patient: Patient) -> Iterator[Finding]:
    """People can be asked, where policies say that they have to be."""
    policies = [policy for served in patient.inventory.models if (policy := patient.policy(served)) is not None]
    asks = sum(policy.approval != ApprovalPolicy() for policy in policies)
    server = patient.settings.forge
    if server is None or patient.forge is None:
        if asks:
            yield failure(
                f"{asks} {'policy asks' if asks == 1 else 'policies ask'} for pull requests, and no forge is set",
                "Set PROMOTER_FORGE (docs/forges.md), or approve by hand in release.yaml",
            )
        return
    try:
        found = patient.forge.open_pull_requests(BRANCHES)
    except ForgeUnavailable as error:
        yield failure(str(error), "See PROMOTER_FORGE and PROMOTER_FORGE_TOKEN_FILE (docs/forges.md)")
        return
    yield ok(f"{server.url} answers; {len(found)} pull requests of the promoter's are open there")
    if asks:
        yield untold("whether the token may open pull requests and set statuses shows when the first one is due")


def account(patient: Patient) -> Iterator[Finding]:
    """The token's account may write to the repository, and administers nothing."""
    if patient.standing is None or patient.settings.forge is None:
        return
    app = patient.settings.forge.token_from
    own = patient.standing.own()
    whose = "the promoter's account" if own.account is None else f"the promoter's account {own.account}"
    if own.may_write is False:
        yield failure(
            f"{whose} may read the repository and not write to it", "Give it write access to this one repository"
        )
    elif own.may_write is None and isinstance(app, GitHubApp):
        # A token that may do less is none that was asked for, and not given.
        yield ok(f"the GitHub App {app.app} may do what the promoter does here")
    elif own.may_write is None:
        yield untold("the forge does not tell what the promoter's token may do; what it lacks shows when it is due")
    if own.administers:
        yield warning(
            f"{whose} administers {own.administers}: with its token, rules about branches can be lifted",
            "Make it an account that may write to this one repository, and no more (docs/forges.md)",
        )
    elif own.may_write:
        yield ok(f"{whose} may write to the repository, and does not administer it")


def rights(patient: Patient) -> Iterator[Finding]:
    """The forge tells what people may do, so that their commands can be done, to a token that changes nothing."""
    server = patient.settings.forge
    if patient.standing is None or server is None:
        return
    told = patient.standing.tells_rights()
    if told is None:
        yield untold("whether the forge tells what people may do shows with the first command in a comment")
    elif told:
        yield ok("the forge tells what people may do: their commands in comments can be done")
    else:
        yield warning(
            "the forge does not tell what people may do: their commands in comments are answered, and not done",
            "PROMOTER_FORGE_RIGHTS_TOKEN_FILE: a token of an administrator of the repository that only reads "
            "(docs/forges.md)",
        )
    if server.rights_token_file is None:
        return
    writes = patient.standing.rights_token_writes()
    if writes:
        yield warning(
            f"the token in {server.rights_token_file} can change the repository: it is an administrator's, and need "
            "only read",
            "Make one whose only scope reads the repository, and revoke this one",
        )
    elif writes is None:
        yield untold("the forge does not tell whether the token that asks for people's rights only reads")
    else:
        yield ok("the token that asks for people's rights only reads")


CHECKS = (
    Check("Forge", "forge", asking, ("repository",)),
    Check("Forge", "account", account, ("forge",)),
    Check("Forge", "rights", rights, ("forge",)),
)
