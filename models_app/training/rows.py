"""The rows of machines that train."""

from __future__ import annotations

from django.db import models


class TrainingMachine(models.Model):
    """A machine that trains, as last measured by the process that waits there for trainings (machines.py)."""

    # Its boot (jobs.processes.boot), which its containers share.
    machine = models.CharField(max_length=64, primary_key=True)
    # How Job.worker begins there (jobs.processes.here). Each container has its own.
    host = models.CharField(max_length=255)
    # Characters per second while it trains the quick base model and nothing else, and the products for each of them.
    speed = models.FloatField()
    products = models.FloatField(default=0)
    # In bytes, within the container's limit; None where nobody knows.
    memory = models.PositiveBigIntegerField(null=True)
    measured_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.host
