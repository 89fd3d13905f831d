"""`python -m include` is `innopoints`."""

from include.cli import main

main()
