"""Says whether standard input is CycloneDX 1.5, by the standard's own schema (cyclonedx-python-lib)."""
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(sys.stdin.read())
print("valid" if error is None else f"invalid: {error.data.message}")
