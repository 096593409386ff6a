#!/bin/sh
# Joins the client library and what it needs of the others into one object that shows vs_ symbols
# only, so that a program linked with it cannot meet a function of ours by name.
# make_static.sh OUTPUT CLIENT_ARCHIVE PART_ARCHIVE...
set -eu
output=$1
client=$2
shift 2
object=$output.o
ld -r -o "$object" --whole-archive "$client" --no-whole-archive --start-group "$@" --end-group
objcopy --wildcard --keep-global-symbol='vs_*' "$object"
rm -f "$output"
ar rcsD "$output" "$object"
rm -f "$object"
