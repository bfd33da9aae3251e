class PostgresDatabases:
    prefix = ""
