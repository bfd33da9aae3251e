"""A copy of the whole database, and the way back.

python backup.py save FILE
python backup.py restore FILE
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from sqlalchemy import text

from database import engine, url

TO_DATABASE = f"--dbname={url.set(drivername='postgresql')._replace(password=None).render_as_string()}"


def save(file: Path) -> None:
    """Copy the database into a new file; the app may go on writing meanwhile."""
    if file.exists():
        sys.exit(f"{file} exists already, and a backup is never overwritten.")
    part = file.with_name(f"{file.name}.part")  # a file with the right name is always whole
    part.unlink(missing_ok=True)
    if url.get_backend_name() == "sqlite":
        copy_sqlite(Path(str(url.database)), part)
    else:
        run("pg_dump", TO_DATABASE, "--format=custom", "--no-owner", f"--file={part}")
    part.rename(file)


def restore(file: Path) -> None:
    """Make the database what it was when the file was saved. Stop the app first."""
    if not file.exists():
        sys.exit(f"There is no {file}.")
    if url.get_backend_name() == "sqlite":
        copy_sqlite(file, Path(str(url.database)))
    else:
        run("pg_restore", "--list", f"--file={os.devnull}", str(file))  # fails unless it is a backup
        with engine.begin() as connection:  # what was made since then goes too
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        run("pg_restore", TO_DATABASE, "--no-owner", "--exit-on-error", str(file))


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy page by page, which waits for writers, unlike a copy of the file."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs, without showing the password in the list of processes."""
    found = shutil.which(program)
    if found is None:
        sys.exit(f"{program} is not installed, or not on the PATH.")
    environment = os.environ | {"PGPASSWORD": url.password or ""}
    subprocess.run([found, *arguments], env=environment, check=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["save", file]:
            save(Path(file))
        case ["restore", file]:
            restore(Path(file))
        case _:
            sys.exit(__doc__)
