import t from 'tap';
import { Findings } from '../../../collector/findings/findings.ts';
import { evaluated } from '../../scene/evaluated.ts';

t.test('an unevaluated finding counts on after a restart if its reason has another text', async (t) => {
  const before = new Findings(100);
  const connection = before.update(evaluated('unevaluated', { id: 'a', unknownReason: 'the old text' }));
  const stored = JSON.parse(JSON.stringify(before.changes().put));
  t.match(stored, [{ connections: 1, evidence: { reason: 'the old text' } }]);

  const after = new Findings(100);
  after.restore([connection], []);
  after.update(evaluated('unevaluated', { id: 'b', unknownReason: 'the new text' }));
  after.load(after.incompleteFamilies(), stored);
  const { put, removed } = after.changes();
  t.match(put, [{ id: stored[0].id, connections: 2 }]);
  t.same([put.length, removed], [1, []]);
});

t.test('reasons with different keys are different findings, also with the same text', async (t) => {
  const findings = new Findings(100);
  for (const id of ['a', 'b'])
    findings.update(evaluated('unevaluated', { id, unknownReason: '', unknownReasonKey: id }));
  t.match(
    findings.changes().put.map(({ connections }) => connections),
    [1, 1],
  );
});
