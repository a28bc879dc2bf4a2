import { createHash, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Account } from '../account.ts';
import type { Clock } from '../clock.ts';
import {
  answer,
  type HttpEngine,
  type HttpRequest,
  type HttpResponse,
  operationOf,
  parseInput,
  unknownOperation,
} from '../http/engine.ts';
import { generateSecretString, type RandomInt } from './generate.ts';
import { parseOptional, parseSecretId, parseStages, parseToken, parseValue, refusal } from './input.ts';
import type { SecretMeter } from './meter.ts';
import { arnOfSecret, type SecretDefinition, type SecretOrigin } from './resources.ts';
import { type KeptSecret, type KeptSecrets, SecretStore } from './store.ts';
import { CURRENT, type Version, type Versions, versionAt, withVersion } from './versions.ts';

export interface SecretsOptions extends Account {
  /** Where they are kept; without it they are gone with the process. */
  readonly dataDir?: string | undefined;
  readonly clock: Pick<Clock, 'now'>;
  readonly randomInt: RandomInt;
  readonly meter?: SecretMeter;
}

type Input = Readonly<Record<string, unknown>>;
type Run = (input: Input, secret: Secret) => object;

interface Secret extends Pick<SecretDefinition, 'name' | 'description'> {
  readonly arn: string;
}

const NO_SUCH_SECRET = "Secrets Manager can't find the specified secret.";
const NO_SUCH_VALUE = "Secrets Manager can't find the specified secret value for";

/** Secrets Manager: the secrets of a template, and as much of its API as reads and rotates them. Values are in no log. */
export class Secrets implements HttpEngine {
  readonly #options: SecretsOptions;
  readonly #store: SecretStore;
  /** By ARN: those of the template. */
  readonly #secrets = new Map<string, Secret>();
  #kept: KeptSecrets;

  readonly #operations: Readonly<Record<string, Run>> = {
    GetSecretValue: (input, secret) => this.#getValue(input, secret),
    PutSecretValue: (input, secret) => this.#putValue(input, secret),
    DescribeSecret: (_input, secret) => this.#describe(secret),
  };

  constructor(options: SecretsOptions, definitions: readonly SecretDefinition[]) {
    this.#options = options;
    this.#store = new SecretStore(options.dataDir);
    const before = this.#store.read();
    this.#kept = before;
    for (const definition of definitions) this.#add(definition);
    if (this.#kept !== before) this.#keep(this.#kept);
  }

  handle(request: HttpRequest, body: Buffer, response: HttpResponse): Promise<void> {
    return answer(response, '1.1', () => {
      const operation = operationOf(request);
      const run = Object.hasOwn(this.#operations, operation) ? this.#operations[operation] : undefined;
      if (!run) throw unknownOperation(operation);
      const input = parseInput(body);
      const secret = this.#secrets.get(arnOfSecret(parseSecretId(input), this.#options));
      if (!secret) throw refusal('ResourceNotFoundException', NO_SUCH_SECRET);
      this.#options.meter?.called(secret.name);
      return run(input, secret);
    });
  }

  /** As a deployment does it: a value is made once, and again only if the template says something else of it. */
  #add({ name, description, origin }: SecretDefinition): void {
    const { clock, randomInt } = this.#options;
    const arn = arnOfSecret(name, this.#options);
    this.#secrets.set(arn, { name, arn, ...(description !== undefined && { description }) });
    const originHash = createHash('sha256').update(JSON.stringify(origin)).digest('hex');
    const before = this.#kept.get(name);
    if (before?.originHash === originHash) return;
    const now = clock.now();
    const value = firstValue(name, origin, randomInt);
    const versions = before?.versions ?? [];
    const added = value === undefined ? undefined : versionOf({ SecretString: value }, now);
    this.#kept = new Map(this.#kept).set(name, {
      originHash,
      createdAtMs: before?.createdAtMs ?? now,
      versions: added ? withVersion(versions, added) : versions,
    });
  }

  #getValue(input: Input, { name, arn }: Secret): object {
    const version = this.#versionFor(
      name,
      parseOptional(input, 'VersionId'),
      parseOptional(input, 'VersionStage'),
    );
    const { id, createdAtMs, value, stages } = version;
    return {
      ...{ ARN: arn, Name: name, VersionId: id },
      ...value,
      ...{ VersionStages: stages, CreatedDate: seconds(createdAtMs) },
    };
  }

  #versionFor(name: string, id: string | undefined, stage: string | undefined): Version {
    const { versions } = this.#keptOf(name);
    if (id === undefined) {
      const version = versionAt(versions, stage ?? CURRENT);
      if (version) return version;
      throw refusal('ResourceNotFoundException', `${NO_SUCH_VALUE} staging label: ${stage ?? CURRENT}`);
    }
    const version = versions.find((each) => each.id === id);
    if (!version) throw refusal('ResourceNotFoundException', `${NO_SUCH_VALUE} VersionId: ${id}`);
    if (stage === undefined || version.stages.includes(stage)) return version;
    throw refusal(
      'InvalidRequestException',
      'You provided a VersionStage that is not associated to the provided VersionId.',
    );
  }

  /** On disk when it returns, or not done at all. */
  #putValue(input: Input, { name, arn }: Secret): object {
    const secret = this.#keptOf(name);
    const value = parseValue(input);
    const id = parseToken(input) ?? randomUUID();
    const stages = parseStages(input) ?? [CURRENT];
    const versionIn = (versions: Versions) => versions.find((each) => each.id === id);
    const answered = (versions: Versions) => ({
      ...{ ARN: arn, Name: name, VersionId: id },
      VersionStages: versionIn(versions)?.stages,
    });
    const same = versionIn(secret.versions);
    if (same) {
      if (isDeepStrictEqual(same.value, value)) return answered(secret.versions);
      throw refusal('ResourceExistsException', 'A resource with the ID you requested already exists.');
    }
    const added = { ...versionOf(value, this.#options.clock.now(), id), stages };
    const versions = withVersion(secret.versions, added);
    this.#keep(new Map(this.#kept).set(name, { ...secret, versions }));
    return answered(versions);
  }

  #describe({ name, arn, description }: Secret): object {
    const { createdAtMs, versions } = this.#keptOf(name);
    const labelled = versions.filter(({ stages }) => stages.length > 0);
    return {
      ...{ ARN: arn, Name: name },
      ...(description !== undefined && { Description: description }),
      CreatedDate: seconds(createdAtMs),
      LastChangedDate: seconds(versions.at(-1)?.createdAtMs ?? createdAtMs),
      VersionIdsToStages: Object.fromEntries(labelled.map(({ id, stages }) => [id, stages])),
    };
  }

  #keep(secrets: KeptSecrets): void {
    this.#store.write(secrets);
    this.#kept = secrets;
  }

  #keptOf(name: string): KeptSecret {
    return this.#kept.get(name) as KeptSecret; // every secret of the template is there from the start on
  }
}

const versionOf = (value: Version['value'], createdAtMs: number, id: string = randomUUID()): Version => ({
  ...{ id, createdAtMs, value },
  stages: [CURRENT],
});

function firstValue(
  name: string,
  { SecretString, GenerateSecretString }: SecretOrigin,
  randomInt: RandomInt,
): string | undefined {
  try {
    if (!GenerateSecretString) return SecretString;
    if (SecretString === undefined) return generateSecretString(GenerateSecretString, randomInt);
    throw new Error('expected SecretString or GenerateSecretString, got both');
  } catch (error) {
    throw new Error(`secret ${name}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

/** As JSON has times in AWS's protocols. */
const seconds = (ms: number): number => ms / 1000;
