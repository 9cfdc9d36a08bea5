#!/bin/sh
# Would this update go through? Pulls and checks the image, looks at the device, sends nothing. Needs Node alone.
# Settings are the variables of `flashjob flash` (README.md): FIRMWARE, DEVICE, HOST_ENDPOINT, DICE_AUTH_URL ...;
# the registry's credentials come in DOCKER_AUTH_CONFIG. The report is on stdout, the exit code is flashjob's.
set -eu
# No pod waits for last words here, and /dev is closed to the program: without this it would warn of that.
export TERMINATION_LOG="${TERMINATION_LOG:-${TMPDIR:-/tmp}/termination-log}"
flashjob=$(cd "$(dirname "$0")/../.." && pwd)
exec npx -y deno@2.9.6 run --quiet --no-prompt --allow-net --deny-net=169.254.0.0/16 --allow-env --allow-read \
  --allow-write="${TMPDIR:-/tmp}" "$flashjob/main.ts" flash --dry-run --output json
