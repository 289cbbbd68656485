# Sourced by the entry points in this folder: finds a Python that is new enough and runs one of
# the modules in commands/ with it. Everything else is in Python.

run_command() {
    local module="$1" tools candidate
    shift
    tools="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd -P)"
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.10 python3.9 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
            PYTHONPATH="$tools" exec "$candidate" -m "commands.$module" "$@"
        fi
    done
    echo "[marquee] Python 3.9 or newer is needed (PYTHON=/path/to/python3 names one)." >&2
    echo "[marquee] On Debian and Ubuntu: apt-get install python3 python3-venv python3-pip." >&2
    exit 1
}
