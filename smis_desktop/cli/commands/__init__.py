"""The commands of `smis`, one file each: a module's `COMMAND` says what it is (see `smis_desktop.cli.command`)."""
