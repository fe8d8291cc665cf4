-- The lake's catalog is the server's own database, secscore; Dagster's runs and events have one beside it.
create database dagster;
