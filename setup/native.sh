#!/bin/sh
# Installs the npm packages, and builds the native part of pcap for the Node version that package.json pins.
set -eu
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
npm_config_nodedir=$(dirname "$(dirname "$(readlink -f node_modules/.bin/node)")")
export npm_config_nodedir
npm rebuild pcap --loglevel=error
node -e "require('pcap')"
npx --no-install tap build
# For `npx waybill` in this folder. Without this script, npx runs waybill with the Node of the system.
cat > node_modules/.bin/waybill <<'waybill'
#!/bin/sh
bin=$(dirname "$(readlink -f "$0")")
exec "$bin/node" "$bin/../../cli/waybill.ts" "$@"
waybill
chmod +x node_modules/.bin/waybill
