import { expect, it } from 'vitest';
import { extend, lineageOf, NO_LINEAGE, timesIn, toField } from '../../../infra/local/lambda/lineage.ts';

const ONE = 'arn:aws:lambda:eu-west-1:000000000000:function:one';
const OTHER = 'arn:aws:lambda:eu-west-1:000000000000:function:other';

const headerOf = (...functions: readonly string[]): string =>
  `Root=1-0-0;Parent=0;Sampled=0;${toField(functions.reduce(extend, NO_LINEAGE))}`;
const timesOf = (...headers: readonly (string | undefined)[]) => {
  const lineage = lineageOf(headers);
  return [timesIn(lineage, ONE), timesIn(lineage, OTHER)];
};

it('goes with a trace header', () => {
  expect(timesOf(headerOf(ONE, OTHER, ONE))).toEqual([2, 1]);
  expect(headerOf(ONE, OTHER)).toMatch(/;Lineage=[0-9a-f]{8}:1\|[0-9a-f]{8}:1$/);
});

it('takes the longest of a batch for each function', () => {
  const headers = [headerOf(ONE, OTHER, OTHER), undefined, headerOf(ONE, ONE, OTHER)];
  expect(timesOf(...headers)).toEqual([2, 2]);
  expect(timesOf(...headers.toReversed())).toEqual([2, 2]);
});

it.each([undefined, '', 'Root=1-0-0;Parent=0;Sampled=1', 'Lineage=', 'Lineage=x', 'BadLineage=a87bd80c:7'])(
  'begins anew with %s',
  (header) => {
    expect(lineageOf([header])).toEqual(NO_LINEAGE);
  },
);
