#!/usr/bin/env bash
# Alarms when a commit in the promoter's name changes anything but release.yaml files.
#
#   scripts/promoters-commits.sh EMAIL BEFORE AFTER
#
# Looks at the commits that AFTER has and BEFORE has not; a BEFORE of zeros means AFTER alone. EMAIL is PROMOTER_AUTHOR_EMAIL.
# Exit status 1 where there is such a commit, each named with the paths; 2 where it cannot tell.
set -euo pipefail

if (($# != 3)); then
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
email=$1 before=$2 after=$3
zero='^0+$'
if [[ $before =~ $zero ]]; then
  commits=$(git rev-list --max-count=1 "$after") || exit 2
else
  commits=$(git rev-list "$before..$after") || exit 2
fi

found=0
for commit in $commits; do
  if [[ $(git show --no-patch --format=%ce "$commit") != "$email" ]]; then
    continue
  fi
  # A line is `:mode mode id id letter<TAB>path`. A release is a plain file before and after, and is never deleted.
  changes=$(git diff-tree --no-commit-id --raw --no-renames -r -m --root "$commit") || exit 2
  others=$(grep -Ev $'^:(100644|000000) 100644 [0-9a-f]+ [0-9a-f]+ [AM]\tenvironments/([a-z0-9-]+/){2,3}release\\.yaml$' <<<"$changes" || true)
  if [[ -n $others ]]; then
    found=1
    echo "::error::commit $commit is the promoter's by its committer, and changes more than release.yaml files:"
    printf '%s\n' "$others"
  fi
done
exit "$found"
