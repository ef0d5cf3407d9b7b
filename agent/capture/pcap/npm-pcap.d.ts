// Types of the part of npm `pcap` that is used; the package has none.
declare module 'pcap' {
  export type Binding = {
    /**
     * Reads all packets from the kernel. Returns 0 if none is left, a negative number on error, and -2 after a closed
     * capture is released. It must not be called after that.
     */
    dispatch(buf: Buffer, header: Buffer): number;
    /** Called when packets can be read. */
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
