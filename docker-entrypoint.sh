#!/bin/sh
# The base model of the image is in the volume, unless the operator has trained another one there.
set -eu
mkdir -p "$BOTFACTORY_HOME" "$CHECKPOINTS_DIR"
[ -e "$CHECKPOINTS_DIR/base" ] || cp -r /app/checkpoints/base "$CHECKPOINTS_DIR/base"
exec "$@"
