"""What ``python -m workshop`` runs: ``setup`` with the standard library alone, and the tool for all else.

The syntax here is valid on every Python, so that an old one gets a sentence instead of a SyntaxError.
"""

import sys

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit(
            "The workshop needs Python 3.11 or newer. This is Python " + sys.version.split()[0] + ".\n"
            "Make the virtual environment again with a newer one: https://www.python.org/downloads/"
        )

    if sys.argv[1:2] == ["setup"]:
        from workshop.setup import main as setup

        sys.exit(setup(sys.argv[2:]))

    try:
        from workshop.cli import main
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "workshop":
            raise
        sys.exit("The package " + error.name + " is not installed here. Type:\n  python -m workshop setup")

    sys.exit(main())
