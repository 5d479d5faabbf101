"""`agent-rl serve`: one module for each thing that is served."""

import argparse

from agent_rl.cli.serve import retriever, sandbox

_SERVED = {"retriever": retriever, "sandbox": sandbox}


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    served = parser.add_subparsers(metavar="WHAT", required=True)
    for name, module in _SERVED.items():
        module.configure(
            served.add_parser(name, help=module.SUMMARY, formatter_class=argparse.RawDescriptionHelpFormatter)
        )
