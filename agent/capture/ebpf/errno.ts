// Names of errors of the system, as its manual has them.
import { constants } from 'node:os';

export const errnoNames: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, errno]) => [errno, name]),
);
