// Compares docs/replay.md with the decoder and with the encapsulations that its tests wrap packets in.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { etherTypes } from '../../agent/capture/decode/ether-type.ts';
import { maxTunnels } from '../../agent/capture/decode/frame.ts';
import { linkTypes } from '../../agent/capture/decode/link-type.ts';
import { tunnelPorts, tunnelProtocols } from '../../agent/capture/decode/tunnel.ts';
import { headers, links, tunnels } from '../scene/encapsulations.ts';

const page = readFileSync(new URL('../../docs/replay.md', import.meta.url), 'utf8');

/** The cells of the rows of a section, without the head of the table. */
function rows(section: string): string[][] {
  const text = page.split(`\n### ${section}\n`)[1]!.split(/\n##+ /)[0]!;
  const lines = text.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const numbers = (cells: readonly (string | undefined)[]) =>
  [...new Set(cells.map(Number).filter((number) => number > 0))].sort((a, b) => a - b);
const ascending = (values: object) => numbers(Object.values(values));

t.test('the page lists the link types that are opened, and their numbers', async (t) => {
  const expected = links.map(({ name, linkType }) => [name, String(linkType)]);
  t.same(rows('Link types'), expected);
  t.same(
    links.map(({ linkType }) => linkType),
    Object.values(linkTypes).sort((a, b) => a - b),
    'each is tested',
  );
});

t.test('the page lists the headers that are opened, and their EtherTypes', async (t) => {
  const listed = rows('Headers before IP');
  // On Ethernet, PPP follows PPPoE only; GRE has its EtherType.
  t.same(
    listed.map(([name]) => name).filter((name) => name !== 'PPP'),
    headers.map(({ name }) => name),
  );
  const { ipv4, ipv6, ethernet, ...others } = etherTypes;
  t.same(numbers(listed.map(([, type]) => type)), ascending(others));
});

t.test('the page lists the tunnels that are opened, their protocols and ports', async (t) => {
  const listed = rows('Tunnels');
  t.same(
    listed.map(([name]) => name),
    tunnels.map(({ name }) => name),
  );
  const authenticationHeader = 51;
  t.same(
    numbers(listed.map(([, protocol]) => protocol)),
    numbers([...Object.values(tunnelProtocols), authenticationHeader].map(String)),
  );
  t.same(numbers(listed.map(([, , port]) => port)), ascending(tunnelPorts));
  t.match(page, `At most ${maxTunnels} tunnels inside one another are opened.`);
});
