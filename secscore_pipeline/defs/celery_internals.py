"""Everything that is taken from inside Dagster's package for Celery, which makes only its step executor public.

Apart from `dagster_internals`, since the package is installed with secscore_pipeline[workers] alone.
"""

# The launcher of runs is documented for dagster.yaml, but not made public as a class to extend.
from dagster_celery.launcher import CeleryRunLauncher

# Where a run's tag holds its Celery task, which knows the worker that took it.
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

# What a worker executes: `dagster-celery worker start` registers it, but cannot leave signs of life.
from dagster_celery.tasks import create_execute_job_task

__all__ = ["DAGSTER_CELERY_TASK_ID_TAG", "CeleryRunLauncher", "create_execute_job_task"]
