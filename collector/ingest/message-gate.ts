// Holds each message of a stream back until flow control admits it, and ends a stream that sends nothing. A message that is
// held back is the last one that is read from its stream.
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import { nodeOfCertificate } from '../../certs/node-name.ts';
import type { FlowControl } from './flow-control.ts';

export type SilenceLimits = {
  /** How long a stream may take to send its first message, in ms. */
  firstMessageMs: number;
  /** How long it may take to send each later one. An agent sends one at least every 10 s (capture.drainEvery). */
  nextMessageMs: number;
};

export const silenceLimits: SilenceLimits = { firstMessageMs: 10_000, nextMessageMs: 60_000 };

/** Messages are the serialized bytes. */
export function messageGate(flow: FlowControl, limits: SilenceLimits): ServerInterceptor {
  return (_, call) => new GatedCall(call, flow, limits);
}

class GatedCall extends ServerInterceptingCall {
  readonly #limits: SilenceLimits;
  readonly #call: ServerInterceptingCallInterface;
  #silence: NodeJS.Timeout | undefined;
  #received = 0;
  #cancelled = false;

  constructor(call: ServerInterceptingCallInterface, flow: FlowControl, limits: SilenceLimits) {
    const node = nodeOfCertificate(call.getAuthContext().sslPeerCertificate?.raw) ?? '';
    super(call, {
      start: (next) =>
        next({
          onReceiveMessage: (message: Buffer, deliver) => {
            this.#received += 1;
            clearTimeout(this.#silence);
            void flow.admit(node, message.length).then(() => {
              if (this.#cancelled) flow.finished(node, message.length);
              else deliver(message);
            });
          },
          onReceiveHalfClose: (deliver) => {
            clearTimeout(this.#silence);
            deliver();
          },
          onCancel: () => {
            this.#cancelled = true;
            clearTimeout(this.#silence);
          },
        }),
    });
    this.#call = call;
    this.#limits = limits;
  }

  override startRead(): void {
    const waitMs = this.#received === 0 ? this.#limits.firstMessageMs : this.#limits.nextMessageMs;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#endSilent(waitMs), waitMs).unref();
    super.startRead();
  }

  #endSilent(waitMs: number): void {
    this.#call.sendStatus({ code: status.DEADLINE_EXCEEDED, details: `no message for ${waitMs / 1000} s` });
  }
}
