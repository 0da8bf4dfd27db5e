"""Words that settings hold where a secret could stand, and that are none: to mask them would hide ordinary text.

All in lower case, of eight characters or more; shorter values are never masked.
"""

from __future__ import annotations

_VALUES = """
    password passwords passphrase credential credentials changeme change_me change-me placeholder redacted undefined
    required optional disabled inherited unlimited automatic manually interactive permanent temporary internal external
    localhost localdomain production development integration acceptance preproduction environment environments
    anonymous everyone administrator superuser postgres postgresql rabbitmq guestguest developer username user_name
    certificate certificates keychain keyring libsecret osxkeychain wincred secretservice application container
    containers repository registry database description metadata authentication authenticated unauthenticated
    oauth2accesstoken x-access-token x-token-auth gitlab-ci-token __token__ oauth2-token basic-auth bearer-token
"""
_NAMES_OF_CREDENTIALS = """
    api_key api-key x-api-key x_api_key api_token api-token access_key access_key_id access_token access-token accesskey
    auth_token auth-token authtoken authorization proxy-authorization x-auth-token client_secret client-secret client_id
    private_key private-key privatekey public_key public-key secret_key secret-key secretkey session_key sessionid
    session_id session-id refresh_token id_token csrf_token csrftoken xsrf-token x-csrf-token app_secret signing_key
    password_hash db_password db-password database_url set-cookie www-authenticate signature signatures
"""
# In our own reports, in the outputs of the tools, in JUnit XML and in what an engine tells of images and containers: a
# raw output in which one of these were masked could not be read again.
_NAMES_IN_OUTPUTS = """
    absolutepath annotations applicability approval approved architecture artifacts candidates checksum classname
    col_offset complete components confidence context_start contexts convention coverage covered_branches created_by
    critical critical_severity cyclonedx days_left dependencies detect-secrets detectors digest_sha256 duration
    duration_s effective end_col_offset end_location endcolumn evidence excluded_lines executed_lines existing expected
    exploited failures filename findings finished fix_versions functions generated_at generator hostconfig hostname
    image_id inconclusive issue_confidence issue_cwe issue_severity issue_text justification last_green last_line
    licence_names licences licenses line_number line_range location longrepr manifest manifests mediatype messageid
    messages messagetypecount missing_branches missing_lines modules moduleslinted more_info networksettings noqa_row
    not_checked nothing_expected num_statements of_findings of_severity percent_covered percent_covered_display
    pip-audit pipeline platform policies properties property refactor reports revision schemathesis sentence
    serialnumber severity size_bytes skip_reason skipped_tests snapshot specversion starttime statements statistics
    stoptime supplier suppressions system-err system-out test_name testcase testsuite testsuites timestamp until_fixed
    vulnerabilities
"""
ORDINARY_WORDS = frozenset(
    {*_VALUES.split(), *_NAMES_OF_CREDENTIALS.split(), *_NAMES_IN_OUTPUTS.split(), "container log", "image check"}
)
"""What is never masked, whatever variable holds it."""
