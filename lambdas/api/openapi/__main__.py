"""See the package."""

import sys

from lambdas.api.openapi import PATH, text

PATH.write_text(text())
sys.stdout.write(f"{PATH}\n")
