-- The owner comes later, and the role is a CREATE USER.
CREATE USER bloguser WITH PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE DATABASE blogdb;
ALTER DATABASE blogdb OWNER TO bloguser;
\q
