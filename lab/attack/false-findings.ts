// Follows the findings during the whole run: a false one counts, also if Waybill retracts it a moment later.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { FindingJson } from '../../model/json.ts';
import { attackerWorkload } from './attack.ts';
import { findingText, nameOf } from './expected-finding.ts';

export class FalseFindings {
  readonly #child: ChildProcess;
  readonly #seen = new Set<string>();
  #unreported: string[] = [];
  #ended: string | undefined;

  /** `command` is `waybill findings --follow -o jsonl` for the collector. */
  constructor([program, ...args]: readonly string[]) {
    this.#child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let errorText = '';
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      errorText = (errorText + chunk.toString()).slice(-500);
    });
    this.#child.once('close', () => {
      this.#ended = errorText.trim() || 'no reason';
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const finding = JSON.parse(line) as FindingJson | { id: string; gone: true };
      if ('gone' in finding || !isFalse(finding) || this.#seen.has(finding.id)) return;
      this.#seen.add(finding.id);
      this.#unreported.push(`a false finding: ${findingText(finding)}`);
    });
  }

  /** One line for each false finding since the last call. */
  take(): string[] {
    const taken = this.#unreported;
    this.#unreported = [];
    if (this.#ended === undefined) return taken;
    const fault = `expected that the list of findings can be followed; it ended: ${this.#ended}`;
    this.#ended = undefined;
    return [...taken, fault];
  }

  end(): void {
    this.#child.removeAllListeners('close');
    this.#child.kill('SIGKILL');
  }
}

/** Only the attacker does what is forbidden; the probe tries, and the network drops it. */
export function isFalse(finding: FindingJson): boolean {
  const initiator = nameOf(finding.initiator);
  if (initiator === attackerWorkload) return false;
  if (initiator === 'shop/probe') return finding.kind !== 'blocked' || nameOf(finding.responder) !== 'shop/vault';
  // It is about a node; the check of the flood says whom it must name.
  return finding.kind !== 'coverage-gap' || !['node', 'unknown'].includes(finding.initiator.kind);
}
