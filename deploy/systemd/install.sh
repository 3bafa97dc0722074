#!/bin/sh
# tapewatch on this host as systemd services. Run as root, again whenever there is a new version:
#
#   deploy/systemd/install.sh WHEEL UNIT…
#   deploy/systemd/install.sh dist/tapewatch-1.0-py3-none-any.whl tapewatch-setup tapewatch-producer@upbit \
#       tapewatch-producer@binance tapewatch-consumer@redis tapewatch-consumer@postgres tapewatch-alert-worker tapewatch-watchdog
#
# It makes a virtual environment in /opt/tapewatch with what these units need, a user without rights, and the units;
# settings go to /etc/tapewatch (see tapewatch.env.example there). Nothing is started: that is the last line it prints.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "install.sh: must run as root: sudo $0 $*" >&2; exit 2; }
wheel=$1
shift
[ -f "$wheel" ] || { echo "install.sh: there is no file $wheel: build one with \`python3 -m build --wheel\`" >&2; exit 2; }

extras=
for unit in "$@"; do
  case $unit in
    tapewatch-producer@*) extras=$extras,producer ;;
    tapewatch-consumer@*) extras=$extras,consumer ;;
    tapewatch-setup) extras=$extras,migrate ;;
    tapewatch-alert-worker) extras=$extras,alert-worker ;;
    tapewatch-watchdog) extras=$extras,watchdog ;;
    *) echo "install.sh: no unit is called $unit: there are $(cd "$here" && echo tapewatch-*.service)" >&2; exit 2 ;;
  esac
done

echo "== /opt/tapewatch: the program with ${extras#,}"
[ -x /opt/tapewatch/bin/python ] || python3 -m venv /opt/tapewatch
/opt/tapewatch/bin/pip --quiet --disable-pip-version-check install --upgrade "$wheel[${extras#,}]"
chmod -R go+rX /opt/tapewatch

echo "== the user tapewatch, /etc/tapewatch"
install -D -m 644 "$here/tapewatch.sysusers" /usr/lib/sysusers.d/tapewatch.conf
install -D -m 644 "$here/tapewatch.tmpfiles" /usr/lib/tmpfiles.d/tapewatch.conf
systemd-sysusers tapewatch.conf
systemd-tmpfiles --create tapewatch.conf
install -m 644 "$here/tapewatch.env.example" /etc/tapewatch/tapewatch.env.example
install -m 644 "$here/../rules.example.toml" /etc/tapewatch/rules.example.toml
[ -e /etc/tapewatch/tapewatch.env ] || install -m 644 "$here/tapewatch.env.example" /etc/tapewatch/tapewatch.env

echo "== units: $*"
install -m 644 "$here"/tapewatch*.service "$here/tapewatch.target" /etc/systemd/system/
systemctl daemon-reload
systemctl enable --quiet tapewatch.target "$@"
echo "Edit /etc/tapewatch/tapewatch.env, put the secrets into /etc/tapewatch/credentials, then: systemctl start tapewatch.target tapewatch-watchdog"
