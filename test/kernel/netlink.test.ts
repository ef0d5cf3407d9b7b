import t from 'tap';
import { attributesOf, messagesOf, NetlinkClient } from '../../kernel/netlink.ts';

const NLM_F_DUMP_INTR = 0x10;

function message(type: number, payload: Buffer, { flags = 0, sequence = 0 } = {}): Buffer {
  const bytes = Buffer.alloc((16 + payload.length + 3) & ~3);
  bytes.writeUInt32LE(16 + payload.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(sequence, 8);
  bytes.set(payload, 16);
  return bytes;
}

function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc((4 + value.length + 3) & ~3);
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}

t.test('messages of a datagram are read in order, each without its padding', async (t) => {
  const datagram = Buffer.concat([
    message(20, Buffer.from('abc'), { sequence: 7 }),
    message(21, Buffer.from('defgh'), { flags: NLM_F_DUMP_INTR, sequence: 8 }),
  ]);
  const read = Array.from(messagesOf(datagram), (one) => ({ ...one, payload: one.payload.toString() }));
  t.same(read, [
    { type: 20, interrupted: false, sequence: 7, payload: 'abc' },
    { type: 21, interrupted: true, sequence: 8, payload: 'defgh' },
  ]);
});

t.test('reading a datagram ends at a message that is cut off or shorter than its header', async (t) => {
  const whole = message(20, Buffer.from('abcd'));
  const short = message(21, Buffer.alloc(0));
  short.writeUInt32LE(15, 0);
  for (const rest of [message(21, Buffer.from('abcd')).subarray(0, 18), short, Buffer.alloc(5), Buffer.alloc(16)]) {
    const types = Array.from(messagesOf(Buffer.concat([whole, rest])), ({ type }) => type);
    t.same(types, [20]);
  }
});

t.test('attributes are read in order until one is cut off', async (t) => {
  const whole = Buffer.concat([attribute(1, Buffer.from('abc')), attribute(2, Buffer.alloc(0))]);
  const read = (bytes: Buffer) => Array.from(attributesOf(bytes), ({ type, value }) => [type, value.toString()]);
  const both = [
    [1, 'abc'],
    [2, ''],
  ];
  t.same(read(whole), both);
  t.same(read(Buffer.concat([whole, attribute(3, Buffer.from('abcd')).subarray(0, 6)])), both);
  t.same(read(Buffer.concat([whole, Buffer.alloc(4)])), both, 'a length shorter than the header');
  t.same(read(Buffer.alloc(0)), []);
});

t.test('a dump returns all objects, even after a dump that was not read to its end', async (t) => {
  const [RTM_NEWLINK, RTM_GETLINK, IFLA_IFNAME] = [16, 18, 3];
  const ifinfomsg = 16;
  const netlink = new NetlinkClient();
  const names = () =>
    Array.from(netlink.dump(RTM_GETLINK, Buffer.alloc(ifinfomsg)), ({ type, payload }) => {
      t.equal(type, RTM_NEWLINK);
      const name = [...attributesOf(payload.subarray(ifinfomsg))].find((one) => one.type === IFLA_IFNAME);
      return name?.value.toString('latin1', 0, name.value.length - 1);
    });
  const before = names();
  t.ok(before.includes('lo'), before.join());
  for (const _ of netlink.dump(RTM_GETLINK, Buffer.alloc(ifinfomsg))) break;
  t.same(names(), before);
  netlink.close();
});

t.test('a dump that the kernel refuses is empty', async (t) => {
  const netlink = new NetlinkClient();
  const noSuchType = 999;
  t.same([...netlink.dump(noSuchType, Buffer.alloc(16))], []);
  netlink.close();
});
