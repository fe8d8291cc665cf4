"""DuckDB: the connection, transactions, migrations, and the SQL of every table. Knows no Azure, no Dagster."""
