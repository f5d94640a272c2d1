#!/bin/sh
# The base model of the image is in the volume, unless the operator trains one there. Versions that were in use before stay
# in bases/, with the bots that came from them.
set -eu
mkdir -p "$BOTFACTORY_HOME" "$CHECKPOINTS_DIR"
base=$CHECKPOINTS_DIR/base
if [ ! -e "$base/.training" ] && ! cmp -s /app/checkpoints/base/config.json "$base/config.json"; then
  staged=$(mktemp -d "$CHECKPOINTS_DIR/.base.new-XXXXXX")
  cp -r /app/checkpoints/base "$staged/base"
  # Several services start at once: what one of them puts there is whole, and another may put the same in its place.
  mv -T "$base" "$staged/old" 2>/dev/null || true
  mv -T "$staged/base" "$base" 2>/dev/null || true
  rm -rf "$staged"
fi
exec "$@"
