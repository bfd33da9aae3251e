"""New PostgreSQL databases for the checks of a run, and nothing left behind.

What a run makes is named `workshop_<run>_…`, and the run holds an advisory lock on its number as long as it
lives. A name without such a lock comes from a run that was killed. The next run drops it.
"""

import atexit
import itertools
import re
import secrets
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from workshop.postgres import ServerError, connect, execute, on_database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # type: ignore[import-untyped]  # noqa: N812

AHEAD = 2  # databases that are ready before anyone asks
OLDEST = 15  # the first version that takes a STRATEGY
RUNS = 1_870_234_561  # the first half of the lock's number; the second half is the run's

LOCK = "SELECT pg_advisory_lock(%s, %s)"
UNLOCK = "SELECT pg_advisory_unlock_all()"
LOCKED = "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s"
RIGHTS = "SELECT rolname, rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
IN_MEMORY = """
SELECT 1 FROM pg_tablespace WHERE spcname = 'workshop' AND has_tablespace_privilege(oid, 'CREATE')
"""
CREATE = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
DROP = "DROP DATABASE IF EXISTS {} WITH (FORCE)"
DROPS = """
SELECT name, statement FROM (
    SELECT 1, datname, format('DROP DATABASE IF EXISTS %%I WITH (FORCE)', datname) FROM pg_database
    UNION ALL SELECT 2, rolname, format('DROP OWNED BY %%I', rolname) FROM pg_roles
    UNION ALL SELECT 3, rolname, format('DROP ROLE IF EXISTS %%I', rolname) FROM pg_roles
) AS drops (turn, name, statement)
WHERE name ~ %s
ORDER BY turn
"""


class PostgresDatabases:
    """The databases of one run. Any thread may call any method."""

    def __init__(self, server_url: str) -> None:
        run = secrets.randbits(31)
        self.prefix = f"workshop_{run:08x}_"  # of databases, and of roles that a check makes
        self._server_url = server_url
        self._numbers = itertools.count(1)
        self._closing = Lock()
        self._making, self._dropping = connect(server_url), connect(server_url)
        _require_rights(self._making)
        execute(self._dropping, LOCK, RUNS, run)
        in_memory = execute(self._making, IN_MEMORY)
        self._create = f"{CREATE} TABLESPACE workshop" if in_memory else CREATE
        self._maker, self._dropper = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._ahead = deque(self._maker.submit(self._make) for _ in range(AHEAD))
        self._dropper.submit(remove_leftovers, self._dropping)
        atexit.register(self.close)

    def create(self) -> str:
        """Return the address of a new, empty database."""
        self._ahead.append(self._maker.submit(self._make))
        return self._ahead.popleft().result()

    def copy(self, url: str) -> str:
        """Return the address of a copy of the database at `url`, to which nobody may be connected."""
        return self._maker.submit(self._make, self._name_in(url)).result()

    def drop(self, url: str) -> None:
        """Drop a database that this run made, in the background. Whoever is connected to it is cut off."""
        name = self._name_in(url)
        with self._closing:
            if not self._dropping.closed:
                self._dropper.submit(execute, self._dropping, DROP.format(name))

    def close(self) -> None:
        """Drop every database and role of this run."""
        with self._closing:
            if self._dropping.closed:
                return
            self._maker.shutdown(cancel_futures=True)
            self._dropper.shutdown(cancel_futures=True)
            with suppress(ServerError):  # without the server, nothing can be done: the next run will
                execute(self._dropping, UNLOCK)
                remove_leftovers(self._dropping, self.prefix)
            self._making.close()
            self._dropping.close()
        atexit.unregister(self.close)

    def _make(self, template: str = "template0") -> str:
        name = f"{self.prefix}{next(self._numbers)}"
        execute(self._making, self._create.format(name, template))
        return on_database(self._server_url, name)

    def _name_in(self, url: str) -> str:
        """The name of one of this run's databases."""
        name = re.search(rf"/({self.prefix}\d+)", url)
        if not name:
            raise ValueError("this run made no such database")
        return name[1]


def remove_leftovers(connection: "Connection", names: str = "workshop_[0-9a-f]{8}_") -> None:
    """Drop the databases and roles of runs that are no more, with names that begin so."""
    drops = execute(connection, DROPS, f"^{names}")
    # Asked after the names, for a run holds its lock before it makes anything.
    alive = {run for (run,) in execute(connection, LOCKED, RUNS)}
    for name, statement in drops:
        if int(name.split("_")[1], 16) not in alive:
            with suppress(ServerError):  # another run removes it, or it isn't ours to remove
                execute(connection, statement)


def _require_rights(connection: "Connection") -> None:
    if connection.server_version < OLDEST * 10_000:
        version = connection.server_version // 10_000
        raise ServerError(
            f"PostgreSQL {OLDEST} or newer is needed, and WORKSHOP_POSTGRES_URL leads to {version}."
        )
    [(user, may_create)] = execute(connection, RIGHTS)
    if not may_create:
        raise ServerError(
            f"The user {user} of WORKSHOP_POSTGRES_URL may not create databases. "
            f'An administrator can allow it: ALTER ROLE "{user}" CREATEDB'
        )
