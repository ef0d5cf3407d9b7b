// Sends a datagram each way every millisecond, each of a connection of its own, until it is killed.
//   node send.ts LINKS
import { exchange } from './node-link.ts';

const links = JSON.parse(process.argv[2]!) as { host: number; pod: number };
let port = 10_000;
setInterval(() => exchange(links, port++), 1);
process.stdout.write('sends');
