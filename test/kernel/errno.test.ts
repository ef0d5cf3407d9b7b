import { closeSync, openSync } from 'node:fs';
import t from 'tap';
import { checkLibbpfCall, checkSystemCall, errnoName, SystemError } from '../../kernel/errno.ts';
import { bind } from '../../kernel/libc.ts';

t.test('an errno has its name from the manual, or its number if it has no name', async (t) => {
  t.equal(errnoName(19), 'ENODEV');
  t.equal(errnoName(524), 'ENOTSUPP', "only the kernel's internal headers define it");
  t.equal(errnoName(4095), 'errno 4095');
});

t.test('a system call that fails throws its name and its errno', async (t) => {
  const fd = openSync('/dev/null', 'r');
  const failed = () => checkSystemCall('bind', bind(fd, Buffer.alloc(20), 20));
  t.throws(failed, { name: 'SystemError', message: 'bind: ENOTSOCK', call: 'bind', errno: 'ENOTSOCK' });
  t.throws(failed, SystemError);
  closeSync(fd);
  t.equal(checkSystemCall('socket', 7), 7);
});

t.test('a call of libbpf that fails throws the errno that it returned', async (t) => {
  t.throws(() => checkLibbpfCall('bpf_tc_attach', -19), { message: 'bpf_tc_attach: ENODEV', errno: 'ENODEV' });
  t.equal(checkLibbpfCall('bpf_tc_attach', 0), 0);
});
