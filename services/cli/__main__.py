"""``python -m services.cli`` is the `tapewatch` command, for processes that start it without knowing where it lies."""

from services.cli.main import main

main()
