"""A copy of the whole database, and the way back.

python backup.py save FILE
python backup.py restore FILE
"""

# TODO 5.9: both commands, for SQLite and for PostgreSQL.
