"""The roles' names, as ``comity.web.session`` has them: repeated, since importing that needs FastAPI, which takes a second.

A test keeps the two equal.
"""

from __future__ import annotations

AGENCY_WRITER, CLERK, INVESTIGATOR, EXAMINER = "agency-writer", "clerk", "investigator", "examiner"
AGENCY_ADMINISTRATOR, AUDITOR, OPERATOR, ADMINISTRATOR = "agency-administrator", "auditor", "operator", "administrator"
ROLES = (AGENCY_WRITER, CLERK, INVESTIGATOR, EXAMINER, AGENCY_ADMINISTRATOR, AUDITOR, OPERATOR, ADMINISTRATOR)
