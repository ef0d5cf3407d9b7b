// A stream that keeps what a command writes, as text.
import { Writable } from 'node:stream';

export class Kept extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
