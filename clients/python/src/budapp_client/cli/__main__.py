"""Runs budctl: python -m budapp_client.cli."""

from budapp_client.cli.main import main

main()
