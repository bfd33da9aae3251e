-- A group that owns the database, the role as its member, and a second try that harms nothing.
SELECT 'CREATE ROLE bloguser' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bloguser') \gexec
ALTER ROLE bloguser WITH LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 50;
CREATE ROLE bloguser_owners NOLOGIN;
GRANT bloguser_owners TO bloguser;
CREATE DATABASE blogdb OWNER bloguser_owners;
REVOKE ALL ON DATABASE blogdb FROM PUBLIC;
GRANT CONNECT ON DATABASE blogdb TO bloguser;
