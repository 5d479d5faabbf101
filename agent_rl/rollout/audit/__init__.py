"""The audit: proves or refutes from saved trajectories that a run trained exactly what was sampled."""

from agent_rl.rollout.audit.audit import audit_run
from agent_rl.rollout.audit.findings import Check, Verdict
from agent_rl.rollout.audit.page import write_page
from agent_rl.rollout.audit.result import Audit
from agent_rl.rollout.audit.source import Selection
from agent_rl.rollout.audit.text import lines

__all__ = ["Audit", "Check", "Selection", "Verdict", "audit_run", "lines", "write_page"]
