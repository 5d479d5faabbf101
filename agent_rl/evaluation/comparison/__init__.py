"""Comparing evaluations task by task: what differs, by how much, and whether that is real."""

from agent_rl.evaluation.comparison.compare import Change, Comparison, Row, compare
from agent_rl.evaluation.comparison.page import write_page
from agent_rl.evaluation.comparison.sides import Side, read_sides
from agent_rl.evaluation.comparison.text import lines, summary, tables

__all__ = ["Change", "Comparison", "Row", "Side", "compare", "lines", "read_sides", "summary", "tables", "write_page"]
