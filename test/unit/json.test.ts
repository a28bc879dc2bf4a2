import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entryJson } from '../../shared/data/log.ts';
import { replyJson } from '../../shared/protocol/acks.ts';
import { DATA_BYTES_MAX } from '../../shared/protocol/frames.ts';
import { type DataJson, escapedForQueue, messageJson, toQueueJson } from '../../shared/protocol/json.ts';
import { parsePublish, parseSend } from '../../shared/protocol/parse.ts';
import { encodePublication, type Publication, parsePublication } from '../../shared/protocol/publication.ts';
import { parseTopic } from '../../shared/protocol/topic.ts';
import { encodeJob, toJobMessage } from '../../shared/queues/job.ts';
import { DELICATE_TEXTS, jsonText } from '../support/json-texts.ts';

const HEAD = { messageId: 'm', publishedAt: 'p', publisher: { userId: 'u' } };
const HEAD_JSON = '"publishedAt":"p","publisher":{"userId":"u"}';
const TIME = '2026-11-20T05:00:00.123Z';
const topic = parseTopic('chat/lobby');
const publicationOf = (...texts: string[]): Publication => ({
  targets: [{ topic }],
  payloads: texts.map((text, index) => ({ data: text as DataJson, messageId: `m${index}` })),
  publishedAt: TIME,
  publisher: {},
});

describe.each(DELICATE_TEXTS)('data written as %s', (text) => {
  const data = text as DataJson;

  it('is read so from a frame', () => {
    const read = (json: string) => parsePublish(JSON.parse(json), json).messages.map((each) => each.data);
    expect(read(`{"topic":"a","data":0,"data": ${text} }`)).toEqual([text]);
    expect(read(`{"messages":[{"data":${text},"topic":"a"},{"topic":"b","d\\u0061ta":\n${text}}]}`)).toEqual([
      text,
      text,
    ]);
    const send = `{"to":{"userId":"a"},"data":\t${text}}`;
    expect(parseSend(JSON.parse(send), send).data).toBe(text);
  });

  it('is written so to the bus, and read so from there', () => {
    const one = encodePublication(publicationOf(text));
    expect(one).toBe(
      `{"topic":"chat/lobby","data":${text},"messageId":"m0","publishedAt":"${TIME}","publisher":{}}`,
    );
    const both = encodePublication(publicationOf(text, '1'));
    expect(both).toBe(
      `{"topic":"chat/lobby","messages":[{"data":${text},"messageId":"m0"},{"data":1,"messageId":"m1"}],"publishedAt":"${TIME}","publisher":{}}`,
    );
    for (const [json, texts] of [
      [one, [text]],
      [both, [text, '1']],
    ] as const) {
      const { payloads } = parsePublication(JSON.parse(json), json, { id: 'e', time: 't' });
      expect(payloads.map((payload) => payload.data)).toEqual(texts);
    }
  });

  it('is written so to logs, jobs and replies', () => {
    const entry = entryJson({ ...HEAD, data }, 7);
    expect(entry).toBe(`{"messageId":"m","offset":7,${HEAD_JSON},"data":${text}}`);
    const message = messageJson({ ...HEAD, data });
    expect(message).toBe(`{"messageId":"m",${HEAD_JSON},"data":${text}}`);
    const job = {
      group: 'g',
      messages: [toJobMessage(message)],
      connectionIds: ['c'],
      shards: [],
      attempt: 1,
    };
    expect(encodeJob(job).map((body) => JSON.parse(body).messages)).toEqual([[{ json: message }]]);
    const page = { type: 'ack', action: 'history', topic, epoch: 'e', offset: 7, recovered: true } as const;
    expect(replyJson({ ...page, messages: [entry, entry] })).toBe(
      `${JSON.stringify(page).slice(0, -1)},"messages":[${entry},${entry}]}`,
    );
  });
});

it('measures data as it is written, white space in it included', () => {
  const frame = (text: string) => `{"topic":"a","data":   ${text}   }`;
  const read = (json: string) => parsePublish(JSON.parse(json), json);
  const room = DATA_BYTES_MAX - 2;
  expect(read(frame(`[${' '.repeat(room)}]`)).messages[0]?.data).toHaveLength(DATA_BYTES_MAX);
  expect(() => read(frame(`[${' '.repeat(room + 1)}]`))).toThrow(`got ${DATA_BYTES_MAX + 1}`);
  expect(read(frame(`[${Array(7_000).fill('1e20')}]`)).messages).toHaveLength(1);
});

describe('what SQS refuses', () => {
  it.each([
    ['"a\uFFFEb\uFFFFc"', '"a\\ufffeb\\uffffc"'],
    ['{"\uFFFF":"\\\\\uFFFF"}', '{"\\uffff":"\\\\\\uffff"}'],
  ])('is escaped in data, and nothing else is: %j', (text, escaped) => {
    expect(JSON.parse(escaped)).toEqual(JSON.parse(text));
    const frame = `{"topic":"a","data":${text}}`;
    expect(parsePublish(JSON.parse(frame), frame).messages[0]?.data).toBe(escaped);
    expect(escapedForQueue(text)).toBe(escaped);
  });

  it('is escaped in everything beside it', () => {
    const publication = { ...publicationOf('1'), publisher: { userId: '\uFFFE' } };
    expect(encodePublication(publication)).toContain('{"userId":"\\ufffe"}');
    expect(toQueueJson(['\uFFFF'])).toBe('["\\uffff"]');
  });
});

it('comes through the bus as it was written, whatever it is', () => {
  fc.assert(
    fc.property(fc.array(jsonText, { minLength: 1, maxLength: 4 }), (texts) => {
      const json = encodePublication(publicationOf(...texts));
      const { payloads } = parsePublication(JSON.parse(json), json, { id: 'e', time: 't' });
      expect(payloads.map(({ data }) => data)).toEqual(texts);
    }),
    { numRuns: 1_000 },
  );
});
