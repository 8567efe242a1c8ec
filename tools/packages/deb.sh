# Sourced by tools/package.sh: the Debian package.

package_deb() {
  need dpkg-deb
  need dpkg-shlibdeps
  native_folder
  local tree=$work/deb architecture debian
  architecture=$(dpkg --print-architecture)
  # 2.1.0-rc.1 comes before 2.1.0; a hyphen would be the beginning of Debian's own part.
  debian=${version/-/\~}
  rm -rf "$tree"
  mkdir -p "$tree"/DEBIAN "$tree"/usr/{bin,sbin,lib/eventdbx,lib/systemd/system,share/doc/eventdbx,share/man/man1} "$tree"/etc/default
  mkdir -p "$tree"/usr/share/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
  chmod -R u=rwX,go=rX "$tree"

  install -m 755 "$out/$name"/dbx "$out/$name"/dbx-verify "$tree/usr/lib/eventdbx"
  install -m 644 "$out/$name"/lib* "$tree/usr/lib/eventdbx"
  ln -s ../lib/eventdbx/dbx "$tree/usr/bin/dbx"
  ln -s ../lib/eventdbx/dbx-verify "$tree/usr/bin/dbx-verify"
  install -m 755 deploy/debian/dbx-service "$tree/usr/sbin/dbx-service"
  install -m 644 deploy/systemd/eventdbx.service "$tree/usr/lib/systemd/system"
  install -m 644 deploy/debian/eventdbx.default "$tree/etc/default/eventdbx"
  {
    cat LICENSE
    printf '\n'
    notices
  } >"$tree/usr/share/doc/eventdbx/copyright"
  install -m 644 "$out/$name/completions/dbx.bash" "$tree/usr/share/bash-completion/completions/dbx"
  install -m 644 "$out/$name/completions/_dbx" "$tree/usr/share/zsh/vendor-completions/_dbx"
  install -m 644 "$out/$name/completions/dbx.fish" "$tree/usr/share/fish/vendor_completions.d/dbx.fish"
  gzip -n9c "$out/$name/man/dbx.1" >"$tree/usr/share/man/man1/dbx.1.gz"
  gzip -n9c CHANGELOG.md >"$tree/usr/share/doc/eventdbx/changelog.gz"
  chmod 644 "$tree"/usr/share/doc/eventdbx/* "$tree"/usr/share/man/man1/*

  install -m 755 deploy/debian/{postinst,prerm,postrm} "$tree/DEBIAN"
  echo /etc/default/eventdbx >"$tree/DEBIAN/conffiles"
  (cd "$tree" && find usr etc -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
  sed -e "s/@VERSION@/$debian/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@DEPENDS@/$(libraries_of "$tree")/" \
    -e "s/@SIZE@/$(du -sk --apparent-size "$tree" | cut -f1)/" deploy/debian/control >"$tree/DEBIAN/control"
  chmod 644 "$tree"/DEBIAN/{conffiles,control,md5sums}
  dpkg-deb --root-owner-group -Zxz --build "$tree" "$out/eventdbx_${debian}_$architecture.deb" >/dev/null
}

# The packages whose libraries the programs are linked with, as Debian names them: "libc6 (>= 2.35), libgcc-s1 (>= 3.0)".
libraries_of() {
  local scratch=$work/shlibdeps
  rm -rf "$scratch"
  mkdir -p "$scratch/debian"
  printf 'Source: eventdbx\n\nPackage: eventdbx\nArchitecture: any\n' >"$scratch/debian/control"
  (cd "$scratch" && dpkg-shlibdeps -O --ignore-missing-info -l"$1/usr/lib/eventdbx" "$1"/usr/lib/eventdbx/* 2>"$scratch/log") |
    sed -n 's/^shlibs:Depends=//p'
  [ ! -s "$scratch/log" ] || cat "$scratch/log" >&2
}
