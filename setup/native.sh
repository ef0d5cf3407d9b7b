#!/bin/sh
# npm packages for the Node that package.json pins, and pcap's native part built by that Node, for it, from its headers.
set -eu
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
npm_config_nodedir=$(dirname "$(dirname "$(readlink -f node_modules/.bin/node)")")
export npm_config_nodedir
npm rebuild pcap --loglevel=error
node -e "require('pcap')"
npx --no-install tap build
# `npx waybill` in this folder: without it npx makes a link of its own, and starts it with whichever Node there is.
cat > node_modules/.bin/waybill <<'waybill'
#!/bin/sh
bin=$(dirname "$(readlink -f "$0")")
exec "$bin/node" "$bin/../../cli/waybill.ts" "$@"
waybill
chmod +x node_modules/.bin/waybill
