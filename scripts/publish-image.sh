#!/usr/bin/env bash
# Builds a target of Dockerfile, pushes it, and says under which digest, which is what charts/promoter asks for:
# `publish-image.sh TARGET IMAGE TAG MEGABYTES`. Fails where its layers, as the registry keeps them, are larger than that.
set -euo pipefail
cd "$(dirname "$0")/.."

if (($# != 4)); then
  echo "usage: scripts/publish-image.sh TARGET IMAGE TAG MEGABYTES" >&2
  exit 2
fi
target=$1 image=$2 tag=$3 most=$4

metadata=$(mktemp)
trap 'rm -f "$metadata"' EXIT
docker buildx build --target "$target" --tag "$image:$tag" --push --provenance mode=max --sbom true \
  --metadata-file "$metadata" . >&2
digest=$(jq --raw-output '."containerimage.digest"' "$metadata")

# What was pushed is an index: of the image, and of what attests to it.
platform=$(docker buildx imagetools inspect --raw "$image@$digest" |
  jq --raw-output '[.manifests[] | select(.platform.os != "unknown")][0].digest')
bytes=$(docker buildx imagetools inspect --raw "$image@$platform" | jq '[.layers[].size] | add')

echo "$image@$digest"
echo "$((bytes / 1000000)) MB in its layers"
if ((bytes > most * 1000000)); then
  echo "error: that is more than $most MB" >&2
  exit 1
fi
