CREATE ROLE bloguser LOGIN PASSWORD :'password';
CREATE DATABASE blogdb;
\c blogdb
\ir sql/grants.sql
