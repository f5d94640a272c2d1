#!/bin/sh
# The base models of the image are in the volume, unless the operator trains one there. Versions that were in use before stay
# in bases/, with the bots that came from them.
set -eu
mkdir -p "$CHECKPOINTS_DIR"
# Only this account can open these: they contain people's posts.
mkdir -p -m 700 "$BOTFACTORY_HOME" "$CHECKPOINTS_DIR/users"
for shipped in /app/checkpoints/*/; do
  name=$(basename "$shipped")
  base=$CHECKPOINTS_DIR/$name
  if [ ! -e "$base/.training" ] && ! cmp -s "$shipped/config.json" "$base/config.json"; then
    staged=$(mktemp -d "$CHECKPOINTS_DIR/.$name.new-XXXXXX")
    cp -r "$shipped" "$staged/$name"
    # Several services start at once: what one of them puts there is whole, and another may put the same in its place.
    mv -T "$base" "$staged/old" 2>/dev/null || true
    mv -T "$staged/$name" "$base" 2>/dev/null || true
    rm -rf "$staged"
  fi
done
exec "$@"
