#!/usr/bin/env bash
# tools/sign-release.sh KEYFILE NAME [SHA256SUMS]: signs the checksums of a release, as a signed note (C2SP) beside them: SHA256SUMS.note.
#
# KEYFILE holds an Ed25519 key as `openssl genpkey -algorithm ed25519` makes it; `-` is standard input. NAME is what the key is called.
# Prints the public key as a vkey: a line of deploy/release-keys, which `dbx upgrade` believes, and of a file for install.sh.
set -euo pipefail

fail() {
  echo "error: $*" >&2
  exit 1
}

[ $# -ge 2 ] && [ $# -le 3 ] || fail "usage: tools/sign-release.sh KEYFILE NAME [SHA256SUMS]"
root=$(CDPATH= cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
name=$2 sums=${3:-$root/artifacts/packages/SHA256SUMS}
case $name in *[[:space:]+]* | '') fail "\`$name\` is no name of a key: it has no white space and no plus." ;; esac
command -v openssl >/dev/null || fail "there is no openssl here."
head -n 1 "$sums" | grep -Eqx 'eventdbx v[0-9A-Za-z.-]+' || fail "$sums does not begin with product and version: tools/package.sh sums makes one that does."

umask 077
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [ "$1" = - ]; then cat >"$scratch/key"; else cat "$1" >"$scratch/key"; fi
openssl pkey -in "$scratch/key" -noout -text 2>/dev/null | grep -q '^ED25519 Private-Key' || fail "$1 holds no Ed25519 key."

openssl pkey -in "$scratch/key" -pubout -outform DER | tail -c 32 >"$scratch/public"
# What a signature line begins with, so that readers need not try every key.
{
  printf '%s\n\001' "$name"
  cat "$scratch/public"
} | openssl dgst -sha256 -binary | head -c 4 >"$scratch/hash"
openssl pkeyutl -sign -inkey "$scratch/key" -rawin -in "$sums" -out "$scratch/signature"
openssl pkey -in "$scratch/key" -pubout -out "$scratch/public.pem"
openssl pkeyutl -verify -pubin -inkey "$scratch/public.pem" -rawin -in "$sums" -sigfile "$scratch/signature" >/dev/null || fail "the signature does not verify."
{
  cat "$sums"
  printf '\n— %s %s\n' "$name" "$(cat "$scratch/hash" "$scratch/signature" | openssl base64 -A)"
} >"$scratch/note"
install -m 644 "$scratch/note" "$sums.note.new"
mv "$sums.note.new" "$sums.note"
printf '%s+%s+%s\n' "$name" "$(od -An -tx1 "$scratch/hash" | tr -d ' \n')" "$({ printf '\001'; cat "$scratch/public"; } | openssl base64 -A)"
