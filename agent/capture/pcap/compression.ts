// Recognises compressed content by its first bytes, as Wireshark does, whatever the file is called.

export type Compression = 'gzip' | 'zstd';

const GZIP = 0x1f8b;
const ZSTD = 0xfd2fb528;
/** A frame that decompressors skip (RFC 8878 3.1.2); pzstd writes one first. */
const ZSTD_SKIPPED = 0x184d2a50;
const notOpened: readonly [name: string, head: readonly number[]][] = [
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['lz4', [0x04, 0x22, 0x4d, 0x18]],
  ['zip', [0x50, 0x4b, 0x03, 0x04]],
];

export function compressionOf(head: Buffer): Compression | undefined {
  if (head.length >= 2 && head.readUInt16BE(0) === GZIP) return 'gzip';
  if (head.length < 4) return undefined;
  const magic = head.readUInt32LE(0);
  return magic === ZSTD || (magic & 0xfffffff0) >>> 0 === ZSTD_SKIPPED ? 'zstd' : undefined;
}

/** The name of a compression that is recognised and not decompressed. */
export function otherCompression(head: Buffer): string | undefined {
  return notOpened.find(([, bytes]) => bytes.every((byte, i) => head[i] === byte))?.[0];
}
