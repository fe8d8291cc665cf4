"""The SQL of every room: each keeps its own beside its code, in a folder `sql`."""

from importlib.resources import files


def load_sql(name: str) -> str:
    """Return the text of a SQL file.

    Args:
        name: the room and the file in its folder `sql`, without the ending: `warehouse/load_fetches`.
    """
    room, _, file = name.partition("/")
    return files("secscore_pipeline").joinpath(room, "sql", f"{file}.sql").read_text(encoding="utf-8")
