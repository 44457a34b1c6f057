"""Orchestration: the ``pressroom`` command and the Prefect flows; the one package that imports Prefect."""
