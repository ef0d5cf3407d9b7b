// Builds capture files as bytes: pcap and pcapng in both byte orders.
import { join } from './packets.ts';
import { t0 } from './records.ts';

export type Order = 'little' | 'big';
/** `length` is the length on the wire, if only a part was captured. */
export type Captured = { frame: Buffer; timeUs?: number; length?: number };

/** Encoders for numbers in one byte order. */
export function numbers(order: Order) {
  const isLittle = order === 'little';
  const half = (value: number) => {
    const bytes = Buffer.alloc(2);
    if (isLittle) bytes.writeUInt16LE(value);
    else bytes.writeUInt16BE(value);
    return bytes;
  };
  const word = (value: number) => {
    const bytes = Buffer.alloc(4);
    if (isLittle) bytes.writeUInt32LE(value);
    else bytes.writeUInt32BE(value);
    return bytes;
  };
  return { half, word };
}

/** `modified`: the format of Kuznetzov, whose records name their interface. */
export type PcapTraits = {
  order?: Order;
  unit?: 'us' | 'ns' | 'modified';
  linkType?: number;
  snapLength?: number;
  interfaceIndex?: number;
};

const magics = { us: 0xa1b2c3d4, ns: 0xa1b23c4d, modified: 0xa1b2cd34 };

export function pcapFile(packets: readonly Captured[], traits: PcapTraits = {}): Buffer {
  const { order = 'little', unit = 'us', linkType = 1, snapLength = 262_144 } = traits;
  const { half, word } = numbers(order);
  const magic = word(magics[unit]);
  const header = join(magic, half(2), half(4), 8, word(snapLength), word(linkType));
  return join(header, ...packets.map((packet) => pcapRecord(packet, traits)));
}

export function pcapRecord({ frame, timeUs = t0, length = frame.length }: Captured, traits: PcapTraits = {}): Buffer {
  const { order = 'little', unit = 'us', interfaceIndex = 1 } = traits;
  const { word } = numbers(order);
  const fraction = (timeUs % 1_000_000) * (unit === 'ns' ? 1000 : 1);
  const rest = unit === 'modified' ? join(word(interfaceIndex), 4) : 0;
  return join(word(Math.floor(timeUs / 1_000_000)), word(fraction), word(frame.length), word(length), rest, frame);
}

/** Builders for the blocks of a pcapng section in one byte order. */
export function section(order: Order = 'little') {
  const { half, word } = numbers(order);
  const padded = (bytes: Buffer) => join(bytes, (4 - (bytes.length % 4)) % 4);
  const block = (type: number, ...parts: readonly (Buffer | number)[]) => {
    const body = join(...parts);
    return join(word(type), word(body.length + 12), body, word(body.length + 12));
  };
  const option = (code: number, value: Buffer) => join(half(code), half(value.length), padded(value));
  return {
    block,
    option,
    head: block(0x0a0d0d0a, word(0x1a2b3c4d), half(1), half(0), Buffer.alloc(8, 0xff)),
    interface: (linkType = 1, options: Buffer = Buffer.alloc(0), snapLength = 0) =>
      block(1, half(linkType), half(0), word(snapLength), options),
    /** `ticks`: time since 1970 in the resolution of the interface. */
    packet: (ticks: bigint | number, frame: Buffer, index = 0, length = frame.length) => {
      const time = BigInt(ticks);
      const [high, low] = [Number(time >> 32n), Number(time & 0xffffffffn)];
      return block(6, word(index), word(high), word(low), word(frame.length), word(length), padded(frame));
    },
    oldPacket: (timeUs: number, frame: Buffer, index = 0) => {
      const [high, low] = [Math.floor(timeUs / 2 ** 32), timeUs % 2 ** 32];
      const head = join(half(index), half(0), word(high), word(low), word(frame.length), word(frame.length));
      return block(2, head, padded(frame));
    },
    simplePacket: (frame: Buffer, length = frame.length) => block(3, word(length), padded(frame)),
  };
}
