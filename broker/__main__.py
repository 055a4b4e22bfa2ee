"""`python -m broker` is the command line `broker`."""

from broker.cli import main

main()
