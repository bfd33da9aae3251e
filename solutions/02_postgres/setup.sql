-- Make the blog's role and database on a PostgreSQL server. Run this once, as an administrator:
--   psql -v ON_ERROR_STOP=1 -v password=... -f setup.sql

-- region step 2.3: an owner may make tables; the role may do nothing else, and nobody else may come in
-- starter: -- TODO 2.3: create the role bloguser, and the database blogdb in which it may make tables.
CREATE ROLE bloguser LOGIN PASSWORD :'password';
CREATE DATABASE blogdb OWNER bloguser;
REVOKE CONNECT ON DATABASE blogdb FROM PUBLIC;
-- endregion
