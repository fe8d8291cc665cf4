"""`secscore completion`."""

import click

from secscore_pipeline.system.streams import write_output


@click.command
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    bash: secscore completion bash > ~/.local/share/bash-completion/completions/secscore; zsh: save it as _secscore in a
    folder of fpath; fish: save it as ~/.config/fish/completions/secscore.fish.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.BadParameter(f"click cannot complete for {shell}.")
    write_output(f"{kind(context.find_root().command, {}, 'secscore', '_SECSCORE_COMPLETE').source()}\n")
