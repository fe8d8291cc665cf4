"""The target class, Assessment Finding (99402001): constants, the mapping and its SQL. Knows no Azure, no Dagster."""

CLASS_UID = 99402001
"""OCSF extension 994 (DataBee) × 100000 + category 2 × 1000 + class 1."""

OCSF_VERSION = "1.8.0"
LAKE_VERSION = "1.3.0"
"""The newest version that Amazon Security Lake takes from others."""

PROFILES = ("cloud", "datetime")
