// Runs on a node. Prints as JSON what the agent reads of each pod, and the pod's link address as the node's neighbour table has
// it after a ping.
import { execFileSync } from 'node:child_process';
import { ipProgram, podLinksOf } from '../../../agent/interfaces/links.ts';
import { podAddresses } from '../../../agent/interfaces/peer-addresses.ts';
import { podAddress } from '../../scene/pod-link.ts';

const { links, defaultRoutes } = await ipProgram.list();
const read = podLinksOf(links, defaultRoutes, 0).map((link) => {
  const { linkAddress, addresses } = podAddresses(link);
  return { name: link.name, linkAddress: linkAddress?.toString('hex'), addresses: addresses.toSorted() };
});
execFileSync('ping', ['-q', '-c', '1', '-W', '2', podAddress]);
const [neighbour] = JSON.parse(execFileSync('ip', ['-j', 'neighbour', 'show', podAddress]).toString()) as [
  { lladdr: string },
];
process.stdout.write(JSON.stringify({ read, linkAddress: neighbour.lladdr.replaceAll(':', '') }));
