GRANT CREATE ON SCHEMA public TO bloguser;
