"""`kedro join`: ranks of this machine for networks that a run on another one fits."""

from __future__ import annotations

import click
from click import IntRange, option

from lepton_pipeline.cli.options import reports_errors
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.system.readable import say


@click.command()
@click.argument("address")
@option(
    "--processes",
    type=IntRange(min=1),
    help="Ranks on this machine; one a CUDA card, on a CPU one a core if not given.",
)
@option(
    "--wait",
    type=IntRange(min=1),
    default=600,
    show_default=True,
    help="Seconds without a fit after which it ends.",
)
@reports_errors
def join(address: str, processes: int | None, wait: int) -> None:
    """Lend this machine to fits of another one.

    ADDRESS is HOST:PORT, training.ranks.address of the run there. Every fit that is offered is joined, until none has
    been for a while. Only for networks that you trust: the run sends this machine what it executes.
    """
    from lepton_pipeline.model.networks.torchrun import attend
    from lepton_pipeline.parameters.training import require_address
    from lepton_pipeline.system.signals import unwinding
    from lepton_pipeline.system.workers import Call, Session

    try:
        require_address(address)
    except ValueError as error:
        raise ConfigurationError(f"{error}.") from None
    say(f"waiting for fits at {address}, {wait} seconds at most")
    with unwinding(), Session() as session:
        joined = session.run(Call(attend, (address, processes, wait, session.folder)), say)
    say(
        f"no fit for {wait} seconds; {joined} joined" if joined else f"no fit at {address} for {wait} seconds"
    )
