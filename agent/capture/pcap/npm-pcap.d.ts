// The part of npm `pcap` that is used; the package brings no types.
declare module 'pcap' {
  export type RawPacket = { buf: Buffer; header: Buffer; link_type: string };
  export type Session = {
    link_type: string;
    buf: Buffer;
    header: Buffer;
    /** The binding: `dispatch` hands over everything that the kernel holds, and returns a negative number on error. */
    session: { dispatch(buf: Buffer, header: Buffer): number };
    on(event: 'packet', listener: (packet: RawPacket) => void): void;
    stats(): { ps_recv: number; ps_drop: number; ps_ifdrop: number };
    close(): void;
  };
  const pcap: {
    createSession(
      device: string,
      options: {
        filter: string;
        promiscuous: boolean;
        snap_length: number;
        buffer_size: number;
        buffer_timeout: number;
      },
    ): Session;
    warningHandler: (warning: string) => void;
  };
  export default pcap;
}
