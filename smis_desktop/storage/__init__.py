"""Files and folders: atomic writes, locks, the data folder, downloads."""
