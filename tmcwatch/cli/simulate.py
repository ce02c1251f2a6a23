"""The command `simulate`: a TMC on loopback, until a signal ends it."""

import os
import signal
from dataclasses import replace
from functools import partial

import anyio
import click

from tmcwatch.app import real_world
from tmcwatch.cli.ending import unreachable
from tmcwatch.cli.options import example, window_option
from tmcwatch.simulator import Reading, Simulator, scenarios, served

_PORT = click.IntRange(0, 65_535)


@click.command(
    "simulate",
    epilog=example(
        "tmcwatch simulate --scenario small --port 8080 --control-port 8081",
        "curl -H 'Authorization: Bearer demo' http://127.0.0.1:8080/orchestration/workspaces",
        "curl http://127.0.0.1:8081/",
    ),
)
@click.option(
    "--scenario", type=click.Choice(list(scenarios())), default="small", show_default=True
)
@click.option("--port", type=_PORT, default=8080, show_default=True, help="0 takes a free one.")
@click.option(
    "--control-port", type=_PORT, default=8081, show_default=True, help="Faults, runs, the truth."
)
@window_option
@click.option(
    "--speed",
    type=click.FloatRange(0, 100_000, min_open=True),
    default=1.0,
    show_default=True,
    help="Simulated seconds per real second.",
)
@click.option("--seed", type=int, help="Another seed is another tenant.")
@click.option("--token", default="demo", show_default=True, help="The bearer token to accept.")
def command(
    *,
    scenario: str,
    port: int,
    control_port: int,
    window: Reading,
    speed: float,
    seed: int | None,
    token: str,
) -> None:
    """Serve a simulated TMC on 127.0.0.1, until Ctrl-C."""
    tenant = scenarios()[scenario]
    simulator = Simulator(
        tenant if seed is None else replace(tenant, seed=seed),
        now=real_world(os.environ).now,
        window=window,
        speed=speed,
        token=token,
    )
    try:
        anyio.run(partial(_serve, simulator, port, control_port))
    except OSError as error:
        raise unreachable(f"simulate: {error.strerror or error}") from error


async def _serve(simulator: Simulator, port: int, control_port: int) -> None:
    account = simulator.service_account
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with served(simulator, port=port, control_port=control_port) as addresses:
            click.echo(
                f"TMC      {addresses.api}  (bearer token: {simulator.token})\n"
                f"         service account: {account.id}, secret {account.secret}\n"
                f"control  {addresses.control}"
            )
            async for _ in signals:
                break
