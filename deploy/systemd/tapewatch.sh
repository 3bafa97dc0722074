#!/bin/sh
# /usr/local/bin/tapewatch: the command with the settings of this machine and, for root, its secrets; for the stores the
# logins that only read. What the caller has set goes before all of it.
etc=/etc/tapewatch
given=$(export -p)

# Read as systemd reads it, but for escapes and lines that go on in the next: no word of it is run.
if [ -r $etc/tapewatch.env ]; then
  while read -r line || [ -n "$line" ]; do
    name=${line%%=*} value=${line#*=}
    case $name in "$line" | "" | [0-9]* | *[!A-Za-z0-9_]*) continue ;; esac
    case $value in \"*\" | \'*\') value=${value#?} value=${value%?} ;; esac
    export "$name=$value"
  done < $etc/tapewatch.env
fi

# A file goes before a variable, so none is named where the caller has set either.
secret() {
  case $given in *"TAPEWATCH_$1="* | *"TAPEWATCH_$1_FILE="*) return ;; esac
  [ ! -r "$etc/credentials/$2" ] || export "TAPEWATCH_$1_FILE=$etc/credentials/$2"
}
[ ! -e $etc/credentials ] || [ -x $etc/credentials ] || echo "tapewatch: without this machine's secrets, which root alone may read" >&2
secret POSTGRES__DSN reader/dsn
secret REDIS__URL reader/url
secret KAFKA__SASL_PASSWORD kafka/sasl_password
secret SLACK__BOT_TOKEN slack/bot_token
secret SLACK__WEBHOOK_URL slack/webhook_url
secret WEBHOOK__URL webhook/url
secret WEBHOOK__SECRET webhook/secret
secret WATCHDOG__WEBHOOK_URL watchdog/webhook_url
secret WATCHDOG__HEARTBEAT_URL watchdog/heartbeat_url

eval "$given"
exec /opt/tapewatch/bin/tapewatch "$@"
