"""The alert worker runs where there is no store: nothing that it imports knows one."""

import subprocess
import sys

STORES = ("redis", "asyncpg", "psycopg", "alembic")
_LOOK = f"""
import sys
import services.alert_worker.app, services.alert_worker.charts.__main__, services.alert_worker.digest.__main__
print(*(name for name in {STORES!r} if name in sys.modules))
"""


def test_the_worker_imports_no_store_client() -> None:
    done = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
