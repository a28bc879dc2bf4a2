import { observe } from './observations.mjs';

/**
 * Every worker of every queue. A message's body says what becomes of it, `{ case, busyMs?, fails? }`, or what the whole
 * batch that it comes in for the first time is answered with: `{ case, answer }`.
 */
export async function handler({ Records }, { awsRequestId }) {
  const startedAt = Date.now();
  const records = Records.map((record) => ({ ...record, ...JSON.parse(record.body) }));
  const { busyMs = 0 } = records[0];
  if (busyMs > 0) await new Promise((resolve) => setTimeout(resolve, busyMs));
  const cases = [...new Set(records.map((record) => record.case))];
  await observe(cases, {
    id: awsRequestId,
    startedAt,
    endedAt: Date.now(),
    source: 'worker',
    event: { Records },
  });
  return answerTo(records);
}

function answerTo(records) {
  const poisoned = records.filter(({ fails }) => fails);
  if (poisoned.length > 0) {
    return { batchItemFailures: poisoned.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  }
  const first = records.find(({ attributes }) => attributes.ApproximateReceiveCount === '1');
  return first?.answer;
}
