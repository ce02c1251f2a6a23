#!/bin/sh
# Copies the rules and dashboards into the chart, which cannot read outside of itself.
set -eu
cd "$(dirname "$0")/.."
files=helm/tmcwatch/files
rm -f "$files"/rules/*.yaml "$files"/dashboards/*.json
for source in prometheus/rules/*.yaml; do [ -e "$source" ] && cp "$source" "$files/rules/"; done
for source in grafana/*.json; do [ -e "$source" ] && cp "$source" "$files/dashboards/"; done
exit 0
