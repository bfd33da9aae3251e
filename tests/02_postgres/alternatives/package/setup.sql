-- Rights on the schema, granted inside the new database.
CREATE ROLE "bloguser" WITH LOGIN ENCRYPTED PASSWORD :'password';
CREATE DATABASE blogdb ENCODING 'UTF8' TEMPLATE template0;
\connect blogdb
GRANT USAGE, CREATE ON SCHEMA public TO bloguser;
