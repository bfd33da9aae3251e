-- A schema of the role's own, which PostgreSQL finds first: its search_path begins with "$user".
create user bloguser with password :'password';
create database blogdb;
\c blogdb
create schema bloguser authorization bloguser;
