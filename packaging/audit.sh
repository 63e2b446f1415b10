#!/bin/sh
# Known holes of what is installed, by pip-audit: a report, never a failure. Offline, or without pip-audit, nothing is done.
set -u
cd "$(dirname "$0")/.."
python=.venv/bin/python
if ! command -v pip-audit >/dev/null 2>&1 && ! "$python" -m pip_audit --version >/dev/null 2>&1; then
  echo "audit: skipped (pip-audit is not installed: pipx install pip-audit)"
  exit 0
fi
audit=pip-audit
command -v pip-audit >/dev/null 2>&1 || audit="$python -m pip_audit"
out=$(PIPAPI_PYTHON_LOCATION=$python timeout 50 $audit --local --skip-editable --progress-spinner off --timeout 10 2>&1)
status=$?
case $status in
  0) unknown=$(echo "$out" | grep -c "could not be audited")
     [ "$unknown" -eq 0 ] && echo "audit: no known holes in what is installed" ||
       echo "audit: $unknown packages could not be looked up (is a source of advisories in reach?), no holes in the others" ;;
  1) case $out in
       *"Found "*) echo "audit: known holes, raise these versions:"; echo "$out" ;;
       *) echo "audit: skipped (no source of advisories can be reached)" ;;
     esac ;;
  *) echo "audit: skipped (no answer within 50 s)" ;;
esac
exit 0
