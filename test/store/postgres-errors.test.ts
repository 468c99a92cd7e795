import { expect, test } from 'vitest';
import { isRetryable } from '../../tools/errors.ts';
import { isBroken, toStoreError } from '../../tools/store/postgres-errors.ts';

const where = 'postgres://somebody@here/x';
const translate = (code: string | undefined, message = 'm'): unknown =>
  toStoreError(Object.assign(new Error(message), code === undefined ? {} : { code }), where, (text) =>
    text.replaceAll('secret', '***'),
  );

test.each([
  ['ECONNREFUSED', 'STORE_DISCONNECTED', true, true],
  ['EPIPE', 'STORE_DISCONNECTED', true, true],
  [undefined, 'STORE_DISCONNECTED', true, true],
  ['57P01', 'STORE_DISCONNECTED', true, true],
  ['08006', 'STORE_DISCONNECTED', true, true],
  ['53300', 'STORE_DISCONNECTED', true, false],
  ['25006', 'STORE_DISCONNECTED', true, false],
  ['53100', 'STORE_FULL', true, false],
  ['55P03', 'STORE_LOCKED', true, false],
  ['57014', 'STORE_LOCKED', true, false],
  ['40001', 'STORE_LOCKED', true, false],
  ['28P01', 'STORE_UNAVAILABLE', false, false],
  ['3D000', 'STORE_UNAVAILABLE', false, false],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'STORE_UNAVAILABLE', false, true],
])('%s is %s', (code, ours, mayPass, broken) => {
  const error = translate(code);
  expect(error).toMatchObject({ code: ours });
  expect(isRetryable(error)).toBe(mayPass);
  expect(isBroken(Object.assign(new Error('m'), { code }))).toBe(broken);
});

test('a mistake in a statement is a bug, and stays what it is', () => {
  expect(translate('42601')).toMatchObject({ name: 'Error', code: '42601' });
});

test('a password in what the driver says is taken out', () => {
  expect(translate('28P01', 'no secret here')).toMatchObject({
    message: `the database does not let us in: ${where} (28P01: no *** here)`,
  });
});
