#!/bin/sh
# Reports known vulnerabilities of the installed packages with pip-audit; never fails. Does nothing if pip-audit is not
# installed or no source of advisories is reachable.
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
     [ "$unknown" -eq 0 ] && echo "audit: no known vulnerabilities in the installed packages" ||
       echo "audit: $unknown packages could not be checked (is a source of advisories reachable?), no vulnerabilities in the others" ;;
  1) case $out in
       *"Found "*) echo "audit: known vulnerabilities, raise these versions:"; echo "$out" ;;
       *) echo "audit: skipped (no source of advisories is reachable)" ;;
     esac ;;
  *) echo "audit: skipped (no response within 50 s)" ;;
esac
exit 0
