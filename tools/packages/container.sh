# Sourced by tools/package.sh: a container image, as an OCI archive that `docker load`, `podman load` and `skopeo copy oci-archive:…` take.
#
# It is put together here, without an engine and without a base image from elsewhere: the programs, the libraries that they are linked
# with or load, the certificates of public authorities, and a user. There is no shell in it, and nothing to update but this image.

container_user=10001

package_container() {
  need ldconfig
  need dpkg-query
  native_folder
  local image=$work/image layout=$work/image/layout
  rm -rf "$image"
  mkdir -p "$layout/blobs/sha256"

  system_files "$image/system"
  program_files "$image/program"
  mkdir -p -m 700 "$image/data/data"
  mkdir -p -m 1777 "$image/data/tmp"
  chmod 1777 "$image/data/tmp"
  layers=() diffs=()
  add_layer "$layout" < <(tar_of 0 "$image/system" .)
  add_layer "$layout" < <(tar_of 0 "$image/program" .)
  add_layer "$layout" < <(tar_of "$container_user" "$image/data" data)
  add_layer "$layout" < <(tar_of 0 "$image/data" tmp)

  local config manifest architecture=${rid##*-}
  [ "$architecture" != x64 ] || architecture=amd64
  config=$(add_blob "$layout" < <(image_config "$architecture"))
  manifest=$(add_blob "$layout" < <(image_manifest "$layout" "$config"))
  printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%d,"platform":{"architecture":"%s","os":"linux"},"annotations":{"org.opencontainers.image.ref.name":"%s","io.containerd.image.name":"localhost/eventdbx:%s"}}]}' \
    "$manifest" "$(size_of "$layout/blobs/sha256/$manifest")" "$architecture" "$version" "$version" >"$layout/index.json"
  # The same for engines that read their own list only. A name without a host would be that of somebody else's image.
  printf '[{"Config":"blobs/sha256/%s","RepoTags":["localhost/eventdbx:%s"],"Layers":[%s]}]' \
    "$config" "$version" "$(joined "${layers[@]/#/blobs/sha256/}")" >"$layout/manifest.json"
  tar_of 0 "$layout" blobs index.json manifest.json oci-layout >"$out/$name.oci.tar"
}

program_files() {
  mkdir -p "$1"/usr/{bin,lib/eventdbx,share/doc/eventdbx}
  install -m 755 "$out/$name"/dbx "$out/$name"/dbx-verify "$1/usr/lib/eventdbx"
  install -m 644 "$out/$name"/lib* "$1/usr/lib/eventdbx"
  install -m 644 "$out/$name"/LICENSE "$out/$name"/NOTICES "$1/usr/share/doc/eventdbx"
  ln -s ../lib/eventdbx/dbx "$1/usr/bin/dbx"
  ln -s ../lib/eventdbx/dbx-verify "$1/usr/bin/dbx-verify"
}

# What a Debian system would bring: exactly the libraries that are needed, each with its licence.
system_files() {
  local target=$1 library package multiarch
  multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
  mkdir -p "$target"/usr/lib/"$multiarch" "$target"/usr/lib64 "$target"/etc/ssl/certs "$target"/usr/lib/ssl
  ln -s usr/lib "$target/lib"
  ln -s usr/lib64 "$target/lib64"
  for library in $(libraries_needed); do
    case $library in
      */ld-linux*) install -m 755 "$(realpath "$library")" "$target/usr/lib/$multiarch/${library##*/}" && ln -sf "../lib/$multiarch/${library##*/}" "$target/usr/lib64/${library##*/}" ;;
      *) install -m 644 "$(realpath "$library")" "$target/usr/lib/$multiarch/${library##*/}" ;;
    esac
    package=$(package_of "$library") || fail "no package of this system says that $library is its own."
    mkdir -p "$target/usr/share/doc/$package"
    cp "/usr/share/doc/$package/copyright" "$target/usr/share/doc/$package/copyright"
  done
  [ -e /etc/ssl/certs/ca-certificates.crt ] || fail "there are no certificates of public authorities: apt-get install ca-certificates."
  install -m 644 /etc/ssl/certs/ca-certificates.crt "$target/etc/ssl/certs/ca-certificates.crt"
  ln -s certs/ca-certificates.crt "$target/etc/ssl/cert.pem"
  ln -s /etc/ssl/certs "$target/usr/lib/ssl/certs"
  ln -s /etc/ssl/cert.pem "$target/usr/lib/ssl/cert.pem"
  printf 'root:x:0:0:root:/:/usr/sbin/nologin\neventdbx:x:%s:%s:EventDBX:/data:/usr/sbin/nologin\n' "$container_user" "$container_user" >"$target/etc/passwd"
  printf 'root:x:0:\neventdbx:x:%s:\n' "$container_user" >"$target/etc/group"
  printf 'hosts: files dns\n' >"$target/etc/nsswitch.conf"
  printf 'NAME="EventDBX"\nID=eventdbx\nVERSION_ID="%s"\n' "$version" >"$target/etc/os-release"
  chmod -R u=rwX,go=rX "$target"
}

# Those that the programs are linked with, and OpenSSL, which .NET loads when it is first used; with theirs, each once.
libraries_needed() {
  local loaded
  loaded=$(ldconfig -p | awk '$1 == "libssl.so.3" || $1 == "libcrypto.so.3" { print $NF }' | sort -u)
  [ "$(echo "$loaded" | wc -l)" -eq 2 ] || fail "this system has no OpenSSL 3, or two: $loaded"
  {
    echo "$loaded"
    ldd "$out/$name"/dbx "$out/$name"/dbx-verify "$out/$name"/lib*.so $loaded | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }'
  } | awk -F/ '!seen[$NF]++' | LC_ALL=C sort
}

# Older files are known by the name that they had before /lib became a link.
package_of() {
  local path real
  real=$(realpath "$1")
  for path in "$1" "$real" "${real#/usr}"; do
    if dpkg-query -S "$path" 2>/dev/null | head -n 1 | cut -d: -f1 | grep .; then return; fi
  done
  return 1
}

# Takes a tar from standard input: its own name is that of what it unpacks to.
add_layer() {
  local layout=$1 plain=$1/layer.tar
  cat >"$plain"
  diffs+=("sha256:$(sha256sum <"$plain" | cut -d' ' -f1)")
  layers+=("$(add_blob "$layout" < <(gzip -n9c "$plain"))")
  rm "$plain"
}

# Keeps standard input under its hash, and prints that.
add_blob() {
  local digest
  cat >"$1/blob"
  digest=$(sha256sum <"$1/blob" | cut -d' ' -f1)
  mv "$1/blob" "$1/blobs/sha256/$digest"
  echo "$digest"
}

image_config() {
  local created
  created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
  printf '{"created":"%s","architecture":"%s","os":"linux","config":{"User":"%s:%s","ExposedPorts":{"7070/tcp":{},"6363/tcp":{}},"Env":["PATH=/usr/bin","HOME=/data","DOTNET_RUNNING_IN_CONTAINER=true"],"Entrypoint":["/usr/bin/dbx"],"Cmd":["start","--foreground"],"Volumes":{"/data":{}},"WorkingDir":"/data","StopSignal":"SIGTERM","Labels":{"org.opencontainers.image.title":"EventDBX","org.opencontainers.image.description":"An event-sourced, key-value, write-side database","org.opencontainers.image.version":"%s","org.opencontainers.image.licenses":"MIT","org.opencontainers.image.source":"https://github.com/eventdbx/eventdbx-dotnet"}},"rootfs":{"type":"layers","diff_ids":[%s]}}' \
    "$created" "$1" "$container_user" "$container_user" "$version" "$(joined "${diffs[@]}")"
}

image_manifest() {
  local layout=$1 config=$2 digest list=()
  for digest in "${layers[@]}"; do
    list+=("$(printf '{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%d}' "$digest" "$(size_of "$layout/blobs/sha256/$digest")")")
  done
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%d},"layers":[%s]}' \
    "$config" "$(size_of "$layout/blobs/sha256/$config")" "$(IFS=,; echo "${list[*]}")"
}

size_of() { stat -c %s "$1"; }

# "a","b"
joined() {
  local quoted=()
  for one in "$@"; do quoted+=("\"$one\""); done
  (IFS=,; echo "${quoted[*]}")
}
