"""Lets `python -m agent_rl.cli` stand for `agent-rl`."""

import sys

from agent_rl.cli.main import main

sys.exit(main())
