import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { TestContext } from 'vitest';
import type { Ready } from '../../infra/local/ready.ts';
import type { RuntimeOptions } from '../../infra/local/runtime.ts';
import { bootLocal } from '../support/local.ts';
import { JumpingClock } from './clock.ts';
import { Observations } from './observations.ts';
import { Stage } from './stage.ts';
import { STAGES, type StageName } from './stages.ts';

/** What `cdk deploy --outputs-file` wrote; without it the suite boots the app itself. See README.md. */
const OUTPUTS_FILE = process.env.FANWIRE_CONFORMANCE_OUTPUTS;
/** Wait ten minutes and two hours where time cannot be moved. */
const IS_PATIENT = process.env.FANWIRE_CONFORMANCE_PATIENT === '1';

export const isDeployed = OUTPUTS_FILE !== undefined;
/** A first invocation over there takes seconds. */
export const TIMEOUT_MS = isDeployed ? 120_000 : 30_000;
export const PATIENT_TIMEOUT_MS = isDeployed ? 3 * 60 * 60 * 1000 : TIMEOUT_MS;

type QueueName = 'Partial' | 'Retry' | 'DeadLetters' | 'Backlog' | 'Events';
/** Of the app's stack, by their names. */
type Outputs = Readonly<Record<string, string>>;

/** Where the suite runs. */
export interface Target {
  readonly stages: Readonly<Record<StageName, Stage>>;
  readonly observations: Observations;
  readonly sqs: SQSClient;
  readonly events: EventBridgeClient;
  readonly eventBusName: string;
  queueUrl(queue: QueueName): string;
  /** Lets time pass: in a moment here, as it goes elsewhere. Nothing may be running that has a timeout. */
  pass(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** Of a page that clients say they are of: on AWS any will do. */
export const ORIGIN = 'https://app.example';

/** For cases that only run here. */
type LocalSettings = Pick<RuntimeOptions, 'limits'>;

export function openTarget(settings: LocalSettings = {}): Promise<Target> {
  return OUTPUTS_FILE === undefined ? openLocal(settings) : openDeployed(OUTPUTS_FILE);
}

/** Skips a case that needs more than an endpoint, and says so. */
export function skipDeployed(context: TestContext, reason: string): void {
  if (isDeployed) skipLoudly(context, reason);
}

/** Skips a case that takes `duration` where time cannot be moved, unless it was asked for. */
export function skipImpatient(context: TestContext, duration: string): void {
  if (isDeployed && !IS_PATIENT) {
    skipLoudly(context, `takes ${duration}; FANWIRE_CONFORMANCE_PATIENT=1 waits for it`);
  }
}

function skipLoudly({ skip, task }: TestContext, reason: string): void {
  console.log(`skipped: ${task.name}\n  because: ${reason}`);
  skip(reason);
}

/** Prints what a deployed endpoint did where nobody knows what AWS does: the open questions of README.md. */
export function tell(question: string, answer: unknown): void {
  if (isDeployed) console.log(`open question (${question}): ${JSON.stringify(answer)}`);
}

async function openLocal(settings: LocalSettings): Promise<Target> {
  const clock = new JumpingClock();
  const app = 'test/conformance/app.ts';
  const { ready, stop } = await bootLocal({ app, clock, allowedOrigins: [ORIGIN], ...settings });
  const { endpoint, region, accessKeyId, secretAccessKey } = ready;
  return {
    ...targetOf(outputsOf(ready), { endpoint, region, credentials: { accessKeyId, secretAccessKey } }),
    pass: async (ms) => clock.jump(ms),
    close: stop,
  };
}

/** With the region and the credentials that the SDK finds. */
async function openDeployed(outputsFile: string): Promise<Target> {
  const stacks = JSON.parse(readFileSync(outputsFile, 'utf8')) as Readonly<Record<string, Outputs>>;
  const [outputs, ...others] = Object.values(stacks);
  if (!outputs || others.length > 0) {
    throw new Error(`expected the outputs of one stack in ${outputsFile}, got ${Object.keys(stacks)}`);
  }
  return { ...targetOf(outputs, {}), pass: async (ms) => void (await delay(ms)), close: async () => {} };
}

/** The outputs that the local runtime's stack would have. */
function outputsOf({ endpoint, tables, queues, eventBusName }: Ready): Outputs {
  const urls = STAGES.map((stage) => [`${stage}Url`, `${endpoint.replace(/^http/, 'ws')}/${stage}`]);
  const queueUrls = Object.entries(queues).map(([name, url]) => [
    `${name.charAt(0).toUpperCase()}${name.slice(1)}QueueUrl`,
    url,
  ]);
  return Object.fromEntries([
    ...urls,
    ...queueUrls,
    ['EventBusName', eventBusName],
    ['ObservationsTable', tables.observations ?? ''],
  ]);
}

/** What all clients of the SDK need to know. */
type ClientConfig = Partial<Pick<Ready, 'endpoint' | 'region'>> & {
  readonly credentials?: Pick<Ready, 'accessKeyId' | 'secretAccessKey'>;
};

function targetOf(outputs: Outputs, config: ClientConfig): Omit<Target, 'pass' | 'close'> {
  const output = (name: string): string => {
    const value = outputs[name];
    if (value === undefined) throw new Error(`expected an output ${name}, got ${Object.keys(outputs)}`);
    return value;
  };
  const observations = new Observations(new DynamoDBClient(config), output('ObservationsTable'));
  const stage = (name: StageName) => new Stage(output(`${name}Url`), config, observations);
  return {
    stages: Object.fromEntries(STAGES.map((name) => [name, stage(name)])) as Record<StageName, Stage>,
    observations,
    sqs: new SQSClient(config),
    events: new EventBridgeClient(config),
    eventBusName: output('EventBusName'),
    queueUrl: (queue) => output(`${queue}QueueUrl`),
  };
}
