// The part of npm `pcap` that is used; the package brings no types for it.
declare module 'pcap' {
  export type Binding = {
    /**
     * Hands over everything that the kernel holds, and returns what libpcap returned last: 0 where nothing is left, a
     * negative number on error, -2 once a closed capture is given back to the kernel. After that it may not be called.
     */
    dispatch(buf: Buffer, header: Buffer): number;
    /** Called whenever there is something to read. */
    read_callback: (() => void) | undefined;
  };
  export type Session = {
    link_type: string;
    buf: Buffer;
    header: Buffer;
    session: Binding;
    on(event: 'packet', listener: () => void): void;
    stats(): { ps_recv: number; ps_drop: number };
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
