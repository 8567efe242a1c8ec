# Sourced by tools/package.sh: the folder with the native programs, and its archive.

package_native() {
  local folder=$out/$name suffix=
  case $rid in win-*) suffix=.exe ;; esac
  rm -rf "$folder" "$out/$name.tar.gz" "$work/dbx" "$work/dbx-verify"
  VERSION=$version RUNTIME=$rid ARTIFACTS=$work tools/publish-aot.sh "$work/dbx"
  PROJECT=src/EventDbx.Verifier VERSION=$version RUNTIME=$rid ARTIFACTS=$work tools/publish-aot.sh "$work/dbx-verify"
  mkdir -p "$folder"
  install -m 755 "$work/dbx/dbx$suffix" "$work/dbx-verify/dbx-verify$suffix" "$folder"
  install -m 644 "$work"/dbx/*rocksdb.* "$work"/dbx/libsodium.* "$folder"
  # What debuggers ask for and nobody else.
  case $rid in linux-*) strip --strip-unneeded "$folder"/lib* ;; esac
  [ "$("$folder/dbx$suffix" --version)" = "eventdbx $version" ] || fail "the new program says that it is $("$folder/dbx$suffix" --version), not $version."
  mkdir "$folder/completions" "$folder/man"
  "$folder/dbx$suffix" completion bash >"$folder/completions/dbx.bash"
  "$folder/dbx$suffix" completion zsh >"$folder/completions/_dbx"
  "$folder/dbx$suffix" completion fish >"$folder/completions/dbx.fish"
  "$folder/dbx$suffix" completion powershell >"$folder/completions/dbx.ps1"
  "$folder/dbx$suffix" man >"$folder/man/dbx.1"
  install -m 644 LICENSE "$folder"
  notices >"$folder/NOTICES"
  tar_of 0 "$out" "$name" | gzip -n9 >"$out/$name.tar.gz"
}
