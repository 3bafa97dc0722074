"""`tapewatch consumer redis|postgres`: writes the tape into one store."""

from typing import Annotated, Literal

import typer

Sink = Literal["redis", "postgres"]


def consumer(
    sink: Annotated[Sink, typer.Argument(help="The store to write to.")],
    shard: Annotated[str, typer.Option(metavar="K/N", help="Own the partitions p with p mod N = K.")] = "0/1",
    group: Annotated[str | None, typer.Option(metavar="NAME", help="Share partitions by a consumer group.")] = None,
) -> None:
    """Write the tape into one store. A second copy stands by and takes over when the first is gone.

    Example: tapewatch consumer postgres --shard 0/2
    """
    from services.consumer.app import run
    from shared.partitioning import Shard

    try:
        owned = Shard.parse(shard)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--shard") from None
    raise typer.Exit(run(sink, owned, group))
