import type { Stack } from './stack.ts';

/** What faults can be confined to by name. */
export type NameKind = 'queue' | 'table' | 'bus' | 'function';

interface Named {
  readonly physicalName: string;
  /** Where the CDK app has it. */
  readonly path: string;
}

/** Physical names by what people call the resources. */
export class Names {
  readonly #named: Readonly<Record<NameKind, readonly Named[]>>;

  constructor(named: Readonly<Record<NameKind, readonly Named[]>>) {
    this.#named = named;
  }

  static of(stack: Stack): Names {
    const named = (type: string): Named[] =>
      stack.ofType(type).map(({ logicalId, path = '' }) => ({
        physicalName: stack.physicalName(logicalId),
        path,
      }));
    return new Names({
      queue: named('AWS::SQS::Queue'),
      table: named('AWS::DynamoDB::Table'),
      bus: [...named('AWS::Events::EventBus'), { physicalName: 'default', path: '' }],
      function: named('AWS::Lambda::Function'),
    });
  }

  /**
   * A resource has its physical name and the ids of the constructs that it is and that it is in, in any case:
   * `ingest` and `fanout` are enough for the queue `Fanwire/Ingest` and the function `Fanwire/Fanout/Function`.
   */
  physicalNames(kind: NameKind, name: string): string[] {
    const wanted = name.toLowerCase();
    return this.#named[kind]
      .filter(
        ({ physicalName, path }) => physicalName === name || path.toLowerCase().split('/').includes(wanted),
      )
      .map(({ physicalName }) => physicalName);
  }

  all(kind: NameKind): string[] {
    return this.#named[kind].map(({ physicalName }) => physicalName);
  }
}
