-- Make the blog's role and database on a PostgreSQL server. Run this once, as an administrator:
--   psql -v ON_ERROR_STOP=1 -v password=... -f setup.sql

CREATE ROLE bloguser LOGIN PASSWORD :'password';
CREATE DATABASE blogdb OWNER bloguser;
REVOKE CONNECT ON DATABASE blogdb FROM PUBLIC;
