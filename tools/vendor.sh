#!/usr/bin/env bash
# Refresh the front-end files under _vendor from their npm packages (needs npm; nothing else in the project does).
# Keeps what the pages can ask for: the TeX-to-CHTML component, its fonts and extensions, and the reading aids of
# MathJax's menu. Then writes the checksums that tests/test_tools.py compares.
set -euo pipefail

version=3.2.2
root=$(cd "$(dirname "$0")/.." && pwd)
target=$root/_vendor/vendor/mathjax
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cd "$work"
npm pack --silent "mathjax@$version" >/dev/null
tar xzf "mathjax-$version.tgz"
cd package

rm -rf "$target"
mkdir -p "$target"/{input/tex,output/chtml/fonts,a11y,sre/mathmaps}
cp LICENSE es5/tex-mml-chtml.js "$target"
cp -r es5/input/tex/extensions "$target/input/tex"
rm "$target/input/tex/extensions/all-packages.js"
cp -r es5/output/chtml/fonts/woff-v2 "$target/output/chtml/fonts"
cp es5/a11y/*.js "$target/a11y"
cp es5/sre/mathmaps/{base,en}.json "$target/sre/mathmaps"

cd "$root/_vendor/vendor"
find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs sha256sum >SHA256SUMS
echo "vendored mathjax $version: $(du -sh mathjax | cut -f1)"
