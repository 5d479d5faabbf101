"""Evaluation: held-out measurement and the report of a run. It knows engines and run folders, no trainer."""
