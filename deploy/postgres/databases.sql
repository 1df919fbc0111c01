-- Prefect keeps its own beside the catalog, which POSTGRES_DB makes.
CREATE DATABASE prefect;
