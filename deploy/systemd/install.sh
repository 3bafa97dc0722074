#!/bin/sh
# tapewatch on this host as systemd services. Run as root, again whenever there is a new version:
#
#   deploy/systemd/install.sh CHECKOUT|WHEEL UNIT…
#   deploy/systemd/install.sh . tapewatch-setup tapewatch-producer@upbit tapewatch-producer@binance \
#       tapewatch-consumer@redis tapewatch-consumer@postgres tapewatch-alert-worker tapewatch-watchdog
#
# It makes a virtual environment in /opt/tapewatch with what these units need, a user without rights, the units, and the
# command `tapewatch`; settings go to /etc/tapewatch (see tapewatch.env.example there). Nothing is started: the last
# lines it prints say how that is done.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "install.sh: must run as root: sudo $0 $*" >&2; exit 2; }
program=$(realpath -m "$1")
shift
[ -f "$program" ] || [ -f "$program/pyproject.toml" ] || {
  echo "install.sh: $program is neither a wheel nor a checkout of tapewatch" >&2
  exit 2
}
[ -x /opt/tapewatch/bin/pip ] || python3 -c "import ensurepip" 2>/dev/null || {
  echo "install.sh: there is no Python with venv here: apt-get install python3-venv" >&2
  exit 2
}

extras=
want() { case ,$extras, in *,$1,*) ;; *) extras=${extras:+$extras,}$1 ;; esac; }
for unit in "$@"; do
  case $unit in
    tapewatch-producer@*) want producer ;;
    tapewatch-consumer@*) want consumer ;;
    tapewatch-setup) want migrate ;;
    tapewatch-alert-worker) want alert-worker ;;
    tapewatch-watchdog | tapewatch-deadman) want watchdog ;;
    *) echo "install.sh: no unit is called $unit: there are $(cd "$here" && echo tapewatch-*.service)" >&2; exit 2 ;;
  esac
done

echo "== /opt/tapewatch: the program with $extras"
pip_install() { /opt/tapewatch/bin/pip --quiet --disable-pip-version-check install "$@"; }
[ -x /opt/tapewatch/bin/pip ] || python3 -m venv /opt/tapewatch
pip_install --upgrade "$program[$extras]"
# pip leaves alone what has the same version, and a newer checkout may have it.
pip_install --force-reinstall --no-deps "$program"
chmod -R go+rX /opt/tapewatch

echo "== the user tapewatch, /etc/tapewatch"
install -D -m 644 "$here/tapewatch.sysusers" /usr/lib/sysusers.d/tapewatch.conf
install -D -m 644 "$here/tapewatch.tmpfiles" /usr/lib/tmpfiles.d/tapewatch.conf
systemd-sysusers tapewatch.conf
systemd-tmpfiles --create tapewatch.conf
install -m 755 "$here/tapewatch.sh" /usr/local/bin/tapewatch
install -m 644 "$here/tapewatch.env.example" /etc/tapewatch/tapewatch.env.example
install -m 644 "$here/../rules.example.toml" /etc/tapewatch/rules.example.toml
[ -e /etc/tapewatch/tapewatch.env ] || install -m 644 "$here/tapewatch.env.example" /etc/tapewatch/tapewatch.env

echo "== units: $*"
install -m 644 "$here"/tapewatch*.service "$here/tapewatch.target" /etc/systemd/system/
(cd "$here" && for file in tapewatch*.service.d/*; do install -D -m 644 "$file" "/etc/systemd/system/$file"; done)
systemctl daemon-reload
systemctl enable --quiet tapewatch.target "$@"
cat <<'NEXT'
Next: edit /etc/tapewatch/tapewatch.env, put the secrets into /etc/tapewatch/credentials (the head of that file lists them), then
  systemctl start tapewatch-setup                        # where it is installed: topics and tables
  systemctl start tapewatch.target tapewatch-watchdog    # or, after an upgrade, restart the services one after another
  tapewatch doctor
docs/OPERATING.md has each step.
NEXT
