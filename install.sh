#!/bin/sh
# install.sh: installs a release of EventDBX for one user, without root.
#
#   sh install.sh [--version VERSION] [--prefix DIR]
#
#   --version VERSION   as in 2.1.0 (default: the newest release)
#   --prefix DIR        where to: DIR/bin/dbx, and the rest in DIR/lib/eventdbx (default: ~/.local)
#
# The download is held against the checksums of the release before anything of it is run, and where a release key is known
# (EVENTDBX_RELEASE_KEYS names a file with one a line), against its signature. What does not fit is thrown away, and nothing is changed.
# EVENTDBX_RELEASES_URL names another place of releases than the published one: it answers like GitHub's list of releases.
# `dbx upgrade` goes on from here.
set -eu

# All of it is read before any of it runs: a script that arrives in half does nothing.
main() {
  releases=${EVENTDBX_RELEASES_URL:-https://api.github.com/repos/eventdbx/eventdbx-dotnet/releases}
  releases=${releases%/}
  version=latest
  prefix=${HOME:+$HOME/.local}
  while [ $# -gt 0 ]; do
    case $1 in
      --version | --prefix)
        [ $# -gt 1 ] && [ -n "$2" ] || usage "$1 needs a value"
        if [ "$1" = --version ]; then version=$2; else prefix=$2; fi
        shift
        ;;
      --version=?*) version=${1#*=} ;;
      --prefix=?*) prefix=${1#*=} ;;
      -h | --help)
        help
        return
        ;;
      *) usage "\`$1\` is not known" ;;
    esac
    shift
  done
  case $version in
    latest) ;;
    *[!0-9A-Za-z.+-]* | '' | .*) usage "\`$version\` is no version; 2.1.0 is one" ;;
    *) version=v${version#v} ;;
  esac
  [ -n "$prefix" ] || fail "there is no home directory here; \`--prefix DIR\` says where to."
  case $prefix in /*) ;; *) prefix=$(pwd)/$prefix ;; esac
  umask 022

  platform
  for tool in tar gzip sed grep awk mktemp; do command -v "$tool" >/dev/null 2>&1 || fail "there is no \`$tool\` here, which is needed."; done
  for link in dbx dbx-verify; do ours "$link"; done

  library=$prefix/lib/eventdbx
  made=
  for directory in "$prefix" "$prefix/lib" "$library" "$prefix/bin"; do
    [ -d "$directory" ] || { mkdir "$directory" 2>/dev/null || mkdir -p "$directory" || fail "$directory cannot be made."; made="$directory
$made"; }
  done
  lock
  staging=$(mktemp -d "$library/.install.XXXXXX") || fail "$library cannot be written to."
  former=
  trap 'clean' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM

  find_release
  download
  verify
  unpack
  place
}

help() {
  cat <<'END'
install.sh: installs a release of EventDBX for one user, without root.

  sh install.sh [--version VERSION] [--prefix DIR]

  --version VERSION   as in 2.1.0 (default: the newest release)
  --prefix DIR        where to: DIR/bin/dbx, and the rest in DIR/lib/eventdbx (default: ~/.local)

EVENTDBX_RELEASES_URL   another place of releases, which answers like GitHub's list of releases
EVENTDBX_RELEASE_KEYS   a file with the keys that may sign releases, one a line: name+hash+key
END
}

say() { printf '%s\n' "$*"; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

usage() {
  printf 'error: %s. `sh install.sh --help` shows what is.\n' "$*" >&2
  exit 2
}

clean() {
  # An exchange that came to nothing: what was there before is there again.
  if [ -n "$former" ]; then
    if [ -e "$former" ]; then
      rm -rf "$library/$version"
      mv "$former" "$library/$version" || { printf 'error: %s\n' "what was in $library/$version lies in $former now." >&2 && return; }
    fi
    if [ "$(readlink "$library/current")" = "${new#"$library/"}" ]; then link "$version" "$library/current"; fi
  fi
  rm -rf "$staging"
  # What was made for this and holds nothing yet goes again.
  case $made in *"$library
"*) rm -f "$library/.lock" ;; esac
  printf '%s' "$made" | while IFS= read -r directory; do rmdir "$directory" 2>/dev/null || true; done
}

# One at a time, `dbx upgrade` included, which holds the same lock. Where there is no `flock` (macOS), whoever is second goes on.
lock() {
  locked=
  command -v flock >/dev/null 2>&1 || return 0
  touch "$library/.lock" 2>/dev/null || fail "$library cannot be written to."
  exec 9>>"$library/.lock"
  flock -w 30 9 || fail "another installation or upgrade in $library is under way."
  locked=yes
}

# Sets $rid: what this machine is, as releases name it.
platform() {
  system=$(uname -s) machine=$(uname -m)
  case $system in
    Linux) rid=linux ;;
    Darwin) rid=osx ;;
    *) fail "there are no programs for $system; a checkout may run there." ;;
  esac
  # Alpine and others have another C library.
  if [ "$rid" = linux ] && ldd --version 2>&1 | grep -qi musl; then rid=linux-musl; fi
  case $machine in
    x86_64 | amd64) rid=$rid-x64 ;;
    aarch64 | arm64) rid=$rid-arm64 ;;
    *) fail "there are no programs for $machine processors; a checkout may run there." ;;
  esac
}

# A program of that name that somebody else put there is left alone.
ours() {
  at=$prefix/bin/$1
  if [ -L "$at" ]; then
    case $(readlink "$at") in
      ../lib/eventdbx/current/*) return ;;
    esac
  elif ! [ -e "$at" ]; then
    return
  fi
  fail "$at is there already and was not put there by this script. Move it away, or choose another place with \`--prefix\`."
}

# Sets $only: the schemes that may be asked from there on.
asked() {
  case $1 in
    https://*) only='=https' ;;
    http://127.0.0.1[:/]* | http://localhost[:/]* | "http://[::1]"[:/]*) only='=http,https' ;;
    *) fail "$1 is not asked: only https is, because what comes over http can be changed on the way." ;;
  esac
}

# fetch URL FILE BYTES: never in clear text from another machine, never more than so many bytes.
fetch() {
  asked "$1"
  if command -v curl >/dev/null 2>&1; then
    curl -fsSL --proto "$only" --proto-redir "$only" --retry 2 --connect-timeout 20 --max-time 900 --max-filesize "$3" -o "$2" "$1" 2>"$staging/.said" ||
      fail "$1 did not answer as it should: $(tail -n 1 "$staging/.said")"
  elif command -v wget >/dev/null 2>&1; then
    fetch_by_wget "$@"
  else
    fail "there is neither \`curl\` nor \`wget\` here, one of which is needed."
  fi
  [ "$(wc -c <"$2")" -le "$3" ] || fail "$1 is larger than $3 bytes, which nothing of a release is."
}

# The same with wget, which goes wherever it is sent and takes whatever comes: here it does neither.
fetch_by_wget() {
  next=$1
  for redirect in 1 2 3 4 5 6; do
    asked "$next"
    rm -f "$staging/.failed"
    { LC_ALL=C wget --server-response --max-redirect=0 --tries=3 --timeout=60 -O - "$next" 2>"$staging/.said" || : >"$staging/.failed"; } | head -c "$(($3 + 1))" >"$2"
    # What is too large ends it as well; that is said by who asked.
    if ! [ -e "$staging/.failed" ] || [ "$(wc -c <"$2")" -gt "$3" ]; then return 0; fi
    sent=$(sed -n 's/^ *[Ll]ocation: *\([^ ]*\).*/\1/p' "$staging/.said" | tr -d '\r' | tail -n 1)
    case $sent in
      *://*) next=$sent ;;
      /*) next=$(printf '%s\n' "$next" | sed 's|^\([a-z]*://[^/]*\).*|\1|')$sent ;;
      *) fail "$1 did not answer as it should: $(tail -n 1 "$staging/.said")" ;;
    esac
  done
  fail "$1 sends on and on."
}

# Sets $version without its v, and $urls: where its files are.
find_release() {
  if [ "$version" = latest ]; then at=$releases/latest; else at=$releases/tags/$version; fi
  fetch "$at" "$staging/release.json" 4194304
  tr ',{}' '\n\n\n' <"$staging/release.json" >"$staging/members"
  found=$(sed -n 's/^[[:space:]]*"tag_name"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' "$staging/members" | head -n 1)
  [ "$version" = latest ] || [ "$found" = "$version" ] || fail "$at is about \`$found\`, not $version."
  # Whoever publishes a candidate can mark it wrongly, and everybody would take it.
  if [ "$version" = latest ] && case $found in *-*) ;; *) grep -Eq '^[[:space:]]*"(prerelease|draft)"[[:space:]]*:[[:space:]]*true' "$staging/members" ;; esac; then
    fail "the newest release is said to be $found, which is a candidate or a draft; \`--version ${found#v}\` installs it all the same."
  fi
  asked_for=$version version=${found#v}
  case $version in
    *[!0-9A-Za-z.+-]* | '' | .*) fail "$at names no version that could be installed: \`$found\`." ;;
  esac
  # An older program may not read what a newer one has written.
  installed=$(readlink "$library/current" || :)
  if [ "$asked_for" = latest ] && older "$version" "$installed"; then
    fail "the newest release is said to be $version, and $installed is installed, which is newer; \`--version $version\` installs it all the same."
  fi
  urls=$(sed -n 's/^[[:space:]]*"browser_download_url"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' "$staging/members")
  name=eventdbx-$version-$rid
}

# Whether one version comes before another, by its numbers; what has none (nothing, a folder of a run that was killed) comes before everything.
older() {
  printf '%s\n%s\n' "$1" "$2" | awk -F'[.+-]' '
    { for (at = 1; at <= 3; at++) number[NR, at] = $at ~ /^[0-9]+$/ ? $at + 0 : -1 }
    END { for (at = 1; at <= 3; at++) if (number[1, at] != number[2, at]) exit !(number[1, at] < number[2, at]); exit 1 }'
}

# Prints where a file of the release is; fails where it has none of that name.
url_of() { printf '%s\n' "$urls" | awk -v name="$1" -F/ '$NF == name && !seen { print; seen = 1 } END { exit !seen }'; }

download() {
  archive_url=$(url_of "$name.tar.gz") ||
    fail "release $version has no programs for $rid. It has: $(printf '%s\n' "$urls" | sed -n 's/.*\/\(eventdbx-.*\.tar\.gz\)$/\1/p' | tr '\n' ' ')"
  sums_url=$(url_of SHA256SUMS) || fail "release $version has no SHA256SUMS, so that what is downloaded could not be checked."
  say "downloading EventDBX $version for ${rid}…"
  fetch "$sums_url" "$staging/SHA256SUMS" 1048576
  fetch "$archive_url" "$staging/$name.tar.gz" 536870912
}

verify() {
  [ "$(head -n 1 "$staging/SHA256SUMS")" = "eventdbx v$version" ] || fail "the checksums are not those of release $version: they begin with \`$(head -n 1 "$staging/SHA256SUMS")\`."
  if [ -n "${EVENTDBX_RELEASE_KEYS:-}" ]; then
    signature
  else
    say "No release key is known (EVENTDBX_RELEASE_KEYS): the checksums are believed, because $releases says so."
  fi
  wanted=$(awk -v name="$name.tar.gz" 'NF == 2 && ($2 == name || $2 == "*" name) { print $1 }' "$staging/SHA256SUMS")
  case $wanted in
    *[!0-9a-f]* | '') fail "SHA256SUMS of release $version has no checksum of $name.tar.gz, or more than one." ;;
  esac
  if command -v sha256sum >/dev/null 2>&1; then actual=$(sha256sum <"$staging/$name.tar.gz")
  elif command -v shasum >/dev/null 2>&1; then actual=$(shasum -a 256 <"$staging/$name.tar.gz")
  elif command -v openssl >/dev/null 2>&1; then actual=$(openssl dgst -sha256 -r <"$staging/$name.tar.gz")
  else fail "there is no \`sha256sum\`, \`shasum\` or \`openssl\` here, one of which is needed to check what was downloaded."; fi
  actual=${actual%% *}
  [ "$actual" = "$wanted" ] || fail "$archive_url is not what the release says it is. Its SHA-256 is $actual, not $wanted. Nothing was installed."
}

# The checksums as a signed note (C2SP): the text, an empty line, and lines "— NAME BASE64", which is 4 bytes of the key's hash and the signature.
signature() {
  [ -r "$EVENTDBX_RELEASE_KEYS" ] || fail "EVENTDBX_RELEASE_KEYS names $EVENTDBX_RELEASE_KEYS, which cannot be read."
  command -v openssl >/dev/null 2>&1 || fail "there is no \`openssl\` here, which is needed to check the signature."
  # That of macOS is another one: a good signature would look like a forged one.
  openssl pkeyutl -help 2>&1 | grep -q -e -rawin || fail "this \`openssl\` ($(openssl version)) cannot check an Ed25519 signature; OpenSSL 3 can."
  note_url=$(url_of SHA256SUMS.note) || fail "release $version is not signed: it has no SHA256SUMS.note."
  fetch "$note_url" "$staging/note" 1048576
  sed '/^$/,$d' "$staging/note" >"$staging/signed"
  cmp -s "$staging/signed" "$staging/SHA256SUMS" || fail "SHA256SUMS.note of release $version has signed another text than SHA256SUMS."
  while IFS= read -r vkey || [ -n "$vkey" ]; do
    # name+hash+base64 of a byte 1 and the 32 bytes of an Ed25519 key.
    case $vkey in *+????????+*) ;; *) continue ;; esac
    key_name=${vkey%%+*}
    base64_key=${vkey#*+*+}
    key_id=${vkey#*+}
    key_id=${key_id%%+*}
    # By its number, too: a key that was replaced has the name of its successor.
    said=
    for line in $(sed '1,/^$/d' "$staging/note" | awk -v name="$key_name" '$1 == "—" && $2 == name && NF == 3 { print $3 }'); do
      if [ "$(printf '%s' "$line" | openssl base64 -d -A | head -c 4 | od -An -tx1 | tr -d ' \n')" = "$key_id" ]; then said=$line; fi
    done
    [ -n "$said" ] || continue
    {
      printf '\060\052\060\005\006\003\053\145\160\003\041\000'
      printf '%s' "$base64_key" | openssl base64 -d -A | tail -c 32
    } >"$staging/key.der"
    printf '%s' "$said" | openssl base64 -d -A | tail -c 64 >"$staging/signature"
    if openssl pkeyutl -verify -pubin -keyform DER -inkey "$staging/key.der" -rawin -in "$staging/SHA256SUMS" -sigfile "$staging/signature" >/dev/null 2>&1; then
      say "signed by $key_name"
      return
    fi
    fail "the signature of $key_name on release $version is not good."
  done <"$EVENTDBX_RELEASE_KEYS"
  fail "release $version is signed by none of the keys in $EVENTDBX_RELEASE_KEYS."
}

unpack() {
  mkdir "$staging/tree"
  # Files and directories below one name, and nothing else.
  gzip -dc "$staging/$name.tar.gz" 2>/dev/null | tar -tvf - >"$staging/list" 2>"$staging/.said" || fail "$name.tar.gz cannot be read."
  gzip -dc "$staging/$name.tar.gz" | tar -tf - >"$staging/names" 2>"$staging/.said"
  if grep -qv '^[-d]' "$staging/list" || grep -v "^$name/" "$staging/names" | grep -qvx "$name" || grep -q '\(^\|/\)\.\.\(/\|$\)' "$staging/names"; then
    fail "$name.tar.gz holds something that is no file below $name."
  fi
  gzip -dc "$staging/$name.tar.gz" | (cd "$staging/tree" && tar -xof -) || fail "$name.tar.gz cannot be unpacked."
  new=$staging/tree/$name
  says=$("$new/dbx" --version 2>&1 </dev/null) || fail "the new program does not run here: $says"
  [ "$says" = "eventdbx $version" ] || fail "the new program says that it is \`$says\`, not $version."
}

place() {
  # From here to the end nothing is left in half.
  trap '' HUP INT TERM
  # A folder of this version that is as it should be stays.
  if ! [ -e "$library/$version" ]; then
    mv "$new" "$library/$version"
  elif ! diff -r "$library/$version" "$new" >/dev/null 2>&1; then
    # A damaged one is replaced. Where it is the one that is meant, the new one is meant until it has its name: killed anywhere, `dbx` is whole,
    # and so is whatever has the name of a version.
    cp -Rp "$new" "$staging/copy" || fail "$library/$version cannot be replaced. It stays as it was."
    if [ "$(readlink "$library/current")" = "$version" ]; then link "${new#"$library/"}" "$library/current"; fi
    former=$staging/former
    mv "$library/$version" "$former" && mv "$staging/copy" "$library/$version" || fail "$library/$version cannot be replaced. It stays as it was."
  fi
  link "$version" "$library/current"
  former=
  # What a run that was killed has left, now that nothing leads there.
  for left in "$library"/.install.*; do
    if [ -n "$locked" ] && [ "$left" != "$staging" ]; then rm -rf "$left"; fi
  done
  for program in dbx dbx-verify; do
    if [ -e "$library/$version/$program" ]; then link "../lib/eventdbx/current/$program" "$prefix/bin/$program"; fi
  done
  # Where shells and `man` look; what somebody else has put there stays.
  extra bash-completion/completions/dbx completions/dbx.bash
  extra zsh/site-functions/_dbx completions/_dbx
  extra fish/vendor_completions.d/dbx.fish completions/dbx.fish
  extra man/man1/dbx.1 man/dbx.1
  made=
  say "EventDBX $version is installed: $prefix/bin/dbx"
  case :$PATH: in
    *:"$prefix/bin":*) ;;
    *) say "$prefix/bin is not in your PATH. This line in the profile of your shell puts it there: export PATH=\"$prefix/bin:\$PATH\"" ;;
  esac
}

# extra AT FILE: a link below PREFIX/share to a file of the folder. What is installed by now works without.
extra() {
  at=$prefix/share/$1
  [ -e "$library/$version/$2" ] || return 0
  if [ -L "$at" ]; then
    case $(readlink "$at") in "$library"/*) ;; *) return 0 ;; esac
  elif [ -e "$at" ]; then
    return 0
  fi
  { mkdir -p "${at%/*}" && link "$library/current/$2" "$at"; } 2>/dev/null || say "$at cannot be made; what it is for does without."
}

# link TO AT: a link is there at every moment, the old one or the new one.
link() {
  ln -s "$1" "$staging/link"
  # Without the option the link would be moved into the directory that the old one leads to.
  mv -fT "$staging/link" "$2" 2>/dev/null || mv -fh "$staging/link" "$2" 2>/dev/null || { rm -f "$staging/link" && ln -sfn "$1" "$2"; }
}

main "$@"
