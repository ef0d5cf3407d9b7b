#!/bin/sh
# npm packages for the Node that package.json pins, and pcap's native part built for that Node.
set -eu
npm ci --no-audit --no-fund --loglevel=error
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
headers=$(dirname "$(dirname "$(readlink -f node_modules/.bin/node)")")
export npm_config_nodedir="$headers"
npm rebuild pcap --loglevel=error
node -e "require('pcap')"
npx --no-install tap build
