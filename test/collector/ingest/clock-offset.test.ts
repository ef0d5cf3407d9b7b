import t from 'tap';
import { ClockOffset } from '../../../collector/ingest/clock-offset.ts';
import { RoundTrips } from '../../../collector/ingest/round-trips.ts';
import { second, t0 } from '../../scene/records.ts';

const hour = 3600 * second;
const stepsUs = [-hour, -30 * second, -second, second, 30 * second, hour];
const intervalUs = second / 5;
/** Asked of start times. */
const toleranceUs = 100_000;

/** An agent that sends a message every 200 ms, and the collector. Times are true times; `agentUs` is the agent's clock. */
class Exchange {
  trueUs = t0;
  agentLeadUs = 0;
  delayUs = 2_000;
  readonly offset = new ClockOffset();
  readonly roundTrips = new RoundTrips();
  readonly #sendsClock: boolean;
  #acks = 0;
  #latestAckUs = 0;

  constructor(sendsClock: boolean) {
    this.#sendsClock = sendsClock;
  }

  get agentUs(): number {
    return this.trueUs + this.agentLeadUs;
  }

  /** One message and its acknowledgement. Returns the error of times in that message, on the collector's clock. */
  message(): number {
    this.trueUs += intervalUs;
    const sentUs = this.agentUs;
    const clock = { wallUs: sentUs, acks: this.#acks, sinceAckUs: sentUs - this.#latestAckUs };
    this.trueUs += this.delayUs;
    const roundTripUs = this.#sendsClock ? this.roundTrips.of(clock, this.trueUs) : undefined;
    const offsetUs = this.offset.observe({ sentUs, receivedUs: this.trueUs, roundTripUs });
    this.roundTrips.sent(this.trueUs);
    this.trueUs += this.delayUs;
    this.#acks += 1;
    this.#latestAckUs = this.agentUs;
    return offsetUs + this.agentLeadUs;
  }

  messages(count: number): number {
    let worst = 0;
    for (let i = 0; i < count; i++) worst = Math.max(worst, Math.abs(this.message()));
    return worst;
  }
}

t.test('the clock of an older agent steps: the offset follows with the next message', async (t) => {
  for (const stepUs of stepsUs) {
    const exchange = new Exchange(false);
    exchange.messages(700);
    exchange.agentLeadUs += stepUs;
    const worst = exchange.messages(700);
    t.ok(worst < toleranceUs, `a step of ${stepUs / second} s: ${worst} µs`);
  }
});

t.test('a clock that steps forward and back again within a minute', async (t) => {
  for (const sendsClock of [true, false]) {
    const exchange = new Exchange(sendsClock);
    exchange.messages(50);
    exchange.agentLeadUs += hour;
    exchange.messages(50);
    exchange.agentLeadUs -= hour;
    t.ok(exchange.messages(700) < toleranceUs);
  }
});

t.test("the agent's machine was paused, and its clocks with it: known after one round trip", async (t) => {
  for (const pauseUs of [second / 2, 30 * second, hour]) {
    const exchange = new Exchange(true);
    exchange.messages(100);
    exchange.agentLeadUs -= pauseUs;
    exchange.trueUs += pauseUs;
    exchange.message();
    const worst = exchange.messages(700);
    t.ok(worst < toleranceUs, `a pause of ${pauseUs / second} s: ${worst} µs`);
  }
});

t.test('a slow network does not move the offset, in either direction', async (t) => {
  const exchange = new Exchange(true);
  exchange.messages(100);
  exchange.delayUs = 5 * second;
  const worst = exchange.messages(10);
  exchange.delayUs = 1_000;
  t.ok(Math.max(worst, exchange.messages(100)) < toleranceUs, `${worst} µs`);
});

t.test("a first message that took long is corrected by the next, and so is the collector's own pause", async (t) => {
  const exchange = new Exchange(true);
  exchange.delayUs = 3 * second;
  exchange.message();
  exchange.delayUs = 2_000;
  t.ok(exchange.messages(10) < toleranceUs);
});

t.test('a round trip that an agent cannot have measured changes nothing', async (t) => {
  const trips = new RoundTrips();
  trips.sent(t0);
  const clock = { wallUs: t0, acks: 1, sinceAckUs: 400_000 };
  t.equal(trips.of(clock, t0 + second), 600_000);
  t.equal(trips.of({ ...clock, acks: 0 }, t0 + second), undefined);
  t.equal(trips.of({ ...clock, acks: 2 }, t0 + second), undefined, 'a message that was never sent');
  t.equal(trips.of({ ...clock, sinceAckUs: hour }, t0 + second), 0);
  t.equal(trips.of(null, t0 + second), undefined);
  for (let i = 0; i < 1000; i++) trips.sent(t0 + i);
  t.equal(trips.of({ ...clock, acks: 1001, sinceAckUs: 0 }, t0 + 1999), 1000);
  t.equal(trips.of({ ...clock, acks: 5, sinceAckUs: 0 }, t0 + 1999), undefined, 'forgotten');
});
