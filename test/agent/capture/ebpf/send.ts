// Sends a datagram in each direction every millisecond, each time on a new connection, until it is killed.
//   node send.ts LINKS
import { exchange } from './node-link.ts';

const links = JSON.parse(process.argv[2]!) as { host: number; pod: number };
let port = 10_000;
setInterval(() => exchange(links, port++), 1);
process.stdout.write('sending');
