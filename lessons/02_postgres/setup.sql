-- Make the blog's role and database on a PostgreSQL server. Run this once, as an administrator:
--   psql -v ON_ERROR_STOP=1 -v password=... -f setup.sql

-- TODO 2.3: create the role bloguser, and the database blogdb in which it may make tables.
