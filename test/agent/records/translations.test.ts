import t from 'tap';
import { parseConntrackLine, Translations } from '../../../agent/records/translations.ts';
import { TCP, UDP } from '../../../model/protocol.ts';
import type { ConnectionRecord, Translation } from '../../../model/record.ts';
import { answered, db, ip, record, second, t0, web } from '../../scene/records.ts';

t.test('for a connection to a Service address, the reply tuple names the backend', async (t) => {
  const entry = parseConntrackLine(
    '    [NEW] tcp      6 120 SYN_SENT src=10.0.1.2 dst=10.96.0.10 sport=40000 dport=80 [UNREPLIED] src=10.0.2.3 dst=10.0.1.2 sport=5432 dport=40000',
  );
  t.same(entry, {
    protocol: TCP,
    translation: {
      original: { initiator: web, initiatorPort: 40000, responder: ip('10.96.0.10'), responderPort: 80 },
      translated: { initiator: web, initiatorPort: 40000, responder: db, responderPort: 5432 },
    },
  });
});

t.test('with masquerade, the reply tuple names both translated ends', async (t) => {
  const entry = parseConntrackLine(
    'udp      17 30 src=10.0.1.2 dst=10.96.0.10 sport=5353 dport=53 src=10.0.2.3 dst=192.0.2.1 sport=53 dport=61000 [ASSURED] mark=0 use=1',
  );
  t.equal(entry?.protocol, UDP);
  t.same(entry?.translation.translated, {
    initiator: ip('192.0.2.1'),
    initiatorPort: 61000,
    responder: db,
    responderPort: 53,
  });
});

t.test('entries without translation and lines without entry are ignored', async (t) => {
  const lines = [
    'tcp      6 120 SYN_SENT src=10.0.1.2 dst=10.0.2.3 sport=1 dport=2 [UNREPLIED] src=10.0.2.3 dst=10.0.1.2 sport=2 dport=1',
    'conntrack v1.4.7 (conntrack-tools): 3 flow entries have been shown.',
    '',
    'tcp 6 src=nonsense',
  ];
  for (const line of lines) t.equal(parseConntrackLine(line), undefined, line);
});

const throughService = (port: number, backend = db): Translation => ({
  original: { initiator: web, initiatorPort: port, responder: ip('10.96.0.10'), responderPort: 80 },
  translated: { initiator: web, initiatorPort: port, responder: backend, responderPort: 5432 },
});
const translationOf = (translations: Translations, change: Partial<ConnectionRecord>) => {
  const sent = record(change);
  translations.translate(sent);
  return sent.translation;
};

t.test('a translation is found by either of its tuples, and the oldest is evicted', async (t) => {
  const translations = new Translations(2, () => t0);
  const made = [1, 2, 3].map((port) => throughService(port));
  for (const one of made) translations.learn(TCP, one);
  t.equal(translationOf(translations, made[2]!.original), made[2]);
  t.equal(translationOf(translations, made[2]!.translated), made[2]);
  t.equal(translationOf(translations, { ...made[2]!.original, protocol: UDP }), undefined);
  t.equal(translationOf(translations, made[0]!.original), undefined);
});

t.test('a translation learned after its record was sent is sent in a record with counters of 0', async (t) => {
  const translations = new Translations(10, () => t0);
  const translation = throughService(40000);
  const sent = answered({ ...translation.original, ended: true, synRetries: 1 });
  translations.translate(sent);
  t.same(translations.takeLate(t0), []);
  translations.learn(TCP, translation);
  const nothing = { forward: 0, reverse: 0 };
  t.same(translations.takeLate(t0), [
    { ...sent, packets: nothing, frames: 0, bytes: nothing, tcpFlags: nothing, synRetries: 0, translation },
  ]);
  translations.learn(TCP, translation);
  t.same(translations.takeLate(t0), [], 'once');
});

t.test('another backend for the same ends is sent too, because the port was reused', async (t) => {
  const translations = new Translations(10, () => t0);
  translations.learn(TCP, throughService(40000));
  const other = throughService(40000, ip('10.0.2.4'));
  t.same(translationOf(translations, other.original), throughService(40000));
  translations.learn(TCP, other);
  t.match(translations.takeLate(t0), [{ translation: other }]);
});

t.test('a record older than 3 s gets no late translation', async (t) => {
  const translations = new Translations(10, () => t0);
  const translation = throughService(40000);
  translations.translate(record({ ...translation.original }));
  translations.takeLate(t0 + 3 * second);
  translations.learn(TCP, translation);
  t.same(translations.takeLate(t0 + 3 * second), []);
});

t.test('a SYN long after the translation was learned begins another connection', async (t) => {
  const translations = new Translations(10, () => t0);
  const translation = throughService(40000);
  translations.learn(TCP, translation);
  const resultOf = (afterUs: number, initiatorBy: 'handshake' | 'inferred') => {
    const times = { beganUs: t0 + afterUs, firstUs: t0 + afterUs, lastUs: t0 + afterUs };
    return translationOf(translations, { ...translation.original, ...times, initiatorBy });
  };
  t.equal(resultOf(-600 * second, 'handshake'), translation, 'the connection began before and is still live');
  t.equal(resultOf(second, 'handshake'), translation);
  t.equal(resultOf(900 * second, 'inferred'), translation, 'the connection continues after idle time');
  t.equal(resultOf(900 * second, 'handshake'), undefined);
  t.equal(resultOf(second, 'handshake'), undefined, 'it is forgotten');
});

t.test('without handshake, a translation is valid for 180 s after the last packet', async (t) => {
  const translations = new Translations(10, () => t0);
  const translation = throughService(40000);
  translations.learn(UDP, translation);
  const resultOf = (beganUs: number, lastUs: number) =>
    translationOf(translations, { ...translation.original, protocol: UDP, beganUs, firstUs: lastUs, lastUs });
  t.equal(resultOf(t0, t0 + 500 * second), translation);
  t.equal(resultOf(t0 + 600 * second, t0 + 600 * second), translation);
  t.equal(resultOf(t0 + 800 * second, t0 + 800 * second), undefined);
});
