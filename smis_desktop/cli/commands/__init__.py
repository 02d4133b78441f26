"""The commands of `smis`, one file each; a module's `COMMAND` describes it (see `smis_desktop.cli.command`)."""
