import t from 'tap';
import { parseConntrackLine, Translations } from '../../../agent/translation/translations.ts';
import { TCP, UDP } from '../../../model/protocol.ts';
import { db, ip, web } from '../../scene/records.ts';

t.test('a connection to a Service address: the reply tuple names the backend', async (t) => {
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

t.test('with masquerade it names both ends', async (t) => {
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

t.test('what was not translated, and what is no entry, is passed over', async (t) => {
  const lines = [
    'tcp      6 120 SYN_SENT src=10.0.1.2 dst=10.0.2.3 sport=1 dport=2 [UNREPLIED] src=10.0.2.3 dst=10.0.1.2 sport=2 dport=1',
    'conntrack v1.4.7 (conntrack-tools): 3 flow entries have been shown.',
    '',
    'tcp 6 src=nonsense',
  ];
  for (const line of lines) t.equal(parseConntrackLine(line), undefined, line);
});

t.test('a translation is found by either of its tuples, and the newest are kept', async (t) => {
  const translations = new Translations(2);
  const made = [1, 2, 3].map((port) => ({
    original: { initiator: web, initiatorPort: port, responder: ip('10.96.0.10'), responderPort: 80 },
    translated: { initiator: web, initiatorPort: port, responder: db, responderPort: 5432 },
  }));
  for (const one of made) translations.learn(TCP, one);
  t.equal(translations.find(TCP, made[2]!.original), made[2]);
  t.equal(translations.find(TCP, made[2]!.translated), made[2]);
  t.equal(translations.find(UDP, made[2]!.original), undefined);
  t.equal(translations.find(TCP, made[0]!.original), undefined);
});
