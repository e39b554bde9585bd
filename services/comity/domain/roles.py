"""The roles in which people sign in (R39): one list, for the services, the desk and the commands."""

from __future__ import annotations

AGENCY_WRITER, CLERK, INVESTIGATOR, EXAMINER = "agency-writer", "clerk", "investigator", "examiner"
AGENCY_ADMINISTRATOR, AUDITOR, OPERATOR, ADMINISTRATOR = "agency-administrator", "auditor", "operator", "administrator"
ROLES = (AGENCY_WRITER, CLERK, INVESTIGATOR, EXAMINER, AGENCY_ADMINISTRATOR, AUDITOR, OPERATOR, ADMINISTRATOR)
