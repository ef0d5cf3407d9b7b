// Runs in a network namespace of its own. Sends the same bytes into another namespace and back, over TCP and UDP. Prints a hash
// of what came back, and how many packets arrived altered or with a mark. `ebpf` and `tap` attach our program and check that
// it saw the bytes; `marking` adds a rule that marks packets.
//   node transfer.ts none|ebpf|tap|marking
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { KernelSource } from '../../../../agent/capture/ebpf/source.ts';

const bytes = 4_000_000;
const datagrams = 200;
const address = '10.0.0.2';
/** nftables counters at both ends: packets that arrive, and those that differ from what the other end sent. */
const counterRules = `
table ip look {
  counter arrived {}
  counter altered {}
  chain incoming {
    type filter hook prerouting priority -500;
    counter name arrived
    meta mark != 0 counter name altered
    meta priority != none counter name altered
    ip ttl != 64 counter name altered
    ip dscp != 0 counter name altered
  }
}`;

/** Runs in the other namespace: an echo server. */
async function echo(): Promise<void> {
  createServer((socket) => socket.pipe(socket)).listen(7, address);
  const socket = createSocket('udp4');
  socket.on('message', (data, from) => socket.send(data, from.port, from.address));
  socket.bind(7, address);
  await once(socket, 'listening');
  process.stdout.write('ready\n');
}

async function overTcp(): Promise<string> {
  const socket = connect(7, address);
  const hash = createHash('sha256');
  let back = 0;
  socket.on('data', (data: Buffer) => {
    hash.update(data);
    back += data.length;
    if (back === bytes) socket.end();
  });
  socket.write(patterned(bytes));
  await once(socket, 'close');
  return `${bytes} bytes there, ${back} bytes back, ${hash.digest('hex')}`;
}

/** One after the other, so that no buffer overflows. */
async function overUdp(): Promise<string> {
  const socket = createSocket('udp4');
  const hash = createHash('sha256');
  let back = 0;
  for (let i = 0; i < datagrams; i++) {
    socket.send(patterned(20 + i * 7), 7, address);
    const [data] = (await once(socket, 'message')) as [Buffer];
    hash.update(data);
    back += 1;
  }
  socket.close();
  return `${back} datagrams, ${hash.digest('hex')}`;
}

function patterned(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255));
}

function alteredAt(at: readonly string[]): string {
  const shown = execFileSync(at[0]!, [...at.slice(1), 'nft', 'list', 'counters']).toString();
  const [altered, arrived] = ['altered', 'arrived'].map((name) =>
    Number(new RegExp(`counter ${name} \\{\\s+packets (\\d+)`).exec(shown)?.[1]),
  );
  return `${altered} altered of ${arrived! >= datagrams ? 'many' : arrived}`;
}

/** Marks packets as early as our program could. */
function mark(): void {
  const input = 'table inet marking { chain m { type filter hook prerouting priority -600; meta mark set 0x800; }; }\n';
  execFileSync('nft', ['-f', '-'], { input });
}

async function main(name: 'none' | 'ebpf' | 'tap' | 'marking'): Promise<void> {
  const other = spawn('unshare', ['-n', process.execPath, import.meta.filename, 'hold'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const inOther = ['-t', String(other.pid), '-n'];
  const lines = createInterface({ input: other.stdout })[Symbol.asyncIterator]();
  await lines.next();
  execFileSync('ip', ['link', 'add', 'vh', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(other.pid)]);
  execFileSync('sh', ['-c', 'ip addr add 10.0.0.1/24 dev vh && ip link set vh up']);
  execFileSync('nsenter', [...inOther, 'sh', '-c', `ip addr add ${address}/24 dev eth0 && ip link set eth0 up`]);
  const ends = [['env'], ['nsenter', ...inOther]];
  for (const [program, ...words] of ends) execFileSync(program!, [...words, 'nft', '-f', '-'], { input: counterRules });
  other.stdin.write('\n');
  await lines.next();
  if (name === 'marking') mark();
  const watching = name === 'none' || name === 'marking' ? undefined : watch(name);
  process.stdout.write(`${await overTcp()}, ${await overUdp()}, ${ends.map(alteredAt).join(', ')}\n`);
  if (watching !== undefined && (await watching()) < bytes * 2) throw new Error('the program saw less than was sent');
  other.kill('SIGKILL');
}

/** Returns how many bytes the program saw. */
function watch(name: 'ebpf' | 'tap'): () => Promise<number> {
  const nowUs = () => (performance.timeOrigin + performance.now()) * 1000;
  const options = { maxConnections: 1_000, reportEveryUs: 1_000_000, nowUs, seed: 7 };
  const eventHandlers = { translation: () => undefined, dns: () => undefined };
  const log = pino({ level: 'silent' });
  const source = new KernelSource(name, loadProgram(name, 1_000), options, new PacketAccounting(), eventHandlers, log);
  const [{ ifindex }] = JSON.parse(execFileSync('ip', ['-j', 'link', 'show', 'vh']).toString()) as [
    { ifindex: number },
  ];
  source.watch({ index: ifindex, name: 'vh', appearedUs: 0 });
  return async () => {
    let seen = 0;
    await source.close((record) => {
      seen += record.bytes.forward + record.bytes.reverse;
    });
    return seen;
  };
}

if (process.argv[2] === 'hold') {
  process.stdout.write('there\n');
  process.stdin.once('data', echo);
} else await main(process.argv[2] as Parameters<typeof main>[0]);
