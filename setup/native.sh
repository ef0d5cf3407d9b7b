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
