"""`python -m lab` is the `runaway` command."""

from lab.entry import main

if __name__ == "__main__":
    main()
