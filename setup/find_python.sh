# Sourced by ./start and ./test: sets `python` to a Python of at least 3.11.

python=
for candidate in python3 python3.13 python3.12 python3.11 python3.14; do
    # Run it, do not just look for it: version managers put names on the path that lead nowhere.
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "SMIS Desktop needs Python 3.11 or newer. On Debian 12 or later run: sudo apt-get install -y python3 python3-venv" >&2
    exit 2
fi
