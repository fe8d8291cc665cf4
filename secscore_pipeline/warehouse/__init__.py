"""DuckDB: the connection, transactions, migrations, and the SQL of every table. Knows no Azure, no Dagster."""

from importlib.resources import files


def sql(name: str) -> str:
    """Return the text of a SQL file of this room: `sql("load_snapshot")`, `sql("checks/keys_unique")`."""
    return files(__name__).joinpath("sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")
