# Sourced by tools/package.sh: the hashes of everything that is given to others.

# The first line names product and version: a list of an older release, however well signed, is not that of a newer one.
package_sums() {
  rm -f "$out/SHA256SUMS" "$out/SHA256SUMS.note"
  (
    cd "$out"
    echo "eventdbx v$version"
    # Files only: the folder is in its archive.
    find . -maxdepth 1 -type f ! -name 'SHA256SUMS*' -printf '%f\n' | LC_ALL=C sort | xargs -r sha256sum
  ) >"$work/SHA256SUMS"
  install -m 644 "$work/SHA256SUMS" "$out/SHA256SUMS"
}
