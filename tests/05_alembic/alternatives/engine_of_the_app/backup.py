import argparse
import os
import sqlite3
import subprocess
from pathlib import Path

from database import engine, url

parser = argparse.ArgumentParser()
parser.add_argument("what", choices=["save", "restore"])
parser.add_argument("file", type=Path)
given = parser.parse_args()

if given.what == "save" and given.file.exists():
    raise SystemExit("it exists")
if given.what == "restore" and not given.file.exists():
    raise SystemExit("it doesn't exist")

if url.get_backend_name() == "sqlite":
    database = Path(str(url.database))
    if given.what == "save":
        with sqlite3.connect(database) as connection:
            connection.execute("VACUUM INTO ?", (str(given.file),))
    else:
        for name in (f"{database}-wal", f"{database}-shm", f"{database}-journal"):
            Path(name).unlink(missing_ok=True)
        copy = database.with_suffix(".new")
        copy.write_bytes(given.file.read_bytes())
        os.replace(copy, database)
else:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    if given.what == "save":
        with given.file.open("xb") as file:
            subprocess.run(["pg_dump", "--no-owner", address], stdout=file, check=True)
    else:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", str(given.file)]
        subprocess.run(["psql", *options, address], check=True, stdout=subprocess.DEVNULL)
