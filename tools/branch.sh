#!/usr/bin/env bash
# branch.sh FOLDER BRANCH [REMOTE]: the folder's files become the one commit of a branch of the remote.
# Neither the work tree nor its index is touched, and the branch keeps no history, so that it stays small.
set -euo pipefail
index=$(mktemp -d)
trap 'rm -r "$index"' EXIT
export GIT_INDEX_FILE=$index/index
git --work-tree="$1" add --all --force .
commit=$(git commit-tree "$(git write-tree)" -m "Made from $(git rev-parse --short HEAD)")
git push --force "${3:-origin}" "$commit:refs/heads/$2"
