// Opens TCP connections that send nothing, and keeps them open until its stdin ends. Prints how many the other side accepted,
// then each second how many are still open.
//   node idle-sockets-program.ts HOST PORT COUNT
import { connect } from 'node:net';

const [host, port, count] = process.argv.slice(2) as [string, string, string];
let open = 0;
const opened = Array.from(
  { length: Number(count) },
  () =>
    new Promise<void>((resolve) => {
      const socket = connect({ host, port: Number(port) }, () => {
        open += 1;
        resolve();
      });
      socket.on('error', () => resolve());
      socket.on('close', () => {
        open -= 1;
      });
      socket.resume();
    }),
);
await Promise.all(opened);
process.stdout.write(`${open}\n`);
process.stdin.resume().once('end', () => process.exit(0));
