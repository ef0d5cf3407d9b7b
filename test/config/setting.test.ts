import t, { type Test } from 'tap';
import {
  bytes,
  choice,
  duration,
  durationMs,
  flag,
  hostPort,
  integer,
  path,
  paths,
  type Setting,
  text,
  textList,
  url,
} from '../../config/setting.ts';

const help = 'what it does';

function takes<Value>(t: Test, setting: Setting<Value>, cases: [raw: unknown, value: Value][]): void {
  for (const [raw, value] of cases) t.same(setting.read(raw), { value }, JSON.stringify(raw));
}

function refuses(t: Test, setting: Setting<unknown>, fault: RegExp, fix: RegExp, raws: unknown[]): void {
  for (const raw of raws) t.match(setting.read(raw), { fault, fix }, JSON.stringify(raw));
}

t.test('a list of paths is one path, several with commas between them, or a list', async (t) => {
  const setting = paths({ help });
  takes(t, setting, [
    ['', []],
    ['a', ['a']],
    ['a/b,/c', ['a/b', '/c']],
    [
      ['a', 'b,c'],
      ['a', 'b,c'],
    ],
    [[], []],
  ]);
  refuses(t, setting, /is not a list of paths$/, /^write \[manifests, policies\]$/, [1, true, { a: 1 }]);
  refuses(t, setting, /is not a path$/, /^write the path of a file or folder$/, [[1], ['a', '']]);
});

t.test('a duration is a whole number with its unit, within its range', async (t) => {
  const setting = duration({ default: '10s', min: '1s', max: '2h', help });
  takes(t, setting, [
    ['1s', 1000],
    ['1500ms', 1500],
    ['5m', 300_000],
    ['2h', 7_200_000],
  ]);
  t.equal(durationMs('7d'), 604_800_000);
  t.equal(setting.type, 'duration, 1s to 2h');
  const wrong = [10, '10', '10 s', '1.5s', '-1s', '', 'soon', '1S', true, ['1s'], { s: 1 }];
  refuses(t, setting, /is not a duration$/, /^write it as 250ms, 10s, 5m, 2h or 7d$/, wrong);
  refuses(t, setting, /^"\w+" is not in the allowed range$/, /^set a value from 1s to 2h$/, [
    '999ms',
    '3h',
    '999999999d',
    '0s',
  ]);
});

t.test('a size is a number of bytes, or one with a binary unit', async (t) => {
  const setting = bytes({ default: '4MiB', min: '64KiB', help });
  takes(t, setting, [
    [65_536, 65_536],
    ['65536', 65_536],
    ['64KiB', 65_536],
    ['1MiB', 2 ** 20],
    ['2GiB', 2 ** 31],
    ['1TiB', 2 ** 40],
  ]);
  const wrong = ['', '64KB', '64kib', '64 KiB', '-1', -1, 1.5, 1e30, '999999999999TiB', [65_536], true, {}, '1e9'];
  refuses(t, setting, /is not a size$/, /^write it as 64MiB or 10GiB$/, wrong);
  refuses(t, setting, /is not large enough$/, /^set 64KiB or more$/, ['0', 0, '63KiB', 65_535]);
});

t.test('an integer is whole and within its range', async (t) => {
  const setting = integer({ default: 5, min: 1, max: 100, help });
  takes(t, setting, [
    [1, 1],
    ['100', 100],
    ['007', 7],
  ]);
  refuses(t, setting, /is not a whole number$/, /digits/, ['', '1.0', 1.5, 'one', '0x10', '1e2', ' 1', true, [1], {}]);
  refuses(t, setting, /is not in the allowed range$/, /^set a number from 1 to 100$/, [
    0,
    101,
    '-1',
    '99999999999999999999',
  ]);
});

t.test('a boolean is true or false and nothing similar', async (t) => {
  const setting = flag({ default: true, help });
  takes(t, setting, [
    [true, true],
    ['true', true],
    [false, false],
    ['false', false],
  ]);
  refuses(t, setting, /is not true or false$/, /^set true or false$/, ['', 'yes', 'no', 'True', '1', 1, 0, [true], {}]);
});

t.test('a choice is exactly one of its values', async (t) => {
  const setting = choice(['any', 'every'], { default: 'any', help });
  takes(t, setting, [
    ['any', 'any'],
    ['every', 'every'],
  ]);
  const wrong = ['', 'Any', 'all', 'any ', true, 1, ['any'], {}, 'toString'];
  refuses(t, setting, /is not a valid value$/, /^set any or every$/, wrong);
});

t.test('a text must be a string in YAML, so 42 and true are refused', async (t) => {
  const setting = text({ default: '', help });
  takes(t, setting, [
    ['', ''],
    ['n1', 'n1'],
    ['42', '42'],
  ]);
  refuses(t, setting, /is not a string$/, /^put it in quotes$/, [42, true, ['n1'], {}]);
});

t.test('a setting with a default cannot be empty', async (t) => {
  refuses(t, text({ default: 'waybill', help }), /^the value is empty$/, /^write a string that is not empty$/, ['']);
  refuses(t, path({ default: '/var/lib/waybill.duckdb', help }), /^"" is not a path$/, /^write the path/, ['']);
  refuses(t, hostPort({ default: '0.0.0.0:7443', help }), /^"" is not a host:port$/, /^write it as/, ['']);
  takes(t, path({ default: '', help }), [['', '']]);
});

t.test('host:port needs both parts, and brackets around an IPv6 address', async (t) => {
  const setting = hostPort({ default: '0.0.0.0:7443', help });
  const right = ['0.0.0.0:7443', '[::]:0', '[fd00::1]:65535', 'collector.waybill.svc:7443', 'localhost:1'];
  takes(
    t,
    setting,
    right.map((one) => [one, one]),
  );
  const wrong = [':7443', '7443', 7443, '::1:7443', 'host', 'host:', 'host:65536', 'host:99999', 'a b:1', 'host:-1'];
  refuses(t, setting, /is not a host:port$/, /^write it as 0\.0\.0\.0:7443, \[::1\]:7443 or name:7443$/, wrong);
});

t.test('a URL has the scheme http or https', async (t) => {
  const setting = url({ default: '', help });
  const right = ['', 'http://influx:8086', 'https://[::1]:8086/path', 'http://user:secret@influx'];
  takes(
    t,
    setting,
    right.map((one) => [one, one]),
  );
  const wrong = ['influx:8086', 'ftp://influx', 'http://', 'http://:80', 'http://a b', 'http://h:99999', 8086, []];
  refuses(t, setting, /is not a URL$/, /^write it as https:\/\/HOST:PORT$/, wrong);
  t.match(setting.read('ftp://user:secret@influx'), { fault: '"ftp://…@influx" is not a URL' }, 'no password is shown');
});

t.test('a fault shows the value on one line, and cuts a long one', async (t) => {
  const setting = flag({ default: true, help });
  t.match(setting.read('two\nlines\x1b[31m'), { fault: '"two\\nlines\\u001b[31m" is not true or false' });
  const read = setting.read('x'.repeat(500)) as { fault: string };
  t.ok(read.fault.length < 90 && read.fault.includes('…'), read.fault);
});

t.test('a list of texts has at least one, without spaces', async (t) => {
  const setting = textList({ default: ['waybill://client'], help });
  t.equal(setting.defaultText, 'waybill://client');
  takes(t, setting, [
    ['waybill://client', ['waybill://client']],
    ['waybill://client, dashboard.example', ['waybill://client', 'dashboard.example']],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
  ]);
  refuses(t, setting, /is not a list of texts$/, /^write \[one, two\]$/, [[], 7, true, { a: 1 }]);
  refuses(t, setting, /is not a text$/, /without spaces$/, ['', 'a,,b', ['a b'], [7], ['\u202e']]);
});
