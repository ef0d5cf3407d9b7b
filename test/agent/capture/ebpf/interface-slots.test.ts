// The slots of interfaces in the program's maps: each is used again, and interfaces without one have the last together.
import t from 'tap';
import { missingCapabilities } from '../../../../agent/capture/ebpf/capabilities.ts';
import { InterfaceSlots } from '../../../../agent/capture/ebpf/interface-slots.ts';
import { interfaceSlots } from '../../../../agent/capture/ebpf/layout.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';

const skip =
  missingCapabilities(['BPF', 'NET_ADMIN', 'NET_RAW', 'PERFMON']).length > 0 && 'loading the program needs root';

t.test('each interface has a slot of its own, and the lowest free one is used again', { skip }, async (t) => {
  const program = loadProgram('ebpf', 1_000);
  t.teardown(() => program.close());
  const slots = new InterfaceSlots(program);
  for (const index of [7, 8, 9]) slots.add(index);
  slots.add(8);
  t.same([slots.interfaceAt(0), slots.interfaceAt(1), slots.interfaceAt(2), slots.end], [7, 8, 9, 3]);
  slots.remove(8);
  slots.remove(8);
  t.equal(slots.interfaceAt(1), 0, 'of no interface');
  slots.add(10);
  t.equal(slots.interfaceAt(1), 10);
});

t.test('more interfaces than slots are watched too', { skip }, async (t) => {
  const program = loadProgram('ebpf', 1_000);
  t.teardown(() => program.close());
  const slots = new InterfaceSlots(program);
  for (let index = 1; index <= 3 * interfaceSlots; index++) slots.add(index);
  t.equal(slots.interfaceAt(interfaceSlots - 2), interfaceSlots - 1);
  t.equal(slots.interfaceAt(interfaceSlots - 1), 0, 'the last slot is of several');
  for (let index = 1; index <= 3 * interfaceSlots; index++) slots.remove(index);
  slots.add(5);
  t.equal(slots.interfaceAt(0), 5);
});
